"""Files of systems that are not shipped are read with mappings only."""

from collections import Counter
from datetime import date, datetime, time
from pathlib import Path

import pytest

from bopis.domain.inventory.messages import PosReturn, PosSale
from bopis.domain.values import epoch_ms
from bopis.services.till_files.baskets import ReadBasket, reports
from bopis.services.till_files.facts import NotStock, Rejected
from bopis.services.till_files.mapping_file import parse_mapping
from bopis.services.till_files.reader import TillFact, read_till_file
from tests.services.till_files.others import EXPORTS, Export
from tests.tables.workbooks import workbook


def read(tmp_path: Path, export: Export) -> list[TillFact]:
    file = tmp_path / f"export{export.suffix}"
    file.write_bytes(export.content)
    return list(read_till_file(file, parse_mapping(export.mapping, "test")))


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_another_system_is_read_with_a_mapping_only(tmp_path: Path, export: Export) -> None:
    facts = read(tmp_path, export)

    baskets = {f"{it.store} {it.basket}": it for it in facts if isinstance(it, ReadBasket) and it.lines}
    units: dict[str, Counter[str]] = {name: Counter() for name in baskets}
    for name, it in baskets.items():
        for line in it.lines:
            units[name][line.sku] += line.units
    assert {it.line: it.cause for it in facts if isinstance(it, Rejected)}.keys() == set(export.rejected)
    assert {it.line: it.why for it in facts if isinstance(it, NotStock)} == export.not_stock
    assert units == export.baskets
    stated = {name: epoch_ms(datetime.fromisoformat(at)) for name, at in export.times.items()}
    assert {name: baskets[name].at_ms for name in stated} == stated
    found = {line.condition for it in baskets.values() for line in it.lines if line.condition}
    assert not export.conditions or found == set(export.conditions)


def test_a_workbook_is_read_with_its_own_types_of_cells(tmp_path: Path) -> None:
    mapping = """
name = "a workbook"
kind = "xlsx"
[columns]
store = "Shop"
basket = "Ticket"
sku = "EAN"
quantity = "Qty"
sold_at = ["Day", "Time"]
[time]
zone = "Europe/Berlin"
formats = ["iso"]
[returns]
condition = "sellable"
[[not_stock]]
row_starts_with = "Total"
why = "total"
"""
    rows = [
        ["Sales"],
        [],
        ["Shop", "Ticket", "EAN", "Qty", "Day", "Time"],
        [1, 17, 42, 2, date(2026, 10, 24), time(8, 30)],
        [1, 18, "0042", 0.5, date(2026, 10, 24), time(8, 30)],
        [1, 19, "0042", -1.0, date(2026, 10, 24), time(8, 31, 5)],
        ["Total", None, None, 1.5],
    ]
    export = Export(workbook(rows, {"C4": "00000"}), mapping, {}, suffix=".xlsx")

    facts = read(tmp_path, export)

    baskets = {
        it.basket: (it.at_ms, [(line.sku, line.units) for line in it.lines])
        for it in facts
        if isinstance(it, ReadBasket)
    }
    sold = epoch_ms(datetime.fromisoformat("2026-10-24T06:30:00Z"))
    assert {name: it for name, it in baskets.items() if it[1]} == {
        "17": (sold, [("00042", 2)]),
        "19": (sold + 65_000, [("0042", -1)]),
    }
    assert [it.line for it in facts if isinstance(it, Rejected)] == ["5"]
    assert {it.line: it.why for it in facts if isinstance(it, NotStock)} == {"1": "title", "7": "total"}


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_the_messages_of_a_file_move_the_shelf_by_sold_and_sellable_goods_only(tmp_path: Path, export: Export) -> None:
    for basket in read(tmp_path, export):
        if not isinstance(basket, ReadBasket):
            continue
        messages = reports(basket)

        sold = sum(line.quantity for it in messages if isinstance(it, PosSale) for line in it.lines)
        others = sum(line.quantity for it in messages if isinstance(it, PosReturn) for line in it.lines)
        off_shelf = sum(it.units for it in basket.lines if it.condition in (None, "sellable"))
        assert (sold, others) == (off_shelf, off_shelf - sum(it.units for it in basket.lines))
