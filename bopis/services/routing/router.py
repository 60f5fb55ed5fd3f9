"""The router: an answer to each request, a word to orders that wait and to those whose store is withdrawn.

It keeps nothing that the log does not tell: after a restart the live tables say again who waits and who was told.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import UNSET

from bopis.domain.message import Message
from bopis.domain.orders.messages import OrderRouted, RoutingFailed, StockAppeared, StoreWithdrawn
from bopis.domain.orders.state import Order
from bopis.domain.sourcing.decision import Decision, Outcome
from bopis.domain.sourcing.ladder import decide
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.stock import wanted_units
from bopis.services.routing.gathering import Gatherer
from bopis.services.routing.open_orders import answered, request_of
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.orders import ORDERS
from bopis.wire.routing import SHADOW, ShadowDecided

SOURCE = "routing"
ORDERS_TOPIC = "orders"
SHADOW_TOPIC = "routing-shadow"
REMEMBERED_MAX = 10_000
TAKES = (Outcome.ROUTED, Outcome.OFFERED)

Remembered = TypeVar("Remembered")
Said = tuple[str, str, bytes]  # topic, order, message


class Router:
    """Decides with one rule set; a candidate rule set decides beside it and is only written down."""

    def __init__(self, gatherer: Gatherer, rules: RuleSet, candidate: RuleSet | None = None) -> None:
        self._gatherer = gatherer
        self._tables = gatherer.tables
        self._orders = gatherer.orders
        self._rules = rules
        self._candidate = candidate
        self._answered: dict[tuple[str, int], int] = {}
        self._woken: dict[str, int] = {}
        self._withdrawn: dict[tuple[str, str, int, bool], int] = {}

    def answer(self, request: Request, cause: str, now_ms: int) -> list[Said]:
        """The answer to one request; nothing when it was answered before."""
        key = (request.order, request.attempt)
        row = self._orders.get(request.order)
        if key in self._answered or (row is not None and answered(row, request.attempt)):
            return []
        _remember(self._answered, key)
        return self._said(self._decide(request, now_ms), cause, now_ms)

    def _decide(self, request: Request, now_ms: int) -> Decision:
        """Look at the chosen store first; only when it cannot serve as asked are the others looked at."""
        decision = decide(request, self._gatherer.chosen(request, now_ms), self._rules, now_ms)
        if decision.answer.outcome is Outcome.ROUTED:
            return decision
        count = self._rules.candidates_max
        while True:
            decision = decide(request, self._gatherer.all(request, now_ms, count), self._rules, now_ms)
            # An order of very many lines is told fewer stores, so that its decision still is one message.
            if count <= 1 or len(ORDERS.encode_trusted(self._message(decision, "-", now_ms))) <= MESSAGE_BYTES_MAX:
                return decision
            count //= 2

    def _said(self, decision: Decision, cause: str, now_ms: int) -> list[Said]:
        order = decision.order
        said = [(ORDERS_TOPIC, order, ORDERS.encode_trusted(self._message(decision, cause, now_ms)))]
        if self._candidate is not None:
            beside = decide(decision.request, decision.facts, self._candidate, decision.decided_at_ms)
            data = ShadowDecided(attempt=decision.attempt, acted=decision.digest, decision=beside)
            message = _message(f"shadow/{order}/{decision.attempt}/{beside.digest}", order, data, now_ms, cause)
            said.append((SHADOW_TOPIC, order, SHADOW.encode_trusted(message)))
        return said

    def _message(self, decision: Decision, cause: str, now_ms: int) -> Message:
        kind = OrderRouted if decision.answer.outcome in TAKES else RoutingFailed
        data = kind(attempt=decision.attempt, decision=decision)
        # Decided again after a crash, facts may differ: then it is another message, and the first one counts.
        name = f"{decision.order}/{decision.attempt}/{decision.digest}"
        return _message(name, decision.order, data, now_ms, cause)

    def wakes(self, names: set[str] | None, mine: "Partitions", now_ms: int) -> list[Said]:
        """Orders that would be served if they asked now, the oldest first; each attempt is woken once.

        What one of them will take is counted against the next, so that one unit does not wake a hundred.
        """
        said: list[Said] = []
        spoken: dict[tuple[str, str], int] = {}
        for order in self._orders.waiting(names):
            if not mine.has(self._orders.partition(order.order)) or self._woken.get(order.order) == order.attempt:
                continue
            request = request_of(order)
            facts = self._gatherer.all(request, now_ms, self._rules.candidates_max, spoken)
            answer = decide(request, facts, self._rules, now_ms).answer
            if answer.outcome not in TAKES:
                continue
            _remember(self._woken, order.order, order.attempt)
            taker = (answer.assignments or answer.offers)[0].store
            for sku, units in wanted_units(request.lines).items():
                spoken[taker, sku] = spoken.get((taker, sku), 0) + units
            said.append(_woken(order, taker, now_ms))
        return said

    def withdrawals(self, stores: Iterable[str], mine: "Partitions", now_ms: int) -> list[Said]:
        """What open orders must hear about these stores: that they take no more pickups, or close for good."""
        said: list[Said] = []
        for store in stores:
            record = self._tables.record(store)
            closing = record is not None and record.closed
            if not closing and self._tables.policy(store).pickup:
                continue
            for order in self._orders.in_store(store):
                key = (store, order.order, order.attempt, closing)
                if not mine.has(self._orders.partition(order.order)) or key in self._withdrawn:
                    continue
                _remember(self._withdrawn, key)
                name = f"withdrawn/{store}/{order.order}/{order.attempt}/{int(closing)}/{now_ms}"
                data = StoreWithdrawn(store=store, closing=closing)
                said.append((ORDERS_TOPIC, order.order, _encoded(name, order.order, data, now_ms)))
        return said


class Partitions:
    """Which orders are this worker's to speak to; another worker of the group has the others."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers = frozenset(numbers)

    def has(self, number: int) -> bool:
        return number in self._numbers


def _woken(order: Order, taker: str, now_ms: int) -> Said:
    skus = tuple(wanted_units(request_of(order).lines))
    # The moment is in the name: woken once more after a restart is another message, not the same one changed.
    name = f"wake/{order.order}/{order.attempt}/{now_ms}"
    return ORDERS_TOPIC, order.order, _encoded(name, order.order, StockAppeared(store=taker, skus=skus), now_ms)


def _encoded(name: str, order: str, data: StockAppeared | StoreWithdrawn, now_ms: int) -> bytes:
    return ORDERS.encode_trusted(_message(name, order, data, now_ms, None))


def _message(name: str, order: str, data: object, now_ms: int, cause: str | None) -> Message:
    return Message(
        id=name,
        source=SOURCE,
        time=datetime.fromtimestamp(now_ms / 1000, UTC),
        subject=order,
        data=data,
        correlation=order,
        causation=UNSET if cause is None else cause,
    )


def _remember(memory: dict[Remembered, int], key: Remembered, value: int = 0) -> None:
    """Remember a key, and forget the oldest ones beyond the limit."""
    memory[key] = value
    while len(memory) > REMEMBERED_MAX:
        del memory[next(iter(memory))]
