"""A store's books that an earlier version split over two partitions are named, and mended by one command."""

from itertools import count
from typing import Any

import pytest

from bopis.domain.inventory.messages import PosSale, SaleLine, StockLine, StockReceived
from bopis.domain.message import Message
from bopis.ports import RecordMetadata
from bopis.services import dead_letters
from bopis.services.exchange import Author
from bopis.services.split_books import Mended, key_for, mend, split_books
from bopis.verification.verify import Verdict, judge, read_rows, spans_of
from bopis.wire.placement import Placement, partition_of
from bopis.wire.stock import INVENTORY_EVENTS, STOCK
from tests.domain.books import at
from tests.services.topics.memory import OLD, Inventory, MemoryLog, Side

PARTITIONS = 4
STORE = "320"
HOME = partition_of(STORE.encode(), PARTITIONS)
ELSEWHERE = next(f"K{n}" for n in range(99) if partition_of(f"K{n}".encode(), PARTITIONS) != HOME)
TILL = "till/320/1"


class MemoryPublisher:
    """Appends to the log in memory at once."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def publish(self, topic: str, key: str | bytes, value: bytes | None, **_: Any) -> "Placed":
        raw = key.encode() if isinstance(key, str) else key
        number = partition_of(raw, PARTITIONS)
        offset = self._inventory.log.add(OLD + topic, number, (raw, value, (), self._inventory.now_ms))
        return Placed(RecordMetadata(topic, number, offset, self._inventory.now_ms))


class Placed:
    def __init__(self, metadata: RecordMetadata) -> None:
        self._metadata = metadata

    def wait(self) -> RecordMetadata:
        return self._metadata


class Shop:
    """Store 320 with three toys, and the tills that sell them."""

    def __init__(self, *, checks: bool) -> None:
        self.inventory = Inventory(MemoryLog(), PARTITIONS)
        if not checks:
            self.inventory.take_all()
        self.log = Side(self.inventory.log, OLD)
        self.say(StockReceived(document="d1", lines=(StockLine(sku="TOY", quantity=3),)), id="r1", source="desk")

    def say(self, data: Any, key: str = STORE, **header: Any) -> None:
        now = at(self.inventory.now_ms)
        self.inventory.say(Message(data=data, subject=STORE, time=now, **header), key=key)
        self.inventory.decide()

    def sell(self, seq: int, key: str) -> None:
        basket = PosSale(basket=f"b{seq}", lines=(SaleLine("TOY", 1),))
        self.say(basket, key=key, id=f"{TILL}/{seq}", source=TILL, seq=seq)

    def mend(self) -> Mended:
        ids = (f"mend-{n}" for n in count(len(self.inventory.log.parts[f"{OLD}stock", 0])))
        author = Author("cli/kim", "kim", lambda: at(self.inventory.now_ms), lambda: next(ids))
        mended = mend(self.log, MemoryPublisher(self.inventory), STORE, author, OLD)  # type: ignore[arg-type]
        self.inventory.decide()
        return mended

    def verdict(self) -> Verdict:
        spans = spans_of(self.log)  # type: ignore[arg-type]
        return judge(self.log, spans, read_rows(self.log, spans, nothing), nothing)  # type: ignore[arg-type]

    def on_hand(self) -> int:
        rows = read_rows(self.log, spans_of(self.log), nothing).rows  # type: ignore[arg-type]
        return rows[f"{STORE}|TOY"].on_hand  # type: ignore[union-attr]


def nothing(_: int) -> None:
    """No progress is shown."""


def split() -> Shop:
    """Sales 1 and 3 where they belong, 2 and 4 in another partition, as an earlier version decided them."""
    shop = Shop(checks=False)
    for seq in range(1, 5):
        shop.sell(seq, STORE if seq % 2 else ELSEWHERE)
    for number, rows in enumerate(shop.inventory._rows):
        rows.placement = Placement(number, PARTITIONS)
    return shop


def test_o2_01_a_misplaced_sale_is_parked_and_changes_no_books() -> None:
    shop = Shop(checks=True)
    shop.sell(1, ELSEWHERE)

    found = dead_letters.letters(shop.log, OLD)  # type: ignore[arg-type]

    assert [it.cause for it in found] == [
        f"Misplaced: '320' belongs in partition {HOME} of 4, the record is in partition "
        f"{partition_of(ELSEWHERE.encode(), PARTITIONS)}: the record's key must be the subject, it is {ELSEWHERE!r}"
    ]
    assert dead_letters.misplaced_by_source(found) == {TILL: 1}
    assert shop.on_hand() == 3
    assert (shop.verdict().misplaced, shop.verdict().violations) == ({TILL: 1}, ())


def test_o2_01_verify_names_the_split_store_and_judges_the_books_where_they_belong() -> None:
    shop = split()

    verdict = shop.verdict()

    assert list(verdict.split) == [STORE]
    assert verdict.misplaced == {TILL: 2}
    assert verdict.violations == ()
    assert {(it.store, it.home) for it in split_books(shop.log)} == {(STORE, HOME)}  # type: ignore[arg-type]


def test_o2_01_mending_counts_every_sale_once_and_leaves_one_set_of_books() -> None:
    shop = split()

    mended = shop.mend()

    assert (mended.published, mended.repeats) == (2, 0)
    assert mended.dropped > 0
    assert shop.on_hand() == -1
    assert split_books(shop.log) == []  # type: ignore[arg-type]
    assert (shop.verdict().split, shop.verdict().violations) == ({}, ())


def test_o2_01_mending_is_recorded_by_an_event_that_names_the_rows() -> None:
    shop = split()
    shop.mend()

    events = [
        INVENTORY_EVENTS.decode(it.value or b"")
        for (topic, _), records in shop.inventory.log.parts.items()
        if topic == f"{OLD}inventory-events"
        for it in records
    ]

    [dropped] = [it for it in events if type(it.data).__name__ == "MisplacedRowsDropped"]
    assert (dropped.subject, dropped.data.store) == (STORE, STORE)
    assert {it.key: it.on_hand for it in dropped.data.rows}[f"{STORE}|TOY"] == -2


def test_o2_01_mending_twice_publishes_nothing_twice() -> None:
    shop = split()
    shop.mend()

    again = shop.mend()

    assert (again.published, again.repeats, again.dropped) == (0, 2, 0)
    assert shop.on_hand() == -1


def test_o2_01_a_parked_sale_is_published_by_mending_and_its_dead_letter_is_closed() -> None:
    shop = Shop(checks=True)
    shop.sell(1, ELSEWHERE)

    shop.mend()

    assert shop.on_hand() == 2
    assert [it.state for it in dead_letters.letters(shop.log, OLD)] == ["retried"]  # type: ignore[arg-type]


@pytest.mark.parametrize(("partition", "subject"), [(HOME, "-"), (HOME, STORE), ((HOME + 1) % PARTITIONS, STORE)])
def test_o2_01_no_command_drops_the_rows_of_a_store_where_it_belongs(partition: int, subject: str) -> None:
    shop = split()
    shop.mend()
    [command] = [
        STOCK.decode(it.value or b"")
        for (topic, _), records in shop.inventory.log.parts.items()
        if topic == f"{OLD}stock"
        for it in records
        if b"drop_misplaced" in (it.value or b"")
    ]
    again = Message(id="x", source="desk", time=command.time, subject=subject, data=command.data)
    shop.inventory.say(again, key=key_for(partition, PARTITIONS))
    shop.inventory.decide()

    assert shop.on_hand() == -1
    assert len(dead_letters.letters(shop.log, OLD)) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("topic", ["inventory-levels", "inventory-events"])
def test_o2_57_verify_names_a_record_that_is_none_of_ours_and_judges_the_rest(topic: str) -> None:
    shop = Shop(checks=True)
    shop.inventory.log.add(OLD + topic, HOME, (f"{STORE}|TOY".encode(), b"{", (), shop.inventory.now_ms))
    shop.sell(1, STORE)

    verdict = shop.verdict()

    assert [it.split(":")[0].rsplit("/", 1)[0] for it in verdict.skipped] == [f"{topic}/{HOME}"]
    assert verdict.violations == ()
    assert shop.on_hand() == 2


def test_o2_01_a_message_under_another_key_in_the_right_partition_counts_and_its_source_is_named() -> None:
    shop = Shop(checks=True)
    other_key = next(f"K{n}" for n in range(99) if partition_of(f"K{n}".encode(), PARTITIONS) == HOME)
    shop.sell(1, other_key)

    verdict = shop.verdict()

    assert shop.on_hand() == 2
    assert (verdict.other_keys, verdict.misplaced) == ({TILL: 1}, {})
