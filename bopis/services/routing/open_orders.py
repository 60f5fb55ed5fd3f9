"""Open orders for routing: the work in each store's queue, waiting orders, and the orders that a store serves."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from bopis.domain.orders.routing import next_request
from bopis.domain.orders.state import LineState, Order
from bopis.domain.sourcing.facts import QueuedWork
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.values import MINUTE_MS

SECONDS_PER_MINUTE = 60
# States of lines that a store still has to pick.
TO_PICK = frozenset(
    {
        LineState.PLACED,
        LineState.REROUTED,
        LineState.HELD,
        LineState.PROMISED,
        LineState.ACCEPTED,
        LineState.PICKING,
        LineState.SUBSTITUTED,
    }
)
_decode = msgspec.json.Decoder(Order).decode


class PickingWork(NamedTuple):
    """The picking of one order in one store: when it is due, and how long it takes."""

    store: str
    due_ms: int
    minutes: int


class OpenOrders:
    """Rows of `order-state` by order; an order without an open line is removed."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._rows: dict[str, Order] = {}
        self._partitions: dict[str, int] = {}
        self._in_store: dict[str, set[str]] = {}
        self._waiting_for_sku: dict[str, set[str]] = {}
        self._waiting: set[str] = set()
        self._work_of_order: dict[str, list[PickingWork]] = {}
        self._minutes: dict[str, dict[int, int]] = {}
        self._work: dict[str, tuple[QueuedWork, ...]] = {}

    def take(self, key: bytes, value: bytes | None, partition: int) -> str:
        """Apply one row; returns the order's number."""
        name = key.decode()
        self._remove(name)
        order = None if value is None else _decode(value)
        live = () if order is None else order.live
        if order is None or not live:
            return name
        self._rows[name] = order
        self._partitions[name] = partition
        stores = {line.store for line in live if line.store}
        self._add_work(order, stores)
        for store in stores:
            self._in_store.setdefault(store, set()).add(name)
        for line in live:
            if line.state is LineState.WAITING:
                self._waiting.add(name)
                for part in line.parts:
                    self._waiting_for_sku.setdefault(part.sku, set()).add(name)
        return name

    def _remove(self, name: str) -> None:
        known = self._rows.pop(name, None)
        if known is None:
            return
        self._partitions.pop(name, None)
        for work in self._work_of_order.pop(name, ()):
            self._add_minutes(work.store, work.due_ms, -work.minutes)
        for line in known.lines:
            if line.store:
                self._in_store.get(line.store, set()).discard(name)
            if name in self._waiting:
                for part in line.parts:
                    self._waiting_for_sku.get(part.sku, set()).discard(name)
        self._waiting.discard(name)

    def get(self, order: str) -> Order | None:
        return self._rows.get(order)

    def all(self) -> list[Order]:
        """Every open order, in no order."""
        return list(self._rows.values())

    def partition(self, order: str) -> int:
        """The partition of the order's records, equal in every topic of orders; -1 if the order is unknown."""
        return self._partitions.get(order, -1)

    def in_store(self, store: str) -> list[Order]:
        """Open orders with an open line in a store, the oldest first."""
        return self._oldest_first(self._in_store.get(store, set()))

    def waiting_for(self, sku: str) -> set[str]:
        """Orders with a line that waits for a SKU."""
        return self._waiting_for_sku.get(sku, set())

    def awaited(self, store: str, sku: str, requesting: str) -> int:
        """Units of a SKU that earlier orders wait for in a store: they will be woken before the requesting order.

        An order that is not in the tables yet is later than all of them.
        """
        later = self._rows.get(requesting)
        return sum(
            line.quantity * part.quantity
            for order in (self._rows[it] for it in self.waiting_for(sku) if it != requesting)
            if order.store == store
            and (later is None or (order.placed_ms, order.order) < (later.placed_ms, later.order))
            for line in order.live
            if line.state is LineState.WAITING
            for part in line.parts
            if part.sku == sku
        )

    def waiting(self, names: set[str] | None = None) -> list[Order]:
        """Orders with a waiting line, the oldest first: all, or those among `names`."""
        return self._oldest_first(self._waiting if names is None else self._waiting & names)

    def work(self, store: str) -> tuple[QueuedWork, ...]:
        """The work in a store's queue, summed by the minute in which it is due."""
        known = self._work.get(store)
        if known is None:
            by_due = sorted(self._minutes.get(store, {}).items())
            known = self._work[store] = tuple(QueuedWork(due_ms=due_ms, minutes=minutes) for due_ms, minutes in by_due)
        return known

    def _add_work(self, order: Order, stores: Iterable[str]) -> None:
        """Add the order's picking to the queues of its stores.

        Queues are summed here, because every decision reads them: summing open orders with each decision would make a
        decision slower with every order before it.
        """
        works = [work for work in (self._picking_work(order, store) for store in stores) if work is not None]
        self._work_of_order[order.order] = works
        for work in works:
            self._add_minutes(work.store, work.due_ms, work.minutes)

    def _picking_work(self, order: Order, store: str) -> PickingWork | None:
        lines = sum(line.state in TO_PICK for line in order.in_store(store))
        if not lines:
            return None
        promised = order.at(store)
        due_ms = promised.ready_by_ms if promised is not None and promised.ready_by_ms else order.placed_ms
        seconds = self._rules.order_seconds + self._rules.line_seconds * lines
        # Rounded up to the minute: the queue is part of each recorded decision, and sums keep it short.
        return PickingWork(store, -(-due_ms // MINUTE_MS) * MINUTE_MS, max(1, -(-seconds // SECONDS_PER_MINUTE)))

    def _add_minutes(self, store: str, due_ms: int, minutes: int) -> None:
        queue = self._minutes.setdefault(store, {})
        queue[due_ms] = queue.get(due_ms, 0) + minutes
        if not queue[due_ms]:
            del queue[due_ms]
        self._work.pop(store, None)

    def _oldest_first(self, names: set[str]) -> list[Order]:
        return sorted((self._rows[name] for name in names), key=lambda order: (order.placed_ms, order.order))


def is_answered(order: Order, attempt: int) -> bool:
    """Whether the row of an order shows a reply to this attempt."""
    return attempt <= order.attempt and all(pending.attempt != attempt for pending in order.pending_routes)


def request_of(order: Order) -> Request:
    """The request that a waiting order will send when it is woken. Checking another request could wake it in vain."""
    return next_request(order, (line.line for line in order.live if line.state is LineState.WAITING))
