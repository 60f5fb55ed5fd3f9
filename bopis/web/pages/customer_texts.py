"""The customer's page in the customer's language: words, dates, hours and amounts, as in the notices."""

import tomllib
from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from bopis.adapters.notices.local_texts import DateFormat, in_locale, locale_of
from bopis.adapters.notices.rendering import BUILT_IN, LAST_RESORT
from bopis.services.opening_days import OpeningDay

TEXTS = Path(__file__).parent / "texts"
TAGS_MAX = 10


def choose_language(customer: str, accepted: str, default: str) -> str:
    """The language of a page: the order's, else the browser's (the header Accept-Language), else the shop's.

    One without words falls back to its base language (``de-AT`` to ``de``), then to the next one.
    """
    tags = [customer, *_accepted(accepted), default, LAST_RESORT]
    known = languages()
    for tag in tags:
        folded = tag.replace("_", "-").lower()
        for candidate in (folded, folded.partition("-")[0]):
            if candidate in known:
                return candidate
    return LAST_RESORT


@cache
def languages() -> frozenset[str]:
    """The languages that have words for the page."""
    return frozenset(it.stem for it in TEXTS.glob("*.toml"))


class CustomerTexts:
    """Words and formats of one page. `tag` is the customer's own language, whose region decides dates and amounts."""

    def __init__(self, language: str, tag: str = "", country: str = "") -> None:
        self.language = language
        self.words = _words(language)
        self._locale = locale_of(tag, language, self.words, country)
        self._dates = DateFormat(self.words, self._locale)

    def word(self, name: str, **facts: str) -> str:
        """A text with its facts filled in."""
        return str(self.words[name]).format(**facts)

    def of(self, group: str, name: str, otherwise: str = "") -> str:
        """A text of a group, for example of a state; `otherwise` names the one for what has none."""
        found = self.words[group]
        return str(found.get(name) or found.get(otherwise, ""))

    def instant(self, at_ms: int | None, zone: tzinfo) -> str:
        """An instant on a store's clock; empty for none."""
        return self._dates.instant(datetime.fromtimestamp(at_ms / 1000, zone)) if at_ms else ""

    def amount(self, cents: int, currency: str) -> str:
        """A sum as the region writes it."""
        return in_locale(cents, currency, self._locale)

    def hours(self, days: list[OpeningDay]) -> tuple[tuple[str, str], ...]:
        """Opening times by day, with a word for closed days."""
        found = []
        for it in days:
            times = self._dates.hours({"all_day": it.all_day, "spans": it.opens})
            found.append((self._dates.day(it.begins), times or str(self.words["closed"])))
        return tuple(found)


@cache
def _words(language: str) -> Mapping[str, Any]:
    labels = tomllib.loads((BUILT_IN / language / "labels.toml").read_text(encoding="utf-8"))
    return labels | tomllib.loads((TEXTS / f"{language}.toml").read_text(encoding="utf-8"))


def _accepted(header: str) -> list[str]:
    """The language tags of the header Accept-Language (RFC 9110, 12.5.4), the most wanted first."""
    found = []
    for number, part in enumerate(header.split(",")[:TAGS_MAX]):
        tag, _, rest = part.strip().partition(";")
        name, _, value = rest.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weight = 0.0
        if tag and tag != "*" and weight > 0:
            found.append((-weight, number, tag.strip()))
    return [tag for _, _, tag in sorted(found)]
