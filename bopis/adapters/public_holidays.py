"""Public holidays as shops keep them: the day itself, also on a weekend, not the day that offices observe instead."""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

YEARS_KEPT_MAX = 512
LANGUAGE = "en_US"
# Codes that people write for a country, and the one that it has.
MEANT = {"UK": "GB", "EN": "GB-ENG", "SP": "ES", "JA": "JP"}
# The United Kingdom has no list of its own: without a part, that of England and Wales counts.
PART_OF = {"GB": "GB-ENG"}
COUNTRY = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


def country_problem(country: str) -> str:
    """Why no holidays are known for a country or a part of it; empty if they are."""
    known = _library().list_supported_countries(include_aliases=False)
    nation, _, part = country.partition("-")
    if nation not in known:
        instead = f"did you mean {MEANT[nation]}?" if nation in MEANT else "list the dates instead"
        return f"no public holidays are known for country {country!r}; {instead}"
    if part and part not in known[nation]:
        parts = ", ".join(f"{nation}-{it}" for it in known[nation]) or "none"
        return f"no public holidays are known for {country!r}; parts of {nation} with their own: {parts}"
    return ""


def public_holidays(country: str, first: date, last: date) -> dict[date, str]:
    """Names of the public holidays from one day to another, by date.

    `country` has two letters, or also its part (ISO 3166-2), for example DE-BY. Raises `NotImplementedError` for an
    unknown one.
    """
    years = range(first.year, last.year + 1)
    return {day: name for year in years for day, name in _of_year(country, year).items() if first <= day <= last}


@lru_cache(YEARS_KEPT_MAX)
def _of_year(country: str, year: int) -> Mapping[date, str]:
    nation, _, part = PART_OF.get(country, country).partition("-")
    # A substitute day is for offices: shops close on 25 December, and open on the Monday after a weekend.
    found = _library().country_holidays(nation, subdiv=part or None, years=year, observed=False, language=LANGUAGE)
    return {day: found[day] for day in sorted(found)}


def _library() -> Any:
    """The library. It is imported when the first store names a country: it takes 0.2 s, which no command should pay
    that asks for no holidays."""
    import holidays

    return holidays
