"""Routing over live topics: applies their records and returns the messages that orders of this worker need."""

from collections.abc import Iterable

from bopis.domain.inventory.rows import ARTICLE_PREFIX
from bopis.domain.orders.events import RoutingRequested
from bopis.domain.sourcing.decision import Decision
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.names import LEVELS_TOPIC, ORDER_STATE_TOPIC, ORDERS_TOPIC, ROUTING_SHADOW_TOPIC, STORES_TOPIC
from bopis.ports import OpeningHours, TopicPartition
from bopis.services.routing.fact_gathering import FactGatherer
from bopis.services.routing.open_orders import OpenOrders
from bopis.services.routing.router import AssignedPartitions, Router, RoutingMessage
from bopis.services.routing.tables import RoutingTables
from bopis.services.store_directory import decode_store
from bopis.wire.changelog import ChangelogReader, ChangelogRecord, placed_decoder
from bopis.wire.orders import ORDER_EVENTS
from bopis.wire.placement import Placement

TABLE_TOPICS = (STORES_TOPIC, LEVELS_TOPIC, ORDER_STATE_TOPIC)
OUTPUT_TOPICS = (ORDERS_TOPIC, ROUTING_SHADOW_TOPIC)
ARTICLES = ARTICLE_PREFIX.encode()
_REQUESTED = ORDER_EVENTS.type_name(RoutingRequested).encode()


class LiveRouting:
    """Tables, open orders and the router of one worker.

    `partitions` is the number of partitions of the keyed topics; 0 accepts rows of a store in any of them. Changes of
    the tables are collected as orders and stores to check, and `follow_up` checks them.
    """

    def __init__(
        self, hours: OpeningHours, rules: RuleSet, candidate: RuleSet | None = None, partitions: int = 0
    ) -> None:
        self._hours = hours
        self._partitions = partitions
        self.tables = RoutingTables()
        self.orders = OpenOrders(rules)
        self._router = Router(FactGatherer(self.tables, self.orders, hours, rules), rules, candidate)
        self._assigned = AssignedPartitions()
        self._changelogs: dict[TopicPartition, ChangelogReader] = {}
        self._orders_to_check: set[str] = set()
        self._stores_to_check: set[str] = set()

    def assign(self, partitions: Iterable[int]) -> None:
        """Serve the orders of these partitions from now on, and check all waiting orders and stores."""
        self._assigned = AssignedPartitions(partitions)
        self._orders_to_check.update(order.order for order in self.orders.waiting())
        self._stores_to_check.update(record.store_id for record in self.tables.stores())

    def take(self, topic: str, row: ChangelogRecord, partition: int) -> None:
        """Apply one record to its table. Raises `ValueError` for an invalid record."""
        if not row.key:
            return
        if topic == STORES_TOPIC:
            self._take_store(row.key.decode(), row.value)
        elif not self._is_row(topic, row, partition):
            return
        elif topic == LEVELS_TOPIC:
            # The inventory's memory of articles is in every partition, and routing has no use for it.
            if not row.key.startswith(ARTICLES):
                self._take_level(row.key, row.value)
        else:
            order = self.orders.get(self.orders.take(row.key, row.value, partition))
            if order is not None:
                self._orders_to_check.add(order.order)
                self._stores_to_check.update(line.store for line in order.live if line.store)

    def _is_row(self, topic: str, row: ChangelogRecord, partition: int) -> bool:
        reader = self._changelogs.get((topic, partition))
        if reader is None:
            decode = placed_decoder(topic, Placement(partition, self._partitions))
            reader = self._changelogs[topic, partition] = ChangelogReader(decode=decode)
        skipped = reader.skipped_records
        if reader.is_row(row):
            return True
        if reader.skipped_records != skipped:
            raise ValueError(reader.skipped[-1].cause)
        return False

    def _take_store(self, name: str, value: bytes | None) -> None:
        record = None if value is None else decode_store(name, value)
        # The import checks hours, but other programs can write to the topic, and invalid hours would stop all routing.
        if record is not None and (problems := self._hours.faults(record.hours)):
            raise ValueError(f"store {name}: {'; '.join(problems)}")
        self.tables.take_store(name, record)
        self._check_store(name)

    def _take_level(self, key: bytes, value: bytes | None) -> None:
        kind, store, sku = self.tables.take_level(key, value)
        if kind == "level":
            # Nearly every record is a changed level, and for nearly none of them an order waits.
            if waiting := self.orders.waiting_for(sku):
                self._orders_to_check |= waiting
        elif kind == "store":
            self._check_store(store)

    def _check_store(self, store: str) -> None:
        self._stores_to_check.add(store)
        self._orders_to_check.update(order.order for order in self.orders.waiting())

    def follow_up(self, now_ms: int) -> list[RoutingMessage]:
        """The messages that follow from the records since the last call, for orders of this worker."""
        orders, self._orders_to_check = self._orders_to_check, set()
        stores, self._stores_to_check = self._stores_to_check, set()
        withdrawals = self._router.withdrawals(sorted(stores), self._assigned, now_ms) if stores else []
        return withdrawals + (self._router.wakes(orders, self._assigned, now_ms) if orders else [])

    def decide(self, request: Request, now_ms: int) -> Decision:
        """How a request would be routed now; nothing is reserved."""
        return self._router.decide(request, now_ms)

    def answer(self, value: bytes, now_ms: int) -> list[RoutingMessage]:
        """The reply to one event of an order, if it requests routing. Raises `WireError` for an invalid event."""
        # Most events request nothing and need not be decoded.
        if _REQUESTED not in value:
            return []
        message = ORDER_EVENTS.decode(value)
        if not isinstance(message.data, RoutingRequested):
            return []
        return self._router.answer(message.data.request, message.cause, now_ms)
