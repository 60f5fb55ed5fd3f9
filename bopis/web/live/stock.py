"""Availability from memory: the tables of routing, followed from the log."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple

import structlog

from bopis.domain.inventory.rows import Terms, split_key
from bopis.domain.sourcing.decision import Decision
from bopis.domain.sourcing.request import Request
from bopis.names import CATALOGUE_TOPIC, LEVELS_TOPIC, ORDER_STATE_TOPIC, STORES_TOPIC
from bopis.ports import Record
from bopis.services.catalogue import Catalogue
from bopis.services.routing.live import LiveRouting
from bopis.web.live.hub import Hub
from bopis.wire.catalogue import decode as decode_article

TOPICS = (STORES_TOPIC, CATALOGUE_TOPIC, LEVELS_TOPIC, ORDER_STATE_TOPIC)
log = structlog.get_logger("bopis.web.stock")


class ChangeRate:
    """How many levels changed over the last minute, by the log's clock."""

    SECONDS = 60

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts: dict[int, int] = {}

    def take(self, records: Sequence[Record]) -> None:
        """Count the changed levels among records of the log; what is older than a minute is left out."""
        oldest = int(self._clock()) - self.SECONDS
        for record in records:
            # Rows of other kinds begin with @, and positions of commits with a zero byte.
            if record.topic == LEVELS_TOPIC and record.key and record.key[:1] not in (b"@", b"\0"):
                second = record.timestamp_ms // 1000
                if second >= oldest:
                    self._counts[second] = self._counts.get(second, 0) + 1
        if len(self._counts) > 2 * self.SECONDS:
            self._counts = {at: count for at, count in self._counts.items() if at >= oldest}

    def per_second(self) -> float:
        """The mean of the last minute; the second that is not over is left out."""
        now = int(self._clock())
        return sum(count for at, count in self._counts.items() if now - self.SECONDS <= at < now) / self.SECONDS


class Available(NamedTuple):
    """What a store can promise of a SKU: the terms, and when a device of the store reported last (None: never)."""

    terms: Terms
    heard_ms: int | None
    is_pickup: bool


class StoreLabels(NamedTuple):
    """The time zone and the name of every store, as of one change of the stores."""

    revision: int
    zones: Mapping[str, tzinfo]
    names: Mapping[str, str]


class LiveStock:
    """Levels, policies, stores, open orders and articles as the log has them. Use it on the event loop only, where
    nothing else is said."""

    def __init__(self, routing: LiveRouting, hub: Hub) -> None:
        self.routing = routing
        self.catalogue = Catalogue()
        self.unreadable = 0
        self.changes = ChangeRate()
        self._hub = hub
        self._stores_revision = 0
        self._labels: StoreLabels | None = None

    def store_labels(self) -> StoreLabels:
        """Zones and names of all stores, made once per change of the stores. Threads may ask, too."""
        revision, kept = self._stores_revision, self._labels
        if kept is None or kept.revision != revision:
            stores = self.routing.tables.stores()
            zones = {it.store_id: it.zone for it in stores}
            kept = self._labels = StoreLabels(revision, zones, {it.store_id: it.name for it in stores})
        return kept

    def take(self, records: Sequence[Record]) -> None:
        """Apply records of the followed topics. One that cannot be read is skipped, counted and logged."""
        for record in records:
            try:
                self._take(record)
            except ValueError as error:
                self.unreadable += 1
                log.warning("record_unreadable", topic=record.topic, offset=record.offset, cause=str(error))
        self.changes.take(records)

    def _take(self, record: Record) -> None:
        key = record.key or b""
        if record.topic == CATALOGUE_TOPIC:
            sku = key.decode()
            self.catalogue.apply(sku, None if record.value is None else decode_article(record.value))
            return
        name = key.decode() if key and key[0] else ""
        before = self._stores_of(name) if record.topic == ORDER_STATE_TOPIC else frozenset()
        self.routing.take(record.topic, record, record.partition)
        if record.topic == STORES_TOPIC:
            self._stores_revision += 1
        if name:
            self._announce(record.topic, name, before)

    def _announce(self, topic: str, key: str, before: frozenset[str]) -> None:
        """Announce a change; `before` are the stores that had work of an order until then."""
        if topic == LEVELS_TOPIC:
            kind, store, rest = split_key(key)
            if kind == "level":
                self._hub.level_changed(store, rest)
        elif topic == ORDER_STATE_TOPIC:
            self._hub.order_changed(key, before | self._stores_of(key))

    def _stores_of(self, number: str) -> frozenset[str]:
        """The stores of an open order's lines and tasks."""
        order = self.routing.orders.get(number)
        if order is None:
            return frozenset()
        return frozenset({it.store for it in order.lines if it.store} | {it.store for it in order.tasks})

    def available(self, store: str, sku: str, now_ms: int) -> Available:
        """What a store can promise of a SKU now."""
        tables = self.routing.tables
        policy = tables.policy(store)
        terms = tables.terms(store, sku, policy, now_ms)
        return Available(terms, tables.heard(store, policy), policy.pickup)

    def stores_with(self, skus: Iterable[str]) -> set[str]:
        """Stores that ever had one of the SKUs in their books."""
        return {store for sku in skus for store in self.routing.tables.carriers(sku)}

    def decide(self, request: Request, now_ms: int) -> Decision:
        """How a basket would be routed now; nothing is reserved."""
        return self.routing.decide(request, now_ms)
