"""Routing over live topics: takes their records as they come, and says what follows for the orders of this worker."""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from bopis.domain.orders.events import RoutingRequested
from bopis.domain.sourcing.rules import RuleSet
from bopis.ports import OpeningHours
from bopis.services.directory import StoreRecord
from bopis.services.routing.gathering import Gatherer
from bopis.services.routing.open_orders import OpenOrders
from bopis.services.routing.router import ORDERS_TOPIC, SHADOW_TOPIC, Partitions, Router, Said
from bopis.services.routing.tables import Tables
from bopis.wire.orders import ORDER_EVENTS

REQUESTS_TOPIC = "order-events"
LEVELS_TOPIC, STORES_TOPIC, STATE_TOPIC = "inventory-levels", "stores", "order-state"
TABLE_TOPICS = (STORES_TOPIC, LEVELS_TOPIC, STATE_TOPIC)
OUTPUT_TOPICS = (ORDERS_TOPIC, SHADOW_TOPIC)
_REQUESTED = ORDER_EVENTS.type_name(RoutingRequested).encode()


class Row(Protocol):
    """One record of a topic that is folded into a table."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class LiveRouting:
    """Tables, open orders and the router of one worker."""

    def __init__(self, hours: OpeningHours, rules: RuleSet, candidate: RuleSet | None = None) -> None:
        self._hours = hours
        self._tables = Tables()
        self._orders = OpenOrders(rules)
        self._router = Router(Gatherer(self._tables, self._orders, hours, rules), rules, candidate)
        self._mine = Partitions()
        self._suspects: set[str] = set()
        self._stores: set[str] = set()

    def own(self, partitions: Iterable[int]) -> None:
        """Speak to the orders of these partitions from now on; what they waited for is looked at again."""
        self._mine = Partitions(partitions)
        self._suspects.update(order.order for order in self._orders.waiting())
        self._stores.update(record.store_id for record in self._tables.stores())

    def take(self, topic: str, row: Row, partition: int) -> None:
        """Fold one record into its table and note whom it may concern. Raises `ValueError` for what cannot be read."""
        if row.key is None:
            return
        if topic == LEVELS_TOPIC:
            self._take_level(row.key, row.value)
        elif topic == STORES_TOPIC:
            self._take_store(row.key.decode(), row.value)
        else:
            name = self._orders.take(row.key, row.value, partition)
            order = None if name is None else self._orders.get(name)
            if order is not None:
                self._suspects.add(order.order)
                self._stores.update(line.store for line in order.live if line.store)

    def _take_store(self, name: str, value: bytes | None) -> None:
        record = None if value is None else msgspec.json.decode(value, type=StoreRecord)
        # Whoever writes to the log past the import is checked here, or one store's hours would stop all routing.
        if record is not None and (problems := self._hours.problems(record.hours)):
            raise ValueError(f"store {name}: {'; '.join(problems)}")
        self._tables.take_store(name, record)
        self._concern(name)

    def _take_level(self, key: bytes, value: bytes | None) -> None:
        told = self._tables.take_level(key, value)
        if told is None:
            return
        kind, store, sku = told
        if kind == "level":
            # Nearly every record is a level that changed, and nearly none of them is waited for.
            if waiting := self._orders.waiting_for(sku):
                self._suspects |= waiting
        elif kind == "store":
            self._concern(store)

    def _concern(self, store: str) -> None:
        self._stores.add(store)
        self._suspects.update(order.order for order in self._orders.waiting())

    def follow_up(self, now_ms: int) -> list[Said]:
        """What the records taken since the last call mean for orders of this worker."""
        suspects, self._suspects = self._suspects, set()
        stores, self._stores = self._stores, set()
        said = self._router.withdrawals(sorted(stores), self._mine, now_ms) if stores else []
        return said + (self._router.wakes(suspects, self._mine, now_ms) if suspects else [])

    def hear(self, value: bytes, now_ms: int) -> list[Said]:
        """The answer to one event of an order, when it asks for a store. Raises `WireError` for what is no event."""
        if _REQUESTED not in value:
            return []
        message = ORDER_EVENTS.decode(value)
        if not isinstance(message.data, RoutingRequested):
            return []
        return self._router.answer(message.data.request, message.cause, now_ms)
