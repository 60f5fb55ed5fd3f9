"""Moves of a log with a catalogue in it: what a code meant in its old partition, it means in the new one."""

import random

import msgspec
import pytest

from bopis.domain.inventory.articles import CatalogueChanged, CataloguedArticle, KitComponent
from bopis.domain.inventory.messages import (
    PosSale,
    SaleLine,
    SetStockRule,
    StockLine,
    StockReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import Level
from bopis.domain.message import Message
from bopis.wire.resolved import RESOLVED_HEADER
from bopis.wire.stock import STOCK
from tests.services.topics.memory import NEW, OLD, MemoryLog, decided_anew, move
from tests.services.topics.test_moves import STORES, Past, at, impatient

__all__ = ["impatient"]  # a fixture

CODES = ("A", " a", "5012345678900", "KIT", "kit", "B", "nobody's")
ARTICLES = (
    CataloguedArticle(sku="A", gtins=("05012345678900",)),
    CataloguedArticle(sku="B"),
    CataloguedArticle(sku="B", gtins=("05012345678900",)),
    CataloguedArticle(sku="KIT", components=(KitComponent(sku="A", quantity=3),)),
)


class CataloguedPast(Past):
    """A past in which partitions get the catalogue at different times."""

    def _act(self, number: int) -> None:
        choose = self._random
        if choose.random() < 0.1:
            self._change(number)
        elif choose.random() < 0.5:
            store, code = choose.choice(STORES), choose.choice(CODES)
            line = StockLine(sku=code, quantity=2)
            body = choose.choice(
                (
                    PosSale(basket="b", lines=(SaleLine(code, 1),)),
                    StockReceived(document="d", lines=(line,)),
                    TransferShipped(transfer=f"t{number}", to_store=choose.choice(STORES), lines=(line,)),
                    SetStockRule(sku=code, safety_stock=1),
                )
            )
            self._say(store, number, body)
        else:
            super()._act(number)

    def _change(self, number: int) -> None:
        body = CatalogueChanged(
            partition=0,
            following=number + 1,
            articles=(self._random.choice(ARTICLES),),
            removed=self._random.choice(((), (), ("B",))),
        )
        message = Message(id=f"m{number}", source="inventory", time=at(0), subject="-", data=body)
        partition = self._random.randrange(self.inventory.partitions)
        self.inventory.log.add(OLD + "stock", partition, (b"-", STOCK.encode(message), (), self.inventory.now_ms))


def books(log: MemoryLog, prefix: str, partitions: int) -> tuple[dict[str, bytes], set[tuple[bytes, bytes]]]:
    """Rows of stores without the versions of catalogues, and the conclusions."""
    rows, said = decided_anew(log, prefix, partitions)
    kept = {}
    for key, value in rows.items():
        if key[0] != "@":
            level = msgspec.json.decode(value, type=Level)
            level.article_version = 0
            kept[key] = msgspec.json.encode(level)
        elif "|-" not in key[:14]:
            kept[key] = value
    return kept, said


@pytest.mark.parametrize("seed", range(10))
def test_moved_codes_mean_what_they_meant(seed: int) -> None:
    choose = random.Random(seed)
    before, after = choose.choice((2, 4, 5)), choose.choice((1, 3, 7))
    past = CataloguedPast(seed, before).live()

    move(past.log, after)

    assert books(past.log, NEW, after) == books(past.log, OLD, before)
    moved = [it for (name, _), part in past.log.parts.items() if name == NEW + "stock" for it in part]
    assert all(b"catalogue_changed" not in (it.value or b"") for it in moved)
    assert any(name == RESOLVED_HEADER for it in moved for name, _ in it.headers)
    levels = [it for (name, _), part in past.log.parts.items() if name == NEW + "inventory-levels" for it in part]
    assert not any((it.key or b"").startswith((b"@article", b"@kit", b"@code", b"@catalogue")) for it in levels)


def test_a_second_move_keeps_what_the_first_one_stated() -> None:
    past = CataloguedPast(3, 4).live()
    move(past.log, 3)
    second = MemoryLog()
    second.parts = {
        (OLD + name.removeprefix(NEW), number): records
        for (name, number), records in past.log.parts.items()
        if name.startswith(NEW)
    }

    move(second, 5)

    assert books(second, NEW, 5) == books(past.log, OLD, 4)
