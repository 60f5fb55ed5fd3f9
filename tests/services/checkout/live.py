"""A log in memory in which orders and stores are really decided, and routing answers at once."""

import itertools
from collections import deque
from datetime import UTC, datetime
from typing import Any

import msgspec

from bopis.domain.inventory.messages import StockLine, StockReceived
from bopis.domain.message import Message
from bopis.domain.orders import messages as m
from bopis.domain.orders.events import RoutingRequested
from bopis.domain.orders.state import Order
from bopis.domain.sourcing.decision import Decision, RoutingOutcome
from bopis.ports import Headers, OnDelivery, Record
from bopis.services.catalogue import Catalogue
from bopis.services.channels import ORDER_REQUESTS
from bopis.services.counter.desk import OrderDesk
from bopis.services.counter.order_lookup import OrderBook
from bopis.services.exchange import Author, Exchange
from bopis.wire.catalogue import Article
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.stock import STOCK
from streams.engine.processor import Poison
from streams.processors.inventory import InventoryProcessor
from streams.processors.orders import OrdersProcessor
from tests.cli.fakes import FakeDelivery, FakeLog
from tests.domain.books import MemoryRows
from tests.domain.orders.world import RULES, to_first_free

TOPICS = (
    "orders", "order-state", "order-events", "dead-letters", "notices", "stock", "inventory-events", "inventory-levels",
    "catalogue",
)  # fmt: skip
S1, S2 = "S1", "S2"
_numbers = itertools.count(1)


class LiveLog(FakeLog):
    """The real processors decide every published message before `publish` returns."""

    def __init__(self, **stock: dict[str, int]) -> None:
        super().__init__(*TOPICS)
        self.orders_are_away = False
        self._rows: dict[str, Any] = {"orders": MemoryRows(), "stock": MemoryRows()}
        self._processors: dict[str, Any] = {"orders": OrdersProcessor(), "stock": InventoryProcessor()}
        self._to_decide: deque[Record] = deque()
        self._busy = False
        for store, levels in stock.items():
            lines = tuple(StockLine(sku=sku, quantity=units) for sku, units in levels.items())
            self._say("stock", store, STOCK, StockReceived(document="opening", lines=lines))

    def publish(
        self,
        topic: str,
        key: str | bytes,
        value: bytes | None,
        *,
        headers: Headers = (),
        on_delivery: OnDelivery | None = None,
    ) -> FakeDelivery:
        delivery = super().publish(topic, key, value, headers=headers, on_delivery=on_delivery)
        where = delivery.placed
        if topic in self._processors:
            self._to_decide.append(self.records[where.topic, where.partition][where.offset])
            self.decide()
        return delivery

    def decide(self) -> None:
        """Take what was published, in its order; what follows is taken after it."""
        if self._busy or self.orders_are_away:
            return
        self._busy = True
        while self._to_decide:
            self._handle(self._to_decide.popleft())
        self._busy = False

    def order(self, number: str) -> Order:
        row = self._rows["orders"].rows[number]
        assert isinstance(row, Order)
        return row

    def everything(self) -> bytes:
        """Every byte that stands in the log."""
        found = [part or b"" for records in self.records.values() for it in records for part in (it.key, it.value)]
        return b"\n".join(found)

    def note(self, partition: int, key: bytes, **note: int) -> None:
        """A note between writers of `order-state`."""
        self._append("order-state", partition, key, msgspec.json.encode(note))

    def _handle(self, record: Record) -> None:
        rows = self._rows[record.topic]
        try:
            outputs = self._processors[record.topic].handle(rows, record)
        except Poison as poison:
            headers = {"cause": str(poison), "topic": f"bopis.{record.topic}", "partition": str(record.partition)}
            headers["offset"] = str(record.offset)
            told = tuple((name, value.encode()) for name, value in headers.items())
            self.publish("dead-letters", record.key or b"", record.value, headers=told)
            outputs = ()
        for it in outputs:
            self.publish(it.topic, it.key, it.value)
            if it.topic == "order-events":
                self._route(ORDER_EVENTS.decode(it.value))
        if record.topic == "stock":
            self._append("inventory-levels", record.partition, b"\x00position", _position(record.offset))
        if record.topic == "orders":
            number = (record.key or b"").decode()
            if number in rows.rows:
                self._append("order-state", record.partition, number.encode(), msgspec.json.encode(rows.rows[number]))
            self.note(record.partition, b"\x00position", position=record.offset)

    def _append(self, topic: str, partition: int, key: bytes, value: bytes) -> None:
        held = self.records[topic, partition]
        held.append(Record(topic, partition, len(held), self.now_ms, key, value))

    def _route(self, event: Message) -> None:
        asked = event.data
        if not isinstance(asked, RoutingRequested):
            return
        answer = to_first_free(asked.request, self.now_ms)
        decision = Decision(
            order=event.subject,
            attempt=asked.attempt,
            decided_at_ms=self.now_ms,
            digest=f"d{asked.attempt}",
            request=asked.request,
            facts=(),
            rules=RULES,
            answer=answer,
        )
        found = answer.outcome in (RoutingOutcome.ROUTED, RoutingOutcome.OFFERED)
        kind = m.OrderRouted if found else m.RoutingFailed
        self._say("orders", event.subject, ORDERS, kind(attempt=asked.attempt, decision=decision))

    def _say(self, topic: str, subject: str, family: Any, data: Any) -> None:
        number = sum(len(it) for it in self.records.values())
        message = Message(id=f"said-{number}", source="world", time=self.now(), subject=subject, data=data)
        self.publish(topic, subject, family.encode(message))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms / 1000, UTC)


def _position(offset: int) -> bytes:
    return msgspec.json.encode({"position": offset})


def exchange(log: LiveLog) -> Exchange:
    return Exchange(ORDER_REQUESTS, log, log, "bopis.")


def counter(log: LiveLog, actor: str = "kim", patience_seconds: float = 5.0) -> OrderDesk:
    """Somebody at the counter of this log."""
    author = Author(f"desk/{actor}", actor, log.now, lambda: f"{actor}-{next(_numbers)}")
    return OrderDesk(exchange(log), author, patience_seconds)


def book_of(log: LiveLog) -> OrderBook:
    book = OrderBook(log)
    book.refresh()
    return book


def shop_catalogue() -> Catalogue:
    """Bananas with a GTIN and a substitute, a mug, and a set of two mugs and a banana."""
    found = Catalogue()
    rows: list[dict[str, Any]] = [
        {"sku": "A", "name": "Bananas", "gtins": ["04006381333931"], "substitutes": ["B"]},
        {"sku": "B", "name": "Organic bananas"},
        {"sku": "MUG", "name": "Mug", "gtins": ["00000096385074"]},
        {"sku": "SET", "name": "Set", "components": [{"sku": "MUG", "quantity": 2}, {"sku": "A", "quantity": 1}]},
    ]
    for row in rows:
        article = msgspec.convert(row, Article)
        found.apply(article.sku, article)
    return found
