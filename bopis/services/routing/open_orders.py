"""The open orders as routing sees them: work in each store's queue, orders that wait, orders that a store serves."""

from collections.abc import Iterable

import msgspec

from bopis.domain.orders.routes import next_request
from bopis.domain.orders.state import LineState, Order
from bopis.domain.sourcing.facts import Queue
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.values import MINUTE_MS

SECONDS_PER_MINUTE = 60
# States in which a store still has the picking of a line before it.
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
Piece = tuple[str, int, int]  # a store, when an order's picking there is due, and its minutes
_decode = msgspec.json.Decoder(Order).decode


class OpenOrders:
    """Rows of ``order-state`` by order; an order without a live line is forgotten."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._rows: dict[str, Order] = {}
        self._partitions: dict[str, int] = {}
        self._in_store: dict[str, set[str]] = {}
        self._waiting: dict[str, set[str]] = {}
        self._who_waits: set[str] = set()
        self._pieces: dict[str, list[Piece]] = {}
        self._minutes: dict[str, dict[int, int]] = {}
        self._work: dict[str, tuple[Queue, ...]] = {}

    def take(self, key: bytes, value: bytes | None, partition: int) -> str | None:
        """Take one record; the order's number, None when it is a note between writers."""
        if not key or key[0] == 0:
            return None
        name = key.decode()
        self._forget(name)
        order = None if value is None else _decode(value)
        live = () if order is None else order.live
        if order is None or not live:
            return name
        self._rows[name] = order
        self._partitions[name] = partition
        stores = {line.store for line in live if line.store}
        self._queue(order, stores)
        for store in stores:
            self._in_store.setdefault(store, set()).add(name)
        for line in live:
            if line.state is LineState.WAITING:
                self._who_waits.add(name)
                for part in line.parts:
                    self._waiting.setdefault(part.sku, set()).add(name)
        return name

    def _forget(self, name: str) -> None:
        known = self._rows.pop(name, None)
        if known is None:
            return
        self._partitions.pop(name, None)
        for store, due_ms, minutes in self._pieces.pop(name, ()):
            self._add(store, due_ms, -minutes)
        for line in known.lines:
            if line.store:
                self._in_store.get(line.store, set()).discard(name)
            if name in self._who_waits:
                for part in line.parts:
                    self._waiting.get(part.sku, set()).discard(name)
        self._who_waits.discard(name)

    def get(self, order: str) -> Order | None:
        return self._rows.get(order)

    def partition(self, order: str) -> int:
        """The partition that the order's records stand in; the same number in every topic of orders."""
        return self._partitions.get(order, -1)

    def in_store(self, store: str) -> list[Order]:
        """Open orders with a live line there, the oldest first."""
        return self._oldest_first(self._in_store.get(store, set()))

    def waiting_for(self, sku: str) -> set[str]:
        """Orders with a line that waits for a SKU."""
        return self._waiting.get(sku, set())

    def awaited(self, store: str, sku: str, asking: str) -> int:
        """Units that orders which came before the one that asks wait for in the store that they chose; they are woken
        in this order, too. An order that is not known yet came after all of them."""
        asker = self._rows.get(asking)
        return sum(
            line.quantity * part.quantity
            for order in (self._rows[it] for it in self.waiting_for(sku) if it != asking)
            if order.store == store
            and (asker is None or (order.placed_ms, order.order) < (asker.placed_ms, asker.order))
            for line in order.live
            if line.state is LineState.WAITING
            for part in line.parts
            if part.sku == sku
        )

    def waiting(self, names: set[str] | None = None) -> list[Order]:
        """Orders with a line that waits, the oldest first; all, or those of the named that do."""
        return self._oldest_first(self._who_waits if names is None else self._who_waits & names)

    def work(self, store: str) -> tuple[Queue, ...]:
        """What stands in the store's queue, by the minute in which it is due."""
        known = self._work.get(store)
        if known is None:
            minutes = sorted(self._minutes.get(store, {}).items())
            known = self._work[store] = tuple(Queue(due_ms=due_ms, minutes=sum_) for due_ms, sum_ in minutes)
        return known

    def _queue(self, order: Order, stores: Iterable[str]) -> None:
        """Put the order's picking into the queues of its stores. Summed here, because a queue is asked for with every
        decision: looking at each open order of a store would make decisions slower with every order before them."""
        pieces = [it for it in (self._piece(order, store) for store in stores) if it is not None]
        self._pieces[order.order] = pieces
        for store, due_ms, minutes in pieces:
            self._add(store, due_ms, minutes)

    def _piece(self, order: Order, store: str) -> Piece | None:
        lines = sum(it.state in TO_PICK for it in order.in_store(store))
        if not lines:
            return None
        told = order.at(store)
        due_ms = told.ready_by_ms if told is not None and told.ready_by_ms else order.placed_ms
        seconds = self._rules.order_seconds + self._rules.line_seconds * lines
        # Within the minute, so that a queue of very many orders is still told in few words.
        return store, -(-due_ms // MINUTE_MS) * MINUTE_MS, max(1, -(-seconds // SECONDS_PER_MINUTE))

    def _add(self, store: str, due_ms: int, minutes: int) -> None:
        queue = self._minutes.setdefault(store, {})
        queue[due_ms] = queue.get(due_ms, 0) + minutes
        if not queue[due_ms]:
            del queue[due_ms]
        self._work.pop(store, None)

    def _oldest_first(self, names: set[str]) -> list[Order]:
        return sorted((self._rows[it] for it in names), key=lambda it: (it.placed_ms, it.order))


def answered(order: Order, attempt: int) -> bool:
    """Whether an attempt of the order has had its answer, as far as its row tells."""
    return attempt <= order.attempt and all(it.attempt != attempt for it in order.asked)


def request_of(order: Order) -> Request:
    """What a waiting order will ask for when it is woken: just that, or it would be woken in vain, over and over."""
    return next_request(order, (it.line for it in order.live if it.state is LineState.WAITING))
