"""Holidays by country are the official ones, each on the day itself, which shops keep.

Where the official list names a substitute day for a holiday on a weekend, the table has the holiday's own date.
"""

from datetime import date

import pytest

from bopis.adapters.public_holidays import country_problem, public_holidays

# U.S. Office of Personnel Management, Federal Holidays 2026 to 2028.
US = """
2026-01-01 2026-01-19 2026-02-16 2026-05-25 2026-06-19 2026-07-04 2026-09-07 2026-10-12 2026-11-11 2026-11-26 2026-12-25
2027-01-01 2027-01-18 2027-02-15 2027-05-31 2027-06-19 2027-07-04 2027-09-06 2027-10-11 2027-11-11 2027-11-25 2027-12-25
2028-01-01 2028-01-17 2028-02-21 2028-05-29 2028-06-19 2028-07-04 2028-09-04 2028-10-09 2028-11-11 2028-11-23 2028-12-25
"""
# GOV.UK, UK bank holidays, England and Wales.
ENGLAND = """
2026-01-01 2026-04-03 2026-04-06 2026-05-04 2026-05-25 2026-08-31 2026-12-25 2026-12-26
2027-01-01 2027-03-26 2027-03-29 2027-05-03 2027-05-31 2027-08-30 2027-12-25 2027-12-26
2028-01-01 2028-04-14 2028-04-17 2028-05-01 2028-05-29 2028-08-28 2028-12-25 2028-12-26
"""
# Bundesministerium des Innern, Feiertage in Deutschland: those of every state.
GERMANY = """
2026-01-01 2026-04-03 2026-04-06 2026-05-01 2026-05-14 2026-05-25 2026-10-03 2026-12-25 2026-12-26
2027-01-01 2027-03-26 2027-03-29 2027-05-01 2027-05-06 2027-05-17 2027-10-03 2027-12-25 2027-12-26
2028-01-01 2028-04-14 2028-04-17 2028-05-01 2028-05-25 2028-06-05 2028-10-03 2028-12-25 2028-12-26
"""
# Gesetz über den Schutz der Sonn- und Feiertage (Bayern), Artikel 1: also Epiphany, Corpus Christi, All Saints.
BAVARIA = f"""
{GERMANY} 2026-01-06 2026-06-04 2026-11-01 2027-01-06 2027-05-27 2027-11-01 2028-01-06 2028-06-15 2028-11-01
"""
# Gesetz über die Sonn- und Feiertage (Berlin), § 1: also International Women's Day, and in 2028 once 17 June.
BERLIN = f"{GERMANY} 2026-03-08 2027-03-08 2028-03-08 2028-06-17"
# Sächsisches Sonn- und Feiertagsgesetz, § 1: also Reformation Day and the Day of Repentance.
SAXONY = f"{GERMANY} 2026-10-31 2026-11-18 2027-10-31 2027-11-17 2028-10-31 2028-11-22"
# Fair Work Ombudsman (Australia), public holidays: those of every state and territory.
AUSTRALIA = """
2026-01-01 2026-01-26 2026-04-03 2026-04-06 2026-04-25 2026-12-25 2026-12-26
2027-01-01 2027-01-26 2027-03-26 2027-03-29 2027-04-25 2027-12-25 2027-12-26
2028-01-01 2028-01-26 2028-04-14 2028-04-17 2028-04-25 2028-12-25 2028-12-26
"""
# NSW Government, public holidays: also Easter Saturday and Sunday, King's Birthday, Labour Day.
NEW_SOUTH_WALES = f"""
{AUSTRALIA} 2026-04-04 2026-04-05 2026-06-08 2026-10-05 2027-03-27 2027-03-28 2027-06-14 2027-10-04
2028-04-15 2028-04-16 2028-06-12 2028-10-02
"""
# Service-public.fr, jours fériés (Code du travail, article L3133-1).
FRANCE = """
2026-01-01 2026-04-06 2026-05-01 2026-05-08 2026-05-14 2026-05-25 2026-07-14 2026-08-15 2026-11-01 2026-11-11 2026-12-25
2027-01-01 2027-03-29 2027-05-01 2027-05-06 2027-05-08 2027-05-17 2027-07-14 2027-08-15 2027-11-01 2027-11-11 2027-12-25
2028-01-01 2028-04-17 2028-05-01 2028-05-08 2028-05-25 2028-06-05 2028-07-14 2028-08-15 2028-11-01 2028-11-11 2028-12-25
"""
# Code du travail, article L3134-13 (Moselle): also Good Friday and 26 December.
MOSELLE = f"{FRANCE} 2026-04-03 2026-12-26 2027-03-26 2027-12-26 2028-04-14 2028-12-26"


@pytest.mark.parametrize(
    ("country", "official"),
    [
        ("US", US),
        ("GB", ENGLAND),
        ("GB-ENG", ENGLAND),
        ("GB-WLS", ENGLAND),
        ("DE", GERMANY),
        ("DE-BY", BAVARIA),
        ("DE-BE", BERLIN),
        ("DE-SN", SAXONY),
        ("AU", AUSTRALIA),
        ("AU-NSW", NEW_SOUTH_WALES),
        ("FR", FRANCE),
        ("FR-57", MOSELLE),
    ],
)
def test_o2_22_holidays_are_the_official_ones_on_their_own_day(country: str, official: str) -> None:
    found = public_holidays(country, date(2026, 1, 1), date(2028, 12, 31))

    assert [day.isoformat() for day in sorted(found)] == sorted(official.split())
    assert all(found.values())


# What the parts of Germany keep beside the days of every state, by their laws on holidays, in 2026. Assumption Day in
# Bavaria, and the Peace Festival of Augsburg, are kept by some towns only: those list them as closures.
EPIPHANY, WOMEN, CORPUS_CHRISTI, ASSUMPTION = "2026-01-06", "2026-03-08", "2026-06-04", "2026-08-15"
REFORMATION, ALL_SAINTS, REPENTANCE, CHILDREN = "2026-10-31", "2026-11-01", "2026-11-18", "2026-09-20"
EASTER_SUNDAY, PENTECOST = "2026-04-05", "2026-05-24"


@pytest.mark.parametrize(
    ("state", "further"),
    [
        ("BW", {EPIPHANY, CORPUS_CHRISTI, ALL_SAINTS}),
        ("BB", {EASTER_SUNDAY, PENTECOST, REFORMATION}),
        ("HB", {REFORMATION}),
        ("HH", {REFORMATION}),
        ("HE", {CORPUS_CHRISTI}),
        ("MV", {WOMEN, REFORMATION}),
        ("NI", {REFORMATION}),
        ("NW", {CORPUS_CHRISTI, ALL_SAINTS}),
        ("RP", {CORPUS_CHRISTI, ALL_SAINTS}),
        ("SL", {CORPUS_CHRISTI, ASSUMPTION, ALL_SAINTS}),
        ("ST", {EPIPHANY, REFORMATION}),
        ("SH", {REFORMATION}),
        ("TH", {CHILDREN, REFORMATION}),
    ],
)
def test_o2_22_every_part_of_germany_keeps_its_own_days(state: str, further: set[str]) -> None:
    year = date(2026, 1, 1), date(2026, 12, 31)
    everywhere = public_holidays("DE", *year)

    assert {day.isoformat() for day in public_holidays(f"DE-{state}", *year) if day not in everywhere} == further


# Governments of the states, public holidays of 2026 that are not kept everywhere; Easter days are those of each.
@pytest.mark.parametrize(
    ("state", "further"),
    [
        ("VIC", "2026-03-09 2026-04-04 2026-04-05 2026-06-08 2026-09-25 2026-11-03"),
        ("WA", "2026-03-02 2026-04-05 2026-06-01 2026-09-28"),
        ("SA", "2026-03-09 2026-04-04 2026-04-05 2026-06-08 2026-10-05"),
        ("ACT", "2026-03-09 2026-04-04 2026-04-05 2026-06-01 2026-06-08 2026-10-05"),
        ("NT", "2026-04-04 2026-04-05 2026-05-04 2026-06-08 2026-08-03"),
    ],
)
def test_o2_22_states_of_australia_keep_their_own_days(state: str, further: str) -> None:
    year = date(2026, 1, 1), date(2026, 12, 31)
    everywhere = public_holidays("AU", *year)

    found = [day.isoformat() for day in public_holidays(f"AU-{state}", *year) if day not in everywhere]
    assert found == further.split()


@pytest.mark.parametrize(
    ("part", "days"),
    [
        ("GB-SCT", ["2026-01-02", "2026-08-03", "2026-11-30", "2027-01-02", "2028-08-07"]),
        ("GB-NIR", ["2026-03-17", "2026-07-12", "2027-03-17", "2027-07-12", "2028-03-17"]),
    ],
)
def test_o2_22_scotland_and_northern_ireland_have_days_of_their_own(part: str, days: list[str]) -> None:
    found = {it.isoformat() for it in public_holidays(part, date(2026, 1, 1), date(2028, 12, 31))}

    assert set(days) <= found


@pytest.mark.parametrize(("country", "named"), [("ZZ", "'ZZ'"), ("DE-XX", "DE-BY"), ("QQ-1", "'QQ-1'")])
def test_an_unknown_country_or_part_is_named(country: str, named: str) -> None:
    assert named in country_problem(country)
    assert not country_problem("AU-NSW")
