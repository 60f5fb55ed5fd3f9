"""Cells of imports that look right and are not: units, components, places, zones, hours, countries."""

import pytest

from bopis.adapters.barcodes import gtin14
from bopis.adapters.opening_hours import OsmHours
from bopis.domain.quantities import read_unit
from bopis.services.catalogue import read_article
from bopis.services.store_directory import StoreRecord, read_store
from bopis.tables.errors import HeaderInvalid
from bopis.tables.header import ColumnNames, column_names
from bopis.wire.catalogue import Article

HOURS = OsmHours()


@pytest.mark.parametrize(
    ("stated", "unit"),
    [("EACH", "each"), ("Each", "each"), ("G", "g"), ("Ml", "ml"), ("g", "g"), ("lb/100", "lb/100"), ("Stk", "Stk")],
)
def test_a_unit_is_one_in_any_case(stated: str, unit: str) -> None:
    assert read_unit(stated) == unit


@pytest.mark.parametrize("stated", ["0", "lb/3", "lb/", "/100", "fl oz", "2g", "g=1", "lb/1000000000", "each/0"])
def test_what_is_no_unit_is_refused(stated: str) -> None:
    problems = read_article({"sku": "HAM", "unit": stated}, gtin14)

    assert isinstance(problems, list)
    assert f"unit {stated!r} is none; write for example each, g, ml" in problems[0]


@pytest.mark.parametrize("typed", ["MUG x 2", "MUG X 2", "2 x MUG", "2x MUG", "MUG×2"])
def test_a_number_of_components_without_the_sign_is_no_sku(typed: str) -> None:
    problems = read_article({"sku": "SET", "components": typed}, gtin14)

    assert problems == [f"component {typed!r}: write * before the number, for example MUG*2"]


@pytest.mark.parametrize("typed", ["MUG*2", "X 2000", "BOX 4", "MIX*1;X*2", "2X4", "XS"])
def test_codes_that_have_an_x_are_codes(typed: str) -> None:
    assert isinstance(read_article({"sku": "SET", "components": typed}, gtin14), Article)


def test_a_file_of_another_kind_names_a_few_of_its_columns() -> None:
    header = [f"c{number}" for number in range(300)]

    with pytest.raises(HeaderInvalid) as refused:
        column_names("f.csv", header, ColumnNames(("sku", "name"), ("sku",)))

    assert "column 'c4' is unknown; 295 more columns are unknown; column 'sku' is missing" in str(refused.value)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"store_id": "-"}, "store_id '-' stands for no store"),
        ({"latitude": "0", "longitude": "0.0"}, "latitude 0 and longitude 0 are in the sea"),
        (
            {"time_zone": "CST"},
            "'CST' is an abbreviation; write the zone's name, for example America/Chicago",
        ),
        ({"time_zone": "UTC+2"}, "is an abbreviation"),
        ({"time_zone": "-06:00"}, "is an abbreviation"),
        ({"time_zone": "EST"}, "has no summer time; write the zone's name: America/New_York"),
        ({"cutoff": "9:00"}, "is not a time of day in four digits"),
        ({"holidays": "US;CA"}, "holidays: US and CA; a store keeps those of one country"),
        ({"holidays": "UK"}, "for country 'UK'; did you mean GB?"),
        ({"openings": "2027-12-24 25:00-26:00"}, "openings: the hours of 2027-12-24, 25:00-26:00, cannot be parsed"),
        ({"opening_hours": "Mo-Fr 09:00-17:00; Feb 30 off"}, "there is no Feb 30"),
        ({"opening_hours": "jun 31 off; Mo-Fr 09:00-17:00"}, "there is no jun 31"),
    ],
)
def test_a_store_that_cannot_be_meant_is_refused_by_a_sentence(cells: dict[str, str], said: str) -> None:
    problems = read_store({"store_id": "X1", **cells}, HOURS)

    assert isinstance(problems, list)
    assert said in problems[0]
    assert "24/7" not in problems[0]


@pytest.mark.parametrize("hours", ["Mo–Fr 09:00–17:00", "Mo—Fr 09:00−17:00", "Mo-Fr 09:00-17:00"])
def test_dashes_of_word_processors_are_minus_signs(hours: str) -> None:
    store = read_store({"store_id": "X1", "opening_hours": hours}, HOURS)

    assert isinstance(store, StoreRecord)
    assert store.opening_hours == "Mo-Fr 09:00-17:00"


@pytest.mark.parametrize("hours", ["Feb 29 off; Mo-Fr 09:00-17:00", "Dec 31 09:00-12:00; Mo-Sa 08:00-20:00"])
def test_days_that_exist_are_read(hours: str) -> None:
    assert isinstance(read_store({"store_id": "X1", "opening_hours": hours, "time_zone": "UTC"}, HOURS), StoreRecord)
