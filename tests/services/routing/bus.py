"""The real processors of stock and orders and the real router over a log in memory, until no message is left."""

from collections import deque
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from bopis.adapters.opening_hours import OsmHours
from bopis.domain.inventory.messages import StockLine, StockReceived
from bopis.domain.message import Message
from bopis.domain.orders.lines import WantedLine
from bopis.domain.orders.messages import OrderRouted, PlaceOrder, RoutingFailed
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.vocabulary import Allows, CustomerRef
from bopis.domain.sourcing.decision import Decision
from bopis.domain.sourcing.rules import RuleSet
from bopis.services.routing.live import LiveRouting
from bopis.services.store_directory import StoreRecord
from bopis.wire.orders import ORDERS
from bopis.wire.stock import STOCK
from streams.engine.rows import PartitionRows
from streams.processors.inventory import InventoryProcessor
from streams.processors.orders import OrdersProcessor

NOON_MS = 1_800_014_400_000  # 2027-01-15 12:00 UTC, a Friday
HOURS = OsmHours()


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Bus:
    """One partition of every topic. `log` contains the messages of each topic."""

    def __init__(self, rules: RuleSet = RuleSet(), candidate: RuleSet | None = None) -> None:
        self.now_ms = NOON_MS
        self.log: dict[str, list[bytes]] = {}
        self._queue: deque[tuple[str, bytes, bytes]] = deque()
        self._said = 0
        self.levels: dict[bytes, bytes | None] = {}
        self.states: dict[bytes, bytes | None] = {}
        self.stores: dict[bytes, bytes | None] = {}
        self._inventory, self._orders = InventoryProcessor(), OrdersProcessor()
        self._books = PartitionRows(self._inventory.decode, self._inventory.encode)
        self._sagas = PartitionRows(self._orders.decode, self._orders.encode)
        self._rules = (rules, candidate)
        self.start_routing()

    def start_routing(self) -> None:
        """Start a routing worker from the compacted topics alone."""
        self.routing = LiveRouting(HOURS, *self._rules)
        for topic, table in (("stores", self.stores), ("inventory-levels", self.levels), ("order-state", self.states)):
            for key, value in table.items():
                self.routing.take(topic, Record(0, self.now_ms, key, value), 0)
        self.routing.assign([0])
        self._publish_all(self.routing.follow_up(self.now_ms))

    def start_routing_without_orders(self) -> None:
        """Start a routing worker whose table of orders is still empty."""
        self.states.clear()
        self.start_routing()

    def tell_states(self, states: dict[bytes, bytes | None]) -> None:
        """Rows of orders that reach routing only now."""
        for key, value in states.items():
            self._table("order-state", self.states, key, value)
        self.follow_up()

    def follow_up(self) -> None:
        """Publish the messages that follow from applied records, and run."""
        self._publish_all(self.routing.follow_up(self.now_ms))
        self.run()

    def open_store(self, store: str, **facts: Any) -> None:
        record = StoreRecord(store_id=store, name=store, **facts)
        self._table("stores", self.stores, store.encode(), msgspec.json.encode(record))
        self.follow_up()

    def receive(self, store: str, sku: str, units: int) -> None:
        lines = (StockLine(sku=sku, quantity=units),)
        self.tell_stock(store, StockReceived(document="d", lines=lines))

    def tell_stock(self, store: str, data: Any) -> None:
        self.publish("stock", store, STOCK.encode(self._message(store, data)))
        self.run()

    def place(self, order: str, store: str, lines: dict[str, int], **allowed: Any) -> None:
        wanted = tuple(
            WantedLine(line=number, sku=sku, quantity=units) for number, (sku, units) in enumerate(lines.items(), 1)
        )
        self.tell_order(
            order,
            PlaceOrder(
                key=f"key-{order}",
                request="r",
                customer=CustomerRef(id="c"),
                store=store,
                lines=wanted,
                allows=Allows(**allowed),
                code_hash="c",
                token_hash="t",
            ),
        )

    def tell_order(self, order: str, data: Any) -> None:
        self.publish("orders", order, ORDERS.encode(self._message(order, data)))
        self.run()

    def publish(self, topic: str, key: str | bytes, value: bytes) -> None:
        self.log.setdefault(topic, []).append(value)
        self._queue.append((topic, key.encode() if isinstance(key, str) else key, value))

    def run(self) -> None:
        """Deliver every message until none is left."""
        while self._queue:
            topic, key, value = self._queue.popleft()
            self.now_ms += 1
            record = Record(0, self.now_ms, key, value)
            if topic == "stock":
                self._step(self._inventory, self._books, record, "inventory-levels")
            elif topic == "orders":
                self._step(self._orders, self._sagas, record, "order-state")
            elif topic == "order-events":
                self._publish_all(self.routing.answer(value, self.now_ms))
            self._publish_all(self.routing.follow_up(self.now_ms))

    def order(self, order: str) -> Order:
        row = self._sagas.get(order)
        assert isinstance(row, Order)
        return row

    def lines(self, order: str) -> dict[str, LineState]:
        """State of each line by the store that it is in."""
        return {it.store: it.state for it in self.order(order).lines}

    def decisions(self) -> list[Decision]:
        """Every decision that was sent to an order."""
        told = (ORDERS.decode(value).data for value in self.log.get("orders", ()))
        return [it.decision for it in told if isinstance(it, OrderRouted | RoutingFailed)]

    def told(self, kind: type) -> list[Any]:
        """Every message of one kind to orders."""
        return [
            it for it in (ORDERS.decode(value).data for value in self.log.get("orders", ())) if isinstance(it, kind)
        ]

    def _step(self, processor: Any, rows: PartitionRows, record: Record, changelog: str) -> None:
        outputs = processor.handle(rows, record)
        table = self.levels if changelog == "inventory-levels" else self.states
        for key, value in rows.changes():
            self._table(changelog, table, key, value)
        for it in outputs:
            self.publish(it.topic, it.key, it.value)

    def _table(self, topic: str, table: dict[bytes, bytes | None], key: bytes, value: bytes | None) -> None:
        table[key] = value
        self.routing.take(topic, Record(0, self.now_ms, key, value), 0)

    def _publish_all(self, said: Any) -> None:
        for topic, key, value in said:
            self.publish(topic, key, value)

    def _message(self, subject: str, data: Any) -> Message:
        self._said += 1
        at = datetime.fromtimestamp(self.now_ms / 1000, UTC)
        return Message(id=f"m{self._said}", source="test", time=at, subject=subject, data=data)
