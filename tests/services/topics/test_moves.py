"""Moves in memory: random pasts, deaths at random records, and everything that a move must refuse."""

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bopis.domain.inventory.holds import HOLD_MEMORY_MS
from bopis.domain.inventory.messages import (
    CollectStock,
    OrderLine,
    PosSale,
    ReserveStock,
    SaleLine,
    StockLine,
    StockReceived,
    StockTick,
    TransferShipped,
)
from bopis.domain.message import Message
from bopis.domain.values import DAY_MS
from bopis.ports import Record
from bopis.services.dead_letters import letters
from bopis.services.migration import target
from bopis.services.migration.copies import merged
from bopis.services.migration.errors import (
    BooksDiffer,
    NotDecided,
    OldMoved,
    StoresSplit,
    TargetDiffers,
    TargetInUse,
    TargetMisfit,
    WorkersRunning,
)
from bopis.services.migration.ports import OffsetRanges
from bopis.topics.definitions import TOPICS, MigrationRule, Retention, TopicDefinition, plan
from bopis.topics.plans import CREATE_TIME, LOG_APPEND_TIME, TIMESTAMP_TYPE
from bopis.wire.changelog import CLAIM_KEY, POSITION_KEY, Position, encode_note
from bopis.wire.stock import STOCK
from tests.services.topics.memory import NEW, OLD, Inventory, Killed, MemoryLog, Side, decided_anew, move, settings_of

STORES = [f"S{number}" for number in range(8)]
SKUS = ("A", "B")
STEPS = 220


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log in memory has no records on their way, so there is no need to wait for them."""
    monkeypatch.setattr(target, "QUIET_SECONDS", 0.0)


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


class Past:
    """A random past of some stores, decided as it happens."""

    def __init__(self, seed: int, partitions: int) -> None:
        self._random = random.Random(seed)
        self.log = MemoryLog()
        self.inventory = Inventory(self.log, partitions)
        self._sequences: dict[str, int] = {}
        self._holds: list[tuple[str, str]] = []

    def live(self, steps: int = STEPS) -> "Past":
        for number in range(steps):
            self.inventory.now_ms += self._random.choice((0, 1, 1, 40))
            self._act(number)
            self.inventory.decide()
            if number == steps // 2:
                # Ticks that conclude nothing and only forget what is remembered no longer.
                self.inventory.now_ms += HOLD_MEMORY_MS + DAY_MS
            if self._random.random() < 0.15:
                self.inventory.tick()
        self.inventory.now_ms += 100
        self.inventory.tick()
        return self

    def _act(self, number: int) -> None:
        store, sku = self._random.choice(STORES), self._random.choice(SKUS)
        kind = self._random.choice(("sale", "receive", "hold", "hold", "hold", "collect", "ship", "spoil"))
        now_ms = self.inventory.now_ms
        if kind == "sale":
            self._sequences[store] = self._sequences.get(store, 0) + 1
            sale = PosSale(basket="b", lines=(SaleLine(sku, 1),))
            self._say(store, number, sale, source=f"till-{store}", seq=self._sequences[store])
        elif kind == "receive":
            self._say(store, number, StockReceived(document="d", lines=(StockLine(sku=sku, quantity=9),)))
        elif kind == "hold":
            lines = (OrderLine(line=1, sku=sku, quantity=1),)
            until = at(now_ms + self._random.randrange(1, 60))
            self._holds.append((store, f"h{number}"))
            self._say(store, number, ReserveStock(hold=f"h{number}", order="o", lines=lines, hold_until=until))
        elif kind == "collect" and self._holds:
            owner, hold = self._random.choice(self._holds)
            self._say(owner, number, CollectStock(hold=hold))
        elif kind == "ship":
            other = self._random.choice([it for it in STORES if it != store])
            lines = (StockLine(sku=sku, quantity=1),)  # type: ignore[assignment]  # another kind of line
            self._say(store, number, TransferShipped(transfer=f"t{number}", to_store=other, lines=lines))  # type: ignore[arg-type]  # as above
        elif kind == "spoil":
            self.inventory.put(self._random.choice((store.encode(), None, b"")), b"{%d" % number)

    def _say(self, store: str, number: int, data: Any, source: str = "desk", **header: Any) -> None:
        time = at(self.inventory.now_ms)
        self.inventory.say(Message(id=f"m{number}", source=source, time=time, subject=store, data=data, **header))


def contents(log: MemoryLog, prefix: str) -> dict[tuple[str, int], list[tuple[Any, ...]]]:
    return {
        (name.removeprefix(prefix), number): [it[2:] for it in records]
        for (name, number), records in log.parts.items()
        if name.startswith(prefix)
    }


@pytest.mark.parametrize("seed", range(12))
def test_the_moved_messages_come_to_the_same_rows_and_conclusions(seed: int) -> None:
    choose = random.Random(seed)
    before, after = choose.choice((1, 2, 4, 5)), choose.choice((1, 2, 3, 7))
    past = Past(seed, before).live()

    move(past.log, after)

    rows, said = decided_anew(past.log, OLD, before)
    assert decided_anew(past.log, NEW, after) == (rows, said)
    told = [it for (name, _), part in past.log.parts.items() if name == NEW + "inventory-events" for it in part]
    assert {(it.key, it.value) for it in told} == said
    assert b"expired" in b"".join(value for _, value in said)


@pytest.mark.parametrize("seed", range(12))
def test_a_move_that_dies_at_any_record_comes_to_the_same_as_one_that_does_not(seed: int) -> None:
    choose = random.Random(seed)
    whole, broken = Past(seed, 4).live(), Past(seed, 4).live()

    move(whole.log, 7)
    deaths = 0
    while True:
        try:
            move(broken.log, 7, choose.randrange(1, 150))
        except Killed:
            deaths += 1
        else:
            break

    assert deaths >= 3, f"seed {seed}"
    assert contents(broken.log, NEW) == contents(whole.log, NEW)


@pytest.mark.parametrize("seed", range(6))
def test_a_second_move_takes_ticks_along_that_were_moved_before(seed: int) -> None:
    past = Past(seed, 4).live()
    move(past.log, 3)
    second = MemoryLog()
    second.parts = {
        (OLD + name.removeprefix(NEW), number): records
        for (name, number), records in past.log.parts.items()
        if name.startswith(NEW)
    }

    move(second, 6)

    assert decided_anew(second, NEW, 6) == decided_anew(past.log, OLD, 4)


def test_a_dead_letter_and_its_mark_name_the_new_place_of_its_message() -> None:
    past = Past(1, 4).live()
    first = letters(Side(past.log, OLD), OLD)[0]
    mark = b'{"state":"discarded","actor":"kim","at":"2026-11-22T09:30:00Z","reason":"known"}'
    past.log.add(OLD + "dead-letter-marks", 0, (first.name.encode(), mark, (), 1))

    move(past.log, 7)

    moved = letters(Side(past.log, NEW), NEW)
    assert [it.state for it in moved].count("discarded") == 1
    assert len(moved) == len(letters(Side(past.log, OLD), OLD))
    for it in moved:
        assert (past.log.parts[NEW + "stock", it.partition][it.offset].value or b"") == it.value


def test_the_rows_of_another_processor_go_with_the_keys_of_its_messages() -> None:
    past = Past(1, 4).live()
    shared: dict[str, Any] = {"key": "order", "written_by": "", "read_by": ""}
    asked = TopicDefinition(name="asked", retention=Retention.FOR_EVER, migration=MigrationRule.EVERY, **shared)
    state = TopicDefinition(
        name="asked-state", retention=Retention.NEWEST, migration=MigrationRule.ROWS, rows_of="asked", **shared
    )
    past.log.create(plan(it, settings_of(OLD, 4)) for it in (asked, state))
    keys = [b"o%d" % number for number in range(20)]
    for number in range(4):
        mine = [key for key in keys if _home(key.decode(), 4) == number]
        for key in mine:
            past.log.add(OLD + "asked", number, (key, b"asked", (), 5))
        note = encode_note(Position(len(mine) - 1, 0))
        past.log.add(OLD + "asked-state", number, (CLAIM_KEY, b"{}", (), 5))
        past.log.add(OLD + "asked-state", number, (POSITION_KEY, note, (), 5))
        for key in mine:
            past.log.add(OLD + "asked-state", number, (key, b"row of " + key, (), 5))

    move(past.log, 7, topics=(state, asked, *TOPICS))

    for number in range(7):
        messages = past.log.parts[NEW + "asked", number]
        rows = past.log.parts[NEW + "asked-state", number]
        assert {it.key for it in messages} == {key for key in keys if _home(key.decode(), 7) == number}
        assert {it.key: it.value for it in rows if it.key in keys} == {it.key: b"row of " + it.key for it in messages}  # type: ignore[operator]  # each has one
        assert not messages or rows[-1].value == encode_note(Position(len(messages) - 1, 0))


def test_a_processor_that_never_ran_begins_with_the_first_message_after_the_move() -> None:
    past = Past(1, 4).live()
    answers = sum(len(part) for (name, _), part in past.log.parts.items() if name == OLD + "orders")

    move(past.log, 7)

    assert answers > 0
    assert sum(len(part) for (name, _), part in past.log.parts.items() if name == NEW + "orders") == answers
    assert not any(part for (name, _), part in past.log.parts.items() if name == NEW + "order-state")


def test_topics_are_switched_to_the_logs_own_time_only_when_all_is_there() -> None:
    past = Past(2, 4).live()

    with pytest.raises(Killed):
        move(past.log, 7, 50)
    begun = {name: it.settings[TIMESTAMP_TYPE] for name, it in past.log.states_by_name.items() if name[:4] == NEW}
    move(past.log, 7)
    done = {name: it.settings[TIMESTAMP_TYPE] for name, it in past.log.states_by_name.items() if name[:4] == NEW}

    assert set(begun.values()) == {CREATE_TIME}
    assert set(done.values()) == {LOG_APPEND_TIME}
    assert past.log.states_by_name[NEW + "inventory-levels"].settings["cleanup.policy"] == "compact"


def test_messages_that_are_not_decided_are_not_moved() -> None:
    past = Past(3, 4).live()
    past.inventory.put(b"S1", b"{later")

    with pytest.raises(NotDecided):
        move(past.log, 7)
    assert not any(name.startswith(NEW) for name, _ in past.log.parts)


def test_nothing_is_moved_while_somebody_works() -> None:
    past = Past(3, 4).live()

    with pytest.raises(WorkersRunning):
        move(past.log, 7, working=lambda: ["inventory (2 members)"])
    assert not any(name.startswith(NEW) for name, _ in past.log.parts)


def test_a_store_whose_messages_stand_in_two_partitions_is_not_moved() -> None:
    past = Past(3, 4).live()
    elsewhere = next(it for it in STORES if it != "S1" and past.log.parts and _home(it, 4) != _home("S1", 4))
    message = Message(
        id="x", source="desk", time=at(past.inventory.now_ms), subject="S1",
        data=StockReceived(document="d", lines=(StockLine(sku="A", quantity=1),)),
    )  # fmt: skip
    past.inventory.take_all()
    past.inventory.say(message, key=elsewhere)
    past.inventory.decide()

    with pytest.raises(StoresSplit, match="S1"):
        move(past.log, 7)


def test_a_message_that_was_parked_in_a_wrong_partition_does_not_count_after_a_move() -> None:
    past = Past(3, 4).live()
    elsewhere = next(it for it in STORES if _home(it, 4) != _home("S1", 4))
    message = Message(
        id="x", source="desk", time=at(past.inventory.now_ms), subject="S1",
        data=StockReceived(document="d", lines=(StockLine(sku="A", quantity=1_000),)),
    )  # fmt: skip
    past.inventory.say(message, key=elsewhere)
    past.inventory.decide()

    move(past.log, 7)

    moved = [it for (name, _), part in past.log.parts.items() if name == NEW + "stock" for it in part]
    assert not any(b'"quantity":1000' in (it.value or b"") for it in moved)
    assert [it.cause for it in letters(Side(past.log, NEW), NEW) if "belongs in partition" in it.cause]


def test_rows_that_are_not_what_the_messages_come_to_are_not_moved() -> None:
    past = Past(3, 4).live()
    number = _home("S1", 4)
    past.log.add(OLD + "inventory-levels", number, (b"S1|A", b'{"on_hand":4711}', (), 1))

    with pytest.raises(BooksDiffer, match=r"S1\|A"):
        move(past.log, 7)


def test_a_message_that_comes_during_the_move_is_told() -> None:
    past = Past(3, 4).live()
    asked = []

    def working() -> list[str]:
        asked.append(1)
        if len(asked) == 2:
            past.inventory.put(b"S1", b"{late")
        return []

    with pytest.raises(OldMoved):
        move(past.log, 7, working=working)
    assert past.log.states_by_name[NEW + "stock"].settings[TIMESTAMP_TYPE] == CREATE_TIME


def test_what_somebody_else_wrote_into_the_new_topics_is_found_and_can_be_begun_anew() -> None:
    past = Past(3, 4).live()
    with pytest.raises(Killed):
        move(past.log, 7, 60)
    used = next(number for number in range(7) if past.log.parts[NEW + "stock", number])
    past.log.parts[NEW + "stock", used][-1] = past.log.parts[NEW + "stock", used][-1]._replace(timestamp_ms=1)

    with pytest.raises(TargetDiffers):
        move(past.log, 7)
    move(past.log, 7, anew=True)

    assert decided_anew(past.log, NEW, 7) == decided_anew(past.log, OLD, 4)


def test_a_prefix_that_is_in_use_is_left_alone() -> None:
    past = Past(3, 4).live()
    move(past.log, 7)
    past.log.add(NEW + "stock", 2, (b"S1", b"{new", (), past.inventory.now_ms))
    before = contents(past.log, NEW)

    for anew in (False, True):
        with pytest.raises(TargetInUse):
            move(past.log, 7, anew=anew)

    assert contents(past.log, NEW) == before


def test_a_finished_move_can_be_asked_for_again_and_does_nothing() -> None:
    past = Past(3, 4).live()
    move(past.log, 7)

    report = move(past.log, 7)

    assert set(report.appended.values()) == {0}


def test_another_number_of_partitions_than_the_new_topics_have_is_refused() -> None:
    past = Past(3, 4).live()
    with pytest.raises(Killed):
        move(past.log, 7, 10)

    with pytest.raises(TargetMisfit, match="7"):
        move(past.log, 5)


def test_partitions_are_merged_by_time_and_never_reordered_inside() -> None:
    log = MemoryLog()
    for number, times in enumerate(([5, 3, 9], [4, 4, 10], [])):
        log.parts["old.t", number] = []
        for at_ms in times:
            log.add("old.t", number, (b"k", b"%d" % at_ms, (), at_ms))
    ends = {("t", number): len(log.parts["old.t", number]) for number in range(3)}
    span = OffsetRanges(starts=dict.fromkeys(ends, 0), ends=ends)

    order = [(it.partition, it.timestamp_ms) for it in merged(Side(log, OLD), "t", span)]

    assert order == [(1, 4), (1, 4), (0, 5), (0, 3), (0, 9), (1, 10)]


def test_a_moved_tick_is_told_once_to_each_store_that_it_was_about() -> None:
    past = Past(5, 1).live()
    old = _ticks(past.log, OLD)

    move(past.log, 3)

    new = _ticks(past.log, NEW)
    touched = {(it.data.at, it.subject) for it in new}
    assert all(it.subject == "-" for it in old)
    assert len(touched) == len(new) > len(old)
    numbers: dict[Any, list[int]] = {}
    for it in new:
        numbers.setdefault((it.id, it.data.at), []).extend(it.data.numbers)
    assert all(sorted(found) == list(range(len(found))) for found in numbers.values())


def _ticks(log: MemoryLog, prefix: str) -> list[Message]:
    records: list[Record] = [it for (name, _), part in log.parts.items() if name == prefix + "stock" for it in part]
    found = []
    for record in records:
        if b"bopis.stock.tick" in (record.value or b""):
            message = STOCK.decode(record.value or b"")
            assert isinstance(message.data, StockTick)
            assert (message.data.numbers is msgspec.UNSET) == (prefix == OLD)
            found.append(message)
    return found


def _home(store: str, partitions: int) -> int:
    from bopis.wire.placement import partition_of as place

    return place(store.encode(), partitions)
