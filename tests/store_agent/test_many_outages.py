"""Thirty shops over real till lines, each cut off at random for up to twelve hours of simulated time: the books of the
centre are the sums of the file, and each basket counts once."""

import csv
import gzip
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.events import GapFound
from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.inventory.rows import Device, Level, split_key
from bopis.domain.inventory.step import step
from bopis.domain.values import HOUR_MS
from bopis.journal.entries import Basket, Entry
from bopis.journal.journal import Journal
from bopis.wire.stock import STOCK
from tests.domain.books import MemoryRows
from tests.store_agent.baskets import basket_of

TILL_LINES = Path(__file__).parents[2] / "../shared/data/complete_journey_pos.csv.gz"
AGENTS = 30
STEP_MS = 3 * HOUR_MS
OUTAGE_MS_MAX = 12 * HOUR_MS
# Chances in each step: that an outage begins, that the answer to a batch is lost, that the machine is started again.
OUTAGE, LOST, RESTART = 0.2, 0.25, 0.05
ENTRIES_MAX, BYTES_MAX = 40, 1 << 20
SOURCE = "till-1"


class Sale(NamedTuple):
    """A basket of the file: its lines as SKU and units."""

    store: str
    basket: str
    at_ms: int
    lines: tuple[tuple[str, int], ...]


def sales_before(day: str) -> list[Sale]:
    """The baskets of the busiest stores that were sold before a day, in their order."""
    lines: dict[tuple[str, str, str], list[tuple[str, int]]] = defaultdict(list)
    with gzip.open(TILL_LINES, "rt") as file:
        for row in csv.DictReader(file):
            if row["sold_at"] < day:
                lines[row["store_id"], row["basket_id"], row["sold_at"]].append(
                    (row["product_id"], int(row["quantity"]))
                )
    busiest = {store for store, _ in Counter(store for store, _, _ in lines).most_common(AGENTS)}
    found = [
        Sale(store, basket, int(datetime.fromisoformat(sold_at).timestamp() * 1000), tuple(parts))
        for (store, basket, sold_at), parts in lines.items()
        if store in busiest
    ]
    return sorted(found, key=lambda it: (it.at_ms, it.basket))


def units(sales: Sequence[Sale]) -> Counter[tuple[str, str]]:
    """What each store sold of each SKU."""
    found: Counter[tuple[str, str]] = Counter()
    for sale in sales:
        for sku, quantity in sale.lines:
            found[sale.store, sku] += quantity
    return found


class Centre:
    """The inventory core over rows in memory; it takes what arrives, in the order of arrival."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.refused: list[str] = []
        self.gaps = 0

    def take(self, entries: Sequence[Entry], now_ms: int) -> None:
        for entry in entries:
            message = STOCK.decode(entry.value)
            try:
                events = step(self.rows, message, now_ms, entry.value)
            except Rejected as error:
                self.refused.append(f"{message.subject} {message.id}: {error}")
            else:
                self.gaps += sum(isinstance(event, GapFound) for _, event in events)

    def sold(self) -> dict[tuple[str, str], int]:
        """Units that left each cell."""
        levels = ((key, row) for key, row in self.rows.rows.items() if isinstance(row, Level))
        return {split_key(key)[1:]: -row.on_hand for key, row in levels if row.on_hand}


class Shop:
    """One agent: its journal, and a network that is away now and then."""

    def __init__(
        self, store: str, home: Path, chance: random.Random, centre: Centre, now_ms: Callable[[], int]
    ) -> None:
        self.store, self.sent = store, 0
        self._home, self._chance, self._centre, self._now_ms = home / store, chance, centre, now_ms
        self._away_until_ms = 0
        self._journal = self._open()

    def _open(self) -> Journal:
        return Journal(self._home, self.store, now_ms=self._now_ms)

    def sell(self, sales: Sequence[Sale]) -> None:
        """Take baskets into the journal; a till that had no answer sends some once more."""
        baskets = [_basket(it) for it in sales]
        self._journal.take(SOURCE, [*baskets, *(it for it in baskets if self._chance.random() < LOST)])
        if self._chance.random() < RESTART:
            self._journal.close()
            self._journal = self._open()

    def send(self, *, is_over: bool = False) -> None:
        """Send what waits, if the network is there. An answer may be lost after all or a part of it has arrived."""
        now_ms = self._now_ms()
        if not is_over and self._away_until_ms <= now_ms and self._chance.random() < OUTAGE:
            self._away_until_ms = now_ms + self._chance.randrange(OUTAGE_MS_MAX)
        while (is_over or self._away_until_ms <= now_ms) and (waiting := self._journal.waiting(ENTRIES_MAX, BYTES_MAX)):
            if not is_over and self._chance.random() < LOST:
                arrived = waiting[: self._chance.randrange(len(waiting) + 1)]
                self._centre.take(arrived, now_ms)
                self.sent += len(arrived)
                return
            self._centre.take(waiting, now_ms)
            self.sent += len(waiting)
            self._journal.acknowledge(waiting[-1].position)

    def close(self) -> int:
        """Returns how many messages never reached the centre."""
        depth = self._journal.usage().depth
        self._journal.close()
        return depth


def _basket(sale: Sale) -> Basket:
    lines = tuple(SaleLine(sku, quantity) for sku, quantity in sale.lines)
    return basket_of(
        sale.basket, PosSale(basket=sale.basket, lines=lines), datetime.fromtimestamp(sale.at_ms / 1000, UTC)
    )


@pytest.mark.parametrize(
    "before",
    ["2017-01-08", pytest.param("9999", marks=pytest.mark.soak)],
    ids=["a week", "whole file"],
)
def test_thirty_agents_with_outages_come_to_the_sums_of_the_file(tmp_path: Path, before: str) -> None:
    if not TILL_LINES.exists():
        pytest.skip("the real till lines (../shared/data) are not here")
    seed = random.randrange(2**32)
    print("seed", seed)
    sales, centre, clock = sales_before(before), Centre(), [0]
    shops = {
        store: Shop(store, tmp_path, random.Random(f"{seed}/{store}"), centre, lambda: clock[0])
        for store in sorted({it.store for it in sales})
    }
    steps: dict[int, dict[str, list[Sale]]] = defaultdict(lambda: defaultdict(list))
    for sale in sales:
        steps[sale.at_ms // STEP_MS][sale.store].append(sale)

    for number in sorted(steps):
        clock[0] = (number + 1) * STEP_MS
        for store, sold in steps[number].items():
            shops[store].sell(sold)
        for shop in shops.values():
            shop.send()
    clock[0] += OUTAGE_MS_MAX
    for shop in shops.values():
        shop.send(is_over=True)

    expected = units(sales)
    assert len(shops) == AGENTS
    assert centre.refused == []
    assert centre.gaps == 0
    assert centre.sold() == {cell: quantity for cell, quantity in expected.items() if quantity}
    # What was sent once more was seen as such: each device's numbers are those of its baskets.
    assert sum(it.sent for it in shops.values()) > len(sales)
    tops = {it.store: 0 for it in sales} | {
        key.split("|")[1]: row.top for key, row in centre.rows.rows.items() if isinstance(row, Device)
    }
    assert tops == Counter(it.store for it in sales)
    assert [shop.close() for shop in shops.values()] == [0] * AGENTS
