"""The router: replies to requests, wakes waiting orders, and withdraws stores from orders.

It has no state of its own: after a restart the tables contain the waiting orders and the replies. Its memory of recent
messages only avoids repeats while the tables lag behind; orders ignore repeats.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from cachetools import FIFOCache
from msgspec import UNSET

from bopis.domain.message import Message
from bopis.domain.orders.messages import OrderRouted, RoutingFailed, StockAppeared, StoreWithdrawn
from bopis.domain.orders.state import Order
from bopis.domain.sourcing.decision import Decision, RoutingOutcome
from bopis.domain.sourcing.ladder import decide
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.stock import wanted_units
from bopis.names import ORDERS_TOPIC, ROUTING_SHADOW_TOPIC
from bopis.services.routing.fact_gathering import FactGatherer
from bopis.services.routing.open_orders import is_answered, request_of
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.orders import ORDERS
from bopis.wire.routing import SHADOW, ShadowDecided

SOURCE = "routing"
REMEMBERED_MAX = 10_000  # far more messages than the tables lag behind
SERVED = (RoutingOutcome.ROUTED, RoutingOutcome.OFFERED)


class RoutingMessage(NamedTuple):
    """A message to publish: its topic, the order as its key, and its bytes."""

    topic: str
    order: str
    value: bytes


class Router:
    """Decides with one rule set. Decisions of a candidate rule set are recorded and never acted on."""

    def __init__(self, gatherer: FactGatherer, rules: RuleSet, candidate: RuleSet | None = None) -> None:
        self._gatherer = gatherer
        self._tables = gatherer.tables
        self._orders = gatherer.orders
        self._rules = rules
        self._candidate = candidate
        self._answered: FIFOCache[tuple[str, int], bool] = FIFOCache(REMEMBERED_MAX)
        self._woken: FIFOCache[str, int] = FIFOCache(REMEMBERED_MAX)
        self._withdrawn: FIFOCache[tuple[str, str, int, bool], bool] = FIFOCache(REMEMBERED_MAX)

    def answer(self, request: Request, cause: str, now_ms: int) -> list[RoutingMessage]:
        """The reply to one request; nothing if it was answered before. `cause` is the id of the requesting event."""
        key = (request.order, request.attempt)
        row = self._orders.get(request.order)
        if key in self._answered or (row is not None and is_answered(row, request.attempt)):
            return []
        self._answered[key] = True
        return self._replies(self.decide(request, now_ms), cause, now_ms)

    def decide(self, request: Request, now_ms: int) -> Decision:
        """Decide with the chosen store alone, and with the others only if it cannot serve the request."""
        decision = decide(request, self._gatherer.chosen(request, now_ms), self._rules, now_ms)
        if decision.answer.outcome is RoutingOutcome.ROUTED:
            return decision
        count = self._rules.candidates_max
        while True:
            decision = decide(request, self._gatherer.all(request, now_ms, count), self._rules, now_ms)
            # A decision with all its facts must fit into one message: an order with very many lines gets fewer stores.
            if count <= 1 or len(ORDERS.encode_trusted(self._message(decision, "-", now_ms))) <= MESSAGE_BYTES_MAX:
                return decision
            count //= 2

    def _replies(self, decision: Decision, cause: str, now_ms: int) -> list[RoutingMessage]:
        order = decision.order
        value = ORDERS.encode_trusted(self._message(decision, cause, now_ms))
        messages = [RoutingMessage(ORDERS_TOPIC, order, value)]
        if self._candidate is not None:
            candidate = decide(decision.request, decision.facts, self._candidate, decision.decided_at_ms)
            data = ShadowDecided(attempt=decision.attempt, acted=decision.digest, decision=candidate)
            message = _message(f"shadow/{order}/{decision.attempt}/{candidate.digest}", order, data, now_ms, cause)
            messages.append(RoutingMessage(ROUTING_SHADOW_TOPIC, order, SHADOW.encode_trusted(message)))
        return messages

    def _message(self, decision: Decision, cause: str, now_ms: int) -> Message:
        kind = OrderRouted if decision.answer.outcome in SERVED else RoutingFailed
        data = kind(attempt=decision.attempt, decision=decision)
        # A decision repeated after a crash may see other facts: then it has another id, and the first reply counts.
        message_id = f"{decision.order}/{decision.attempt}/{decision.digest}"
        return _message(message_id, decision.order, data, now_ms, cause)

    def wakes(self, names: set[str] | None, assigned: "AssignedPartitions", now_ms: int) -> list[RoutingMessage]:
        """Messages to waiting orders that would be served now, the oldest first; each attempt is woken once.

        `names` limits the orders to check. Units that one order will request count as held for the next, so that one
        unit does not wake a hundred orders.
        """
        messages: list[RoutingMessage] = []
        reserved: dict[tuple[str, str], int] = {}
        for order in self._orders.waiting(names):
            if not assigned.has(self._orders.partition(order.order)) or self._woken.get(order.order) == order.attempt:
                continue
            request = request_of(order)
            facts = self._gatherer.all(request, now_ms, self._rules.candidates_max, reserved)
            answer = decide(request, facts, self._rules, now_ms).answer
            if answer.outcome not in SERVED:
                continue
            self._woken[order.order] = order.attempt
            store = (answer.assignments or answer.offers)[0].store
            for sku, units in wanted_units(request.lines).items():
                reserved[store, sku] = reserved.get((store, sku), 0) + units
            messages.append(_wake(order, store, now_ms))
        return messages

    def withdrawals(self, stores: Iterable[str], assigned: "AssignedPartitions", now_ms: int) -> list[RoutingMessage]:
        """Messages to open orders of stores that take no more pickups, or have closed for good."""
        messages: list[RoutingMessage] = []
        for store in stores:
            record = self._tables.record(store)
            closing = record is not None and record.closed
            policy = self._tables.policy(store)
            if not closing and (policy.pickup or policy.finishes_open):
                continue
            for order in self._orders.in_store(store):
                key = (store, order.order, order.attempt, closing)
                if not assigned.has(self._orders.partition(order.order)) or key in self._withdrawn:
                    continue
                self._withdrawn[key] = True
                message_id = f"withdrawn/{store}/{order.order}/{order.attempt}/{int(closing)}/{now_ms}"
                messages.append(_to_order(message_id, order, StoreWithdrawn(store=store, closing=closing), now_ms))
        return messages


class AssignedPartitions:
    """The partitions whose orders this worker serves; other workers of the group serve the others."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers = frozenset(numbers)

    def has(self, number: int) -> bool:
        return number in self._numbers


def _wake(order: Order, store: str, now_ms: int) -> RoutingMessage:
    skus = tuple(wanted_units(request_of(order).lines))
    # The time is part of the id: an order that is woken again after a restart gets another message, not a changed one.
    return _to_order(
        f"wake/{order.order}/{order.attempt}/{now_ms}", order, StockAppeared(store=store, skus=skus), now_ms
    )


def _to_order(message_id: str, order: Order, data: StockAppeared | StoreWithdrawn, now_ms: int) -> RoutingMessage:
    message = _message(message_id, order.order, data, now_ms, None)
    return RoutingMessage(ORDERS_TOPIC, order.order, ORDERS.encode_trusted(message))


def _message(message_id: str, order: str, data: object, now_ms: int, cause: str | None) -> Message:
    return Message(
        id=message_id,
        source=SOURCE,
        time=datetime.fromtimestamp(now_ms / 1000, UTC),
        subject=order,
        data=data,
        correlation=order,
        causation=UNSET if cause is None else cause,
    )
