"""The services of the desk over a log in memory."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest

from bopis.adapters.errors import TopicMissing
from bopis.adapters.opening_hours import OsmHours
from bopis.domain.inventory.events import StockReserved
from bopis.domain.inventory.messages import OrderLine, SetStockRule, StockLine, StockReceived
from bopis.domain.inventory.rows import Level
from bopis.domain.message import Message
from bopis.services import dead_letters
from bopis.services.channels import STOCK_REQUESTS
from bopis.services.errors import Implausible, InTheFuture, MessageInvalid, TooOld
from bopis.services.exchange import Author, Exchange, Sent
from bopis.services.progress import decided_positions, lag
from bopis.services.store_directory import StoreRecord, publish_store, read_store
from bopis.verification.verify import differing_cells, judge, read_rows, spans_of
from bopis.wire.stock import INVENTORY_EVENTS, STOCK
from tests.cli.fakes import START_MS, FakeLog

NOW = datetime.fromtimestamp(START_MS / 1000, UTC)
RECEIPT = StockReceived(document="PO-1", lines=(StockLine(sku="4011", quantity=24),))
TOPICS = ("stock", "inventory-levels", "inventory-events", "dead-letters", "dead-letter-marks", "stores")


@pytest.fixture
def log() -> FakeLog:
    return FakeLog(*TOPICS)


@pytest.fixture
def desk(log: FakeLog) -> "Desk":
    numbers = count(1)
    return Desk(log, lambda: f"id-{next(numbers)}")


class Desk:
    """Kim at the store's desk."""

    def __init__(self, log: FakeLog, new_id: Callable[[], str]) -> None:
        self.exchange = Exchange(STOCK_REQUESTS, log, log, "bopis.")
        self._author = Author("cli/kim@desk", "kim", lambda: NOW, new_id)

    def compose(self, store: str, body: Any, at: datetime | None = None, message_id: str | None = None) -> Message:
        return self.exchange.compose(self._author, store, body, at=at, message_id=message_id)

    def send(self, message: Message) -> Sent:
        return self.exchange.send(message)


def event(store: str, data: object, cause: str, number: int = 0) -> bytes:
    message = Message(id=f"{cause}#{number}", source="inventory", time=NOW, subject=store, data=data, causation=cause)
    return INVENTORY_EVENTS.encode(message)


def position(log: FakeLog, partition: int, offset: int, claim: int = -1) -> None:
    """A commit's head, straight into a partition of the changelog."""
    value = msgspec.json.encode({"position": offset, "claim": claim})
    _put(log, ("inventory-levels", partition), b"\x00position", value)


def level(log: FakeLog, partition: int, cell: str, on_hand: int) -> None:
    _put(log, ("inventory-levels", partition), cell.encode(), msgspec.json.encode(Level(on_hand=on_hand)))


def _put(log: FakeLog, where: tuple[str, int], key: bytes, value: bytes | None) -> None:
    from bopis.ports import Record

    log.now_ms += 1_000
    log.records[where].append(Record(*where, len(log.records[where]), log.now_ms, key, value))


def test_what_a_person_says_stands_in_the_log_under_the_store(desk: Desk, log: FakeLog) -> None:
    sent = desk.send(desk.compose("319", RECEIPT))

    record = log.records["stock", sent.placed.partition][sent.placed.offset]
    message = STOCK.decode(record.value or b"")
    assert record.key == b"319"
    assert (message.id, message.source, message.actor, message.time) == ("id-1", "cli/kim@desk", "kim", NOW)
    assert message.data == RECEIPT


def test_an_id_that_is_given_is_kept(desk: Desk) -> None:
    assert desk.compose("319", RECEIPT, NOW - timedelta(hours=1), "mine").id == "mine"


@pytest.mark.parametrize(
    ("store", "at", "error"),
    [
        ("31|9", NOW, Implausible),
        ("@319", NOW, Implausible),
        ("", NOW, MessageInvalid),
        ("3" * 65, NOW, MessageInvalid),
        ("319", NOW - timedelta(days=31), TooOld),
        ("319", NOW + timedelta(minutes=2), InTheFuture),
        ("319", datetime(1999, 1, 1, tzinfo=UTC), Implausible),
    ],
)
def test_what_the_core_would_park_is_not_sent(desk: Desk, store: str, at: datetime, error: type[Exception]) -> None:
    with pytest.raises(error):
        desk.compose(store, RECEIPT, at)


def test_values_beyond_their_limits_and_rules_about_two_things_are_not_sent(desk: Desk) -> None:
    with pytest.raises(MessageInvalid, match="quantity"):
        desk.compose("319", StockReceived(document="x", lines=(StockLine(sku="4011", quantity=0),)))
    with pytest.raises(Implausible, match="not both"):
        desk.compose("319", SetStockRule(sku="a", category="b", safety_stock=1))


def test_a_missing_topic_is_told(desk: Desk) -> None:
    nothing = Desk(FakeLog(), lambda: "1")
    with pytest.raises(TopicMissing, match="bopis up"):
        nothing.send(nothing.compose("319", RECEIPT))


def park(log: FakeLog, key: str, value: bytes, *, offset: int, partition: int = 0, cause: str = "why") -> None:
    told = {
        "cause": cause,
        "processor": "inventory",
        "topic": "bopis.stock",
        "partition": str(partition),
        "offset": str(offset),
        "timestamp": str(START_MS),
    }
    log.publish("dead-letters", key, value, headers=[(name, text.encode()) for name, text in told.items()])


def test_dead_letters_are_named_by_where_they_stood_and_count_once(log: FakeLog) -> None:
    park(log, "319", b"bytes", offset=7)
    park(log, "319", b"bytes", offset=7)
    park(log, "367", b"\xff\x00", offset=3, partition=1, cause="undecodable")

    found = dead_letters.letters(log, "bopis.")

    assert [(it.name, it.cause, it.state) for it in found] == [
        ("stock/0/7", "why", "open"),
        ("stock/1/3", "undecodable", "open"),
    ]
    assert (found[1].key, found[1].value) == (b"367", b"\xff\x00")


def test_a_retry_sends_the_same_bytes_and_is_remembered(log: FakeLog) -> None:
    park(log, "319", b"\xffbytes", offset=7)
    letter = dead_letters.letters(log, "bopis.")[0]

    placed = dead_letters.retry(log, letter, "kim", NOW)

    sent = log.records["stock", placed.partition][placed.offset]
    after = dead_letters.letters(log, "bopis.")[0]
    assert (sent.key, sent.value) == (b"319", b"\xffbytes")
    assert after.mark is not None
    assert (after.state, after.mark.actor) == ("retried", "kim")
    assert f"{placed.topic}/{placed.partition}/{placed.offset}" in after.mark.reason


def test_a_discarded_letter_keeps_its_reason(log: FakeLog) -> None:
    park(log, "319", b"bytes", offset=7)

    dead_letters.discard(log, dead_letters.letters(log, "bopis.")[0], "kim", NOW, "typed twice")

    mark = dead_letters.letters(log, "bopis.")[0].mark
    assert mark is not None
    assert (mark.state, mark.reason, mark.at) == ("discarded", "typed twice", NOW)


def test_a_letter_without_words_is_still_listed(log: FakeLog) -> None:
    log.publish("dead-letters", "319", b"bytes")

    assert dead_letters.letters(log, "bopis.")[0].cause == "no cause given"


def test_the_newest_commit_says_how_far_a_partition_is_decided(log: FakeLog) -> None:
    position(log, 0, 4)
    for number in range(200):
        level(log, 0, f"319|{number}", 1)
    position(log, 1, 2)
    position(log, 1, 8)

    assert decided_positions(log) == {0: 4, 1: 8}


def test_lag_counts_what_was_not_taken(log: FakeLog) -> None:
    for number in range(5):
        log.publish("stock", "a", str(number).encode())

    where = next(partition for (topic, partition), records in log.records.items() if topic == "stock" and records)
    assert lag(log, "stock", {where: 2}) == 2
    assert lag(log, "stock", {}) == 5
    assert lag(log, "stock", {where: 9}) == 0


def test_stores_are_read_and_placed_under_their_id(log: FakeLog) -> None:
    read = read_store({"store_id": " 319 ", "name": "", "latitude": "38.7", "longitude": "-88.1"}, OsmHours())

    assert isinstance(read, StoreRecord)
    publish_store(log, read)
    record = next(it for records in log.records.values() for it in records)
    assert record.key == b"319"
    assert msgspec.json.decode(record.value or b"")["name"] == "319"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "/etc/localtime"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    problems = read_store({"store_id": "1", "time_zone": zone}, OsmHours())

    assert isinstance(problems, list)
    assert "time_zone" in problems[0]


def test_the_hours_and_the_work_of_a_store_are_read() -> None:
    cells = {
        "store_id": "1",
        "opening_hours": "Mo-Sa 08:00-20:00; PH off",
        "holidays": "US 2026-12-24",
        "cutoff": "16:00",
        "capacity_minutes": "120",
        "pick_seconds": "45",
        "cost": "250",
        "closed": "Yes",
    }

    read = read_store(cells, OsmHours())

    assert isinstance(read, StoreRecord)
    assert (read.opening_hours, read.holidays, read.cutoff) == ("Mo-Sa 08:00-20:00; PH off", "US 2026-12-24", "16:00")
    assert (read.capacity_minutes, read.pick_seconds, read.cost, read.closed) == (120, 45, 250, True)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("opening_hours", "Monday"),
        ("holidays", "Easter"),
        ("cutoff", "4 pm"),
        ("capacity_minutes", "-1"),
        ("pick_seconds", "1.5"),
        ("cost", "free"),
        ("closed", "perhaps"),
    ],
)
def test_a_store_whose_work_cannot_be_read_is_refused_by_column_and_value(column: str, cell: str) -> None:
    problems = read_store({"store_id": "1", column: cell}, OsmHours())

    assert isinstance(problems, list)
    assert len(problems) == 1
    assert column in problems[0]
    assert cell in problems[0]


@pytest.mark.parametrize("latitude", ["nan", "inf", "90.1", "x"])
def test_a_place_that_is_nowhere_is_refused(latitude: str) -> None:
    assert isinstance(read_store({"store_id": "1", "latitude": latitude, "longitude": "0"}, OsmHours()), list)


def told(log: FakeLog, desk: Desk, units: int) -> str:
    """A receipt that the inventory has decided; returns its cause."""
    body = StockReceived(document="x", lines=(StockLine(sku="4011", quantity=units),))
    return desk.send(desk.compose("319", body)).message.cause


def verdict_of(log: FakeLog) -> tuple[bool, str]:
    spans = spans_of(log)
    rows = read_rows(log, spans, lambda _: None)
    verdict = judge(log, spans, rows, lambda _: None)
    return not verdict.violations, " ".join(it.finding for it in verdict.violations)


def partition_of(log: FakeLog) -> int:
    return next(partition for (topic, partition), records in log.records.items() if topic == "stock" and records)


def test_books_that_add_up_are_clean(log: FakeLog, desk: Desk) -> None:
    told(log, desk, 24)
    told(log, desk, 6)
    position(log, partition_of(log), 1)
    level(log, partition_of(log), "319|4011", 30)

    assert verdict_of(log) == (True, "")


def test_messages_beyond_the_position_are_left_out_with_their_conclusions(log: FakeLog, desk: Desk) -> None:
    told(log, desk, 24)
    later = told(log, desk, 6)
    position(log, partition_of(log), 0)
    level(log, partition_of(log), "319|4011", 24)
    line = OrderLine(line=1, sku="4011", quantity=1)
    hold = StockReserved(hold="h", order="o", lines=(line,), hold_until_ms=START_MS)
    log.publish("inventory-events", "319", event("319", hold, later))

    assert verdict_of(log) == (True, "")


@pytest.mark.parametrize("on_hand", [23, 25, 48, 0])
def test_books_that_do_not_add_up_are_found(log: FakeLog, desk: Desk, on_hand: int) -> None:
    told(log, desk, 24)
    position(log, partition_of(log), 0)
    level(log, partition_of(log), "319|4011", on_hand)

    clean, said = verdict_of(log)

    assert not clean
    assert "24" in said


def test_rows_that_are_missing_are_found(log: FakeLog, desk: Desk) -> None:
    told(log, desk, 24)
    position(log, partition_of(log), 0)

    assert verdict_of(log) == (False, "no row, but on hand must be 24")


def test_a_commit_of_a_writer_that_had_lost_the_partition_is_left_out(log: FakeLog, desk: Desk) -> None:
    told(log, desk, 24)
    partition = partition_of(log)
    position(log, partition, 0, claim=0)
    level(log, partition, "319|4011", 24)
    _put(log, ("inventory-levels", partition), b"\x00claim", b"{}")
    position(log, partition, 0, claim=0)
    level(log, partition, "319|4011", 99)

    assert verdict_of(log) == (True, "")


def test_undecodable_records_are_counted_and_move_nothing(log: FakeLog, desk: Desk) -> None:
    told(log, desk, 24)
    log.publish("stock", "319", b"no message")
    position(log, partition_of(log), 1)
    level(log, partition_of(log), "319|4011", 24)

    spans = spans_of(log)
    verdict = judge(log, spans, read_rows(log, spans, lambda _: None), lambda _: None)

    assert (verdict.violations, verdict.unread, verdict.messages) == ((), 1, 2)


def test_records_in_a_wrong_partition_are_counted_and_move_nothing(log: FakeLog, desk: Desk) -> None:
    told(log, desk, 24)
    here = partition_of(log)
    [whole] = log.records["stock", here]
    _put(log, ("stock", 1 - here), b"77777", whole.value)
    position(log, here, 0)
    position(log, 1 - here, 0)
    level(log, here, "319|4011", 24)

    spans = spans_of(log)
    verdict = judge(log, spans, read_rows(log, spans, lambda _: None), lambda _: None)

    assert (verdict.violations, verdict.misplaced, verdict.messages) == ((), {"cli/kim@desk": 1}, 2)


def test_cells_that_readers_see_otherwise_are_found(log: FakeLog, desk: Desk) -> None:
    told(log, desk, 24)
    position(log, partition_of(log), 0)
    level(log, partition_of(log), "319|4011", 24)
    rows = read_rows(log, spans_of(log), lambda _: None)

    assert differing_cells(rows, [(("319", "4011"), 24)]) == []
    assert [it.where for it in differing_cells(rows, [(("319", "4011"), 23), (("367", "x"), 1)])] == [
        "319 4011",
        "367 x",
    ]
