"""Pickup orders accounted for twice: by the actors of the demonstration, and by the read side. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from bopis.demo.payings import Paying
from bopis.demo.pickups import Deed, Pickup, Story
from bopis.domain.message import Message
from bopis.domain.notices.events import DeliveryChanged
from bopis.domain.notices.vocabulary import DeliveryState, Milestone
from bopis.domain.orders.events import (
    CaptureRequested,
    CommandRefused,
    NoticeDue,
    OrderCancelled,
    OrderExpired,
    OrderPromised,
    PaymentAnswered,
)
from bopis.domain.orders.vocabulary import PayBy, PaymentState
from bopis.domain.values import MINUTE_MS
from bopis.quantiles import quantile

OPEN = frozenset({DeliveryState.DUE, DeliveryState.WAITING})
P50, P95 = 0.5, 0.95
SHORT = "short"
MUST_OCCUR = ("kept", "late", "collected", "no_shows", "cancelled", "short", "early")
EVERYTHING = 1 << 62
COVERED = (PaymentState.AUTHORISED, PaymentState.PAY_IN_STORE)
TO_ACT = (PayBy.LINK, PayBy.OTHER_METHOD)


class NoticeKey(NamedTuple):
    """A notice that is due once."""

    order: str
    milestone: str
    version: int


class PickupOutcome(Struct, frozen=True):
    """An order at the end of the demonstration: its state, and the instants that matter to its customer."""

    state: str
    placed_ms: int
    ready_ms: int | None = None
    ready_by_ms: int | None = None

    @property
    def kept(self) -> bool:
        """Whether it was ready by the promised time."""
        return self.ready_ms is not None and self.ready_by_ms is not None and self.ready_ms <= self.ready_by_ms


class PickupAccount(Struct, frozen=True, kw_only=True):
    """One account of all orders: the outcome of each, the notices that were due, the number of mails sent."""

    outcomes: Mapping[str, PickupOutcome]
    notices: frozenset[NoticeKey]
    mails: int
    unsent: int = 0


class PickupFigures(Struct, frozen=True, kw_only=True):
    """The figures of the read side. ``mismatches`` counts differences from the account of the actors."""

    placed: int
    ready: int
    kept: int
    late: int
    p50_minutes: float
    p95_minutes: float
    collected: int
    no_shows: int
    cancelled: int
    short: int
    early: int
    mails: int
    unsent: int
    refused: int
    mismatches: int


class PaymentTally:
    """The customers who were asked, goods that left while they were not paid for, and the money that tills took."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.unpaid_handovers = 0
        self.paid_at_till: dict[str, int] = {}
        self._at_counter: dict[str, int] = {}
        self._covered: dict[str, int] = {}
        self._handed: dict[str, int] = {}

    def take(self, order: str, data: Any) -> None:
        """Note an event of an order."""
        if isinstance(data, NoticeDue) and data.reason in TO_ACT:
            self.asked.add(order)
        elif isinstance(data, PaymentAnswered):
            self._at_counter[order] = data.at_counter_cents
            cents = EVERYTHING if data.cents is None else data.cents
            self._covered[order] = cents if data.state in COVERED else 0
        elif isinstance(data, CaptureRequested):
            self._handed[order] = self._handed.get(order, 0) + data.amount.cents
            self.unpaid_handovers += self._handed[order] > self._covered.get(order, 0)

    def to_pay_at_till(self, order: str) -> int:
        """What the customer still has to pay in the store."""
        return self._at_counter.get(order, 0)


class Tally:
    """The account of the actors: the deeds, and the events that follow. Reads nothing that the read side wrote."""

    def __init__(self, pickups: Sequence[Pickup]) -> None:
        self.pickups = {pickup.order: pickup for pickup in pickups}
        self.done: dict[str, dict[Deed, int]] = {}
        self.promised: dict[str, int] = {}
        self.expired: set[str] = set()
        self.cancelled: set[str] = set()
        self.notices: set[NoticeKey] = set()
        self.refused: list[str] = []
        self.answered: set[NoticeKey] = set()
        self.payments = PaymentTally()
        self.short = self.reminded = 0
        self._seen: set[str] = set()

    def did(self, order: str, deed: Deed, at_ms: int) -> None:
        """Note a deed, with its instant by the doer's clock."""
        self.done.setdefault(order, {})[deed] = at_ms

    def take_order_event(self, event: Message) -> None:
        """Note an event of an order; one that is repeated after a crash counts once."""
        if event.id in self._seen:
            return
        self._seen.add(event.id)
        order, data = event.subject, event.data
        self.payments.take(order, data)
        if isinstance(data, OrderPromised):
            self.promised.setdefault(order, data.ready_by_ms)
        elif isinstance(data, OrderExpired):
            self.expired.add(order)
        elif isinstance(data, OrderCancelled):
            if data.reason.value == SHORT:
                self.short += 1
            else:
                self.cancelled.add(order)
        elif isinstance(data, CommandRefused):
            self.refused.append(f"{order}: {data.command} was refused ({data.reason.value})")
        elif isinstance(data, NoticeDue):
            self.notices.add(NoticeKey(order, data.milestone.value, data.version))
            self.reminded += data.milestone is Milestone.REMINDER

    def take_notice_event(self, event: Message) -> None:
        """Note an event of the notices of an order."""
        data = event.data
        if isinstance(data, DeliveryChanged) and data.state not in OPEN:
            self.answered.add(NoticeKey(event.subject, data.delivery.milestone.value, data.delivery.version))

    @property
    def all_notices_answered(self) -> bool:
        """Whether every notice that was due has been sent or withdrawn."""
        return self.notices <= self.answered

    def has(self, expired: set[str], reminders: int) -> bool:
        """Whether these orders have expired and at least this number of reminders was due."""
        return expired <= self.expired and self.reminded >= reminders

    @property
    def handed_over(self) -> int:
        """The number of orders that customers collected."""
        return sum(Deed.HAND_OVER in deeds for deeds in self.done.values())

    @property
    def ready(self) -> int:
        """The number of orders that were ready at some time."""
        return sum(Deed.STAGE in deeds for deeds in self.done.values())

    def account(self, mails: int) -> PickupAccount:
        """The account of the actors, with the number of mails in the outbox."""
        outcomes = {order: self._outcome(order, done) for order, done in self.done.items()}
        return PickupAccount(outcomes=outcomes, notices=frozenset(self.notices), mails=mails)

    def _outcome(self, order: str, done: Mapping[Deed, int]) -> PickupOutcome:
        state = "ready" if Deed.STAGE in done else "promised"
        if Deed.HAND_OVER in done:
            state = "handed_over"
        elif Deed.CANCEL in done or self._is_unpaid(order):
            state = "cancelled"
        elif order in self.expired:
            state = "expired"
        return PickupOutcome(state, done[Deed.PLACE], done.get(Deed.STAGE), self.promised.get(order))

    def uncollected(self) -> set[str]:
        """Orders that were placed and paid for, and neither collected nor cancelled."""
        ends = {Deed.HAND_OVER, Deed.CANCEL}
        return {order for order, done in self.done.items() if not done.keys() & ends and not self._is_unpaid(order)}

    def _is_unpaid(self, order: str) -> bool:
        return self.pickups[order].paying is Paying.GIVES_UP


def compared(tally: Tally, actors: PickupAccount, read: PickupAccount) -> PickupFigures:
    """The figures of the read side, with the number of differences from the account of the actors."""
    orders = actors.outcomes.keys() | read.outcomes.keys()
    wrong = sum(actors.outcomes.get(order) != read.outcomes.get(order) for order in orders)
    wrong += len(actors.notices ^ read.notices) + abs(actors.mails - read.mails)
    states = [outcome.state for outcome in read.outcomes.values()]
    ready = [outcome for outcome in read.outcomes.values() if outcome.ready_ms is not None]
    took = [(outcome.ready_ms or 0) - outcome.placed_ms for outcome in ready]
    kept = sum(outcome.kept for outcome in ready)
    return PickupFigures(
        placed=len(read.outcomes),
        ready=len(ready),
        kept=kept,
        late=len(ready) - kept,
        p50_minutes=_minutes(took, P50),
        p95_minutes=_minutes(took, P95),
        collected=states.count("handed_over"),
        no_shows=states.count("expired"),
        cancelled=states.count("cancelled"),
        short=tally.short,
        early=sum(pickup.story is Story.EARLY for pickup in tally.pickups.values()),
        mails=read.mails,
        unsent=read.unsent,
        refused=len(tally.refused),
        mismatches=wrong,
    )


def failed_pickup_checks(found: PickupFigures, planned: int) -> tuple[str, ...]:
    """A sentence for each figure of the pickup orders that is not as it must be."""
    must_be_zero = {
        "pickup figures differ from what was done": found.mismatches,
        "pickup orders were not placed": planned - found.placed,
        "commands about pickup orders were refused": found.refused,
        "mails were neither sent nor withdrawn": found.unsent,
        "pickup orders have no end": found.placed - found.collected - found.no_shows - found.cancelled,
    }
    failed = [f"{count} {words}" for words, count in must_be_zero.items() if count]
    failed += [f"of pickup orders, none was counted as {name}" for name in MUST_OCCUR if not getattr(found, name)]
    return tuple(failed)


def _minutes(values_ms: Sequence[int], share: float) -> float:
    return round((quantile(values_ms, share) or 0) / MINUTE_MS, 1)
