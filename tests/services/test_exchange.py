"""Request and reply over the log: each request its own reply, many at once over one reader, a deadline each."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from msgspec import UNSET

from bopis.domain.inventory.events import StorePolicySet
from bopis.domain.inventory.messages import StockLine, StockReceived
from bopis.domain.message import Message
from bopis.domain.orders.messages import CancelOrder
from bopis.domain.orders.vocabulary import Initiator
from bopis.services.channels import ORDER_REQUESTS, STOCK_REQUESTS
from bopis.services.errors import MessageParked, NotDecidedInTime
from bopis.services.exchange import Author, Exchange, Reply, RequestChannel, Sent
from bopis.wire.changelog import POSITION_KEY, Position, encode_note
from bopis.wire.stock import INVENTORY_EVENTS, STOCK
from tests.cli.fakes import START_MS, FakeLog

NOW = datetime.fromtimestamp(START_MS / 1000, UTC)
RECEIPT = StockReceived(document="PO-1", lines=(StockLine(sku="4011", quantity=24),))
TOPICS = ("stock", "inventory-levels", "inventory-events", "dead-letters")
POLICY = StorePolicySet(pickup=True, staleness_grace_minutes=5)
REQUESTS = 200
STORES = [f"S{number}" for number in range(20)]


@pytest.fixture
def log() -> FakeLog:
    return FakeLog(*TOPICS)


@pytest.fixture
def exchange(log: FakeLog) -> Exchange:
    return Exchange(STOCK_REQUESTS, log, log, "bopis.")


@pytest.fixture
def author() -> Author:
    numbers = count(1)
    return Author("cli/kim@desk", "kim", lambda: NOW, lambda: f"id-{next(numbers)}")


def conclude(log: FakeLog, store: str, cause: str, number: int = 0) -> None:
    event = Message(id=f"{cause}#{number}", source="inventory", time=NOW, subject=store, data=POLICY, causation=cause)
    log.publish("inventory-events", store, INVENTORY_EVENTS.encode(event))


def commit(log: FakeLog, sent: Sent) -> None:
    """The rows of the message's partition stand for it now."""
    from bopis.ports import Record

    records = log.records["inventory-levels", sent.placed.partition]
    note = encode_note(Position(sent.placed.offset))
    records.append(Record("inventory-levels", sent.placed.partition, len(records), log.now_ms, POSITION_KEY, note))


def park(log: FakeLog, sent: Sent, *, cause: str, topic: str = "bopis.stock", further: int = 0) -> None:
    where = sent.placed
    facts = {"cause": cause, "topic": topic, "partition": where.partition, "offset": where.offset + further}
    headers = [(name, str(text).encode()) for name, text in facts.items()]
    log.publish("dead-letters", sent.message.subject, b"", headers=headers)


def test_a_reply_holds_the_conclusions_of_its_request_and_nothing_else(log: FakeLog, author: Author) -> None:
    conclude(log, "319", "cli/kim@desk/id-1", 9)  # of an earlier message under the same id
    exchange = Exchange(STOCK_REQUESTS, log, log, "bopis.")
    with exchange.subscribe("319") as subscription:
        sent = exchange.send(exchange.compose(author, "319", RECEIPT))
        conclude(log, "319", sent.message.cause, 0)
        conclude(log, "319", sent.message.cause, 1)
        conclude(log, "319", "cli/other@desk/id-1", 2)
        conclude(log, "319", sent.message.cause, 0)  # once more, after a crash
        log.publish("inventory-events", "319", b"no event")
        commit(log, sent)

        reply = exchange.reply(sent, subscription, 5.0)

    assert [event.id for event in reply.events] == [f"{sent.message.cause}#0", f"{sent.message.cause}#1"]
    assert reply.event(StorePolicySet) == POLICY
    assert reply.event(StockReceived) is None


def test_a_message_that_was_parked_is_refused_with_the_cause(log: FakeLog, exchange: Exchange, author: Author) -> None:
    with exchange.subscribe("319") as subscription:
        sent = exchange.send(exchange.compose(author, "319", RECEIPT))
        park(log, sent, cause="of another installation", topic="other.bopis.stock")
        park(log, sent, cause="of another message", further=1)
        park(log, sent, cause="clock")
        commit(log, sent)

        with pytest.raises(MessageParked, match=r"Not taken: clock\. .* stock/\d/0"):
            exchange.reply(sent, subscription, 5.0)


def test_letters_of_another_prefix_are_no_reply(log: FakeLog, exchange: Exchange, author: Author) -> None:
    with exchange.subscribe("319") as subscription:
        sent = exchange.send(exchange.compose(author, "319", RECEIPT))
        park(log, sent, cause="of another installation", topic="other.bopis.stock")
        commit(log, sent)

        assert exchange.reply(sent, subscription, 5.0).events == ()


def test_a_request_that_is_not_decided_in_time_says_so(log: FakeLog, exchange: Exchange, author: Author) -> None:
    with pytest.raises(NotDecidedInTime, match="do not send it again"):
        exchange.request(exchange.compose(author, "319", RECEIPT), 0.05)


def test_what_comes_later_reaches_an_open_subscription_and_no_closed_one(log: FakeLog, exchange: Exchange) -> None:
    first, second = exchange.subscribe("319"), exchange.subscribe("319")
    first.close()
    first.close()
    conclude(log, "319", "somebody/1")

    found = second.wait(StorePolicySet, 5.0)

    assert found is not None
    assert first.events == []
    assert second.wait(StockReceived, 0.02) is None


class Inventory(threading.Thread):
    """Decides what is published, now and then, each store's messages in order; skips the stores in a list."""

    def __init__(self, log: FakeLog, deaf_to: frozenset[str]) -> None:
        super().__init__(daemon=True)
        self._log = log
        self._deaf_to = deaf_to
        self.over = threading.Event()
        self._next: dict[int, int] = {}

    def run(self) -> None:
        while not self.over.is_set():
            for (topic, partition), records in list(self._log.records.items()):
                if topic == "stock":
                    for record in records[self._next.get(partition, 0) :]:
                        message = STOCK.decode(record.value or b"")
                        if message.subject not in self._deaf_to:
                            conclude(self._log, message.subject, message.cause)
                        self._commit(partition, record.offset)
                    self._next[partition] = len(records)
            time.sleep(0.01)

    def _commit(self, partition: int, offset: int) -> None:
        from bopis.ports import Record

        records = self._log.records["inventory-levels", partition]
        note = encode_note(Position(offset))
        records.append(Record("inventory-levels", partition, len(records), 0, POSITION_KEY, note))


@pytest.fixture
def inventory(log: FakeLog) -> Iterator[Callable[..., None]]:
    running: list[Inventory] = []

    def start(*deaf_to: str) -> None:
        running.append(Inventory(log, frozenset(deaf_to)))
        running[-1].start()

    yield start
    for it in running:
        it.over.set()
        it.join()


def test_many_requests_at_once_share_one_reader_and_each_gets_its_own_reply(
    log: FakeLog, exchange: Exchange, inventory: Callable[..., None]
) -> None:
    inventory("S3")
    author = Author("web", "shop", lambda: NOW, lambda: "unused")

    def ask(number: int) -> Reply:
        message = exchange.compose(author, STORES[number % len(STORES)], RECEIPT, message_id=f"r{number}")
        return exchange.request(message, 120.0)

    with ThreadPoolExecutor(REQUESTS) as pool:
        replies = list(pool.map(ask, range(REQUESTS)))

    assert [it.sent.message.id for it in replies] == [f"r{number}" for number in range(REQUESTS)]
    for it in replies:
        expected = [] if it.sent.message.subject == "S3" else [it.sent.message.cause]
        assert [event.causation for event in it.events] == expected
    assert exchange._subscriptions == {}


def test_each_request_has_a_deadline_of_its_own(
    log: FakeLog, exchange: Exchange, inventory: Callable[..., None]
) -> None:
    author = Author("web", "shop", lambda: NOW, lambda: "unused")
    took: dict[int, float] = {}

    def ask(number: int) -> str:
        message = exchange.compose(author, STORES[number], RECEIPT, message_id=f"r{number}")
        began = time.monotonic()
        try:
            exchange.request(message, 0.1 if number % 2 else 30.0)
        except NotDecidedInTime:
            took[number] = time.monotonic() - began
            return "late"
        return "decided"

    with ThreadPoolExecutor(len(STORES)) as pool:
        asked = [pool.submit(ask, number) for number in range(len(STORES))]
        while len(took) < len(STORES) // 2:
            time.sleep(0.01)
        inventory()
        results = [it.result(30) for it in asked]

    assert results == ["decided", "late"] * (len(STORES) // 2)
    assert max(took.values()) < 10


def test_the_thread_that_reads_raises_what_reading_raises_and_the_others_go_on(
    log: FakeLog, exchange: Exchange, author: Author
) -> None:
    def broken(_: float) -> list[object]:
        raise ConnectionError("away")

    exchange._tail.poll = broken  # type: ignore[method-assign,assignment]  # a fault, planted
    with pytest.raises(ConnectionError):
        exchange.request(exchange.compose(author, "319", RECEIPT), 5.0)


@pytest.mark.parametrize(("channel", "correlation"), [(STOCK_REQUESTS, UNSET), (ORDER_REQUESTS, "4K7P92QX")])
def test_messages_carry_their_author_and_what_is_about_an_order_names_it(
    log: FakeLog, author: Author, channel: RequestChannel, correlation: object
) -> None:
    body: Any = RECEIPT if channel is STOCK_REQUESTS else CancelOrder(by=Initiator.STAFF)

    message = Exchange(channel, log, log, "bopis.").compose(author, "4K7P92QX", body)

    assert (message.source, message.actor, message.time) == ("cli/kim@desk", "kim", NOW)
    assert message.correlation == correlation
