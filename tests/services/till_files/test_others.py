"""Files of systems that are not shipped are read with mappings only."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from bopis.domain.inventory.messages import PosReturn, PosSale
from bopis.domain.values import epoch_ms
from bopis.services.till_files.baskets import ReadBasket, reports
from bopis.services.till_files.facts import NotStock, Rejected
from bopis.services.till_files.mapping_file import parse_mapping
from bopis.services.till_files.reader import TillFact, read_till_file
from tests.services.till_files.others import EXPORTS, Export


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
