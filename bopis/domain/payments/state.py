"""State of an order's payment: attempts with their steps, and the payment whose state is derived from them.

Sums are minor units of the payment's currency. An attempt is one authorisation; its steps are captures, voids, refunds
and adjustments. The algebra is that of two-phase transfers (https://docs.tigerbeetle.com/coding/two-phase-transfers/):
an authorisation is pending, captures post parts of it, a void releases the rest, a refund is a new transfer back.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from bopis.domain.payments.gateway import (
    AttemptReason,
    CallInitiator,
    DeclineClass,
    GatewayCall,
    Operation,
    PaymentMethod,
)
from bopis.domain.payments.policy import PaymentPolicy


class AttemptState(StrEnum):
    """State of an authorisation.

    ``WAITING``: nothing was sent; it is requested again. ``UNKNOWN``: it may have happened. ``CLOSED``: nothing came of
    it. ``NOT_CALLED``: it never reached the gateway. ``VOIDED``: released. ``ENDED``: over by the provider's clock.
    ``LOST``: its capture was refused.
    """

    REQUESTED = "requested"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    ACTION_REQUIRED = "action_required"
    APPROVED = "approved"
    DECLINED = "declined"
    CLOSED = "closed"
    NOT_CALLED = "not_called"
    VOIDED = "voided"
    ENDED = "ended"
    LOST = "lost"


# States in which no answer is final yet.
UNANSWERED = frozenset(
    {AttemptState.REQUESTED, AttemptState.WAITING, AttemptState.UNKNOWN, AttemptState.ACTION_REQUIRED}
)
# Ends without an authorisation, which only the provider's own word can change.
FRUITLESS = frozenset({AttemptState.DECLINED, AttemptState.CLOSED, AttemptState.NOT_CALLED})


class StepState(StrEnum):
    """State of a capture, void, refund or adjustment.

    ``ACCEPTED``: received by the provider, not done. ``REPAIRING``: it failed at the provider, which tries again by
    itself. ``BOUNCED``: a refund that came back.
    """

    REQUESTED = "requested"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    REPAIRING = "repairing"
    DONE = "done"
    FAILED = "failed"
    BOUNCED = "bounced"


IN_FLIGHT = frozenset(
    {StepState.REQUESTED, StepState.WAITING, StepState.UNKNOWN, StepState.ACCEPTED, StepState.REPAIRING}
)


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step after an authorisation.

    ``call`` is its call as it was requested first, ``requests`` counts how often; ``next_ms`` is when it is requested
    again (0: never by time).
    ``perhaps_sent``: a call of it may have arrived. ``retried``: its failure was taken up again.
    """

    key: str
    operation: Operation
    amount: int
    state: StepState
    since_ms: int
    final: bool = False
    call: GatewayCall | None = None
    requests: int = 0
    next_ms: int = 0
    perhaps_sent: bool = False
    retried: bool = False
    cause: str = ""

    @property
    def in_flight(self) -> bool:
        """Whether its result is not known yet."""
        return self.state in IN_FLIGHT


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One authorisation asked of one method.

    ``round`` counts the needs of a payment: methods are asked anew in each. ``replaces`` is the authorisation that it
    renews. ``call`` is its call as it was requested first, ``asking`` the open one, ``requests`` how many there were.
    ``patient``: its open call waits as long as its gateway is away. ``given_up``: its answer is no longer waited for.
    ``review``: the provider examines it.
    """

    number: int
    method: int
    reason: AttemptReason
    asked: int
    key: str
    since_ms: int
    state: AttemptState = AttemptState.REQUESTED
    round: int = 0
    initiated_by: CallInitiator = CallInitiator.CUSTOMER
    replaces: int = 0
    call: GatewayCall | None = None
    asking: Operation | None = None
    requests: int = 0
    closes: int = 0
    next_ms: int = 0
    perhaps_sent: bool = False
    patient: bool = False
    given_up: bool = False
    unknown_ms: int = 0
    waiting_ms: int = 0
    authorised: int = 0
    currency: str = ""
    reference: str = ""
    transaction: str = ""
    approved_ms: int = 0
    ends_ms: int = 0
    capture_max: int = 0
    multicapture: bool = False
    adjustable: bool = False
    review: bool = False
    mismatched: bool = False
    adopted: bool = False
    decline: DeclineClass | None = None
    code: str = ""
    wait_ms: int = 0
    link: str = ""
    link_until_ms: int = 0
    cause: str = ""
    steps: tuple[Step, ...] = ()

    def of(self, operation: Operation) -> tuple[Step, ...]:
        """Its steps of one kind."""
        return tuple(step for step in self.steps if step.operation is operation)

    def step(self, key: str) -> Step | None:
        """A step by its key."""
        return next((step for step in self.steps if step.key == key), None)

    @property
    def captured(self) -> int:
        """Sum of captures that are done."""
        return sum(step.amount for step in self.of(Operation.CAPTURE) if step.state is StepState.DONE)

    @property
    def capturing(self) -> int:
        """Sum of captures that are done or may still be."""
        done_or_open = (step for step in self.of(Operation.CAPTURE) if step.in_flight or step.state is StepState.DONE)
        return sum(step.amount for step in done_or_open)

    @property
    def refunded(self) -> int:
        """Sum of refunds that are done."""
        return sum(step.amount for step in self.of(Operation.REFUND) if step.state is StepState.DONE)

    @property
    def refunding(self) -> int:
        """Sum of refunds that are done, may still be, or came back and wait for a person."""
        refunds = self.of(Operation.REFUND)
        failed = (StepState.FAILED, StepState.BOUNCED)
        return sum(it.amount for it in refunds if it.in_flight or it.state not in failed or not it.retried)

    @property
    def limit(self) -> int:
        """The most that may be captured of it in all."""
        return max(self.authorised, self.capture_max)

    @property
    def rest(self) -> int:
        """What may still be captured of it."""
        if self.state is not AttemptState.APPROVED or self.mismatched:
            return 0
        captures = [step for step in self.of(Operation.CAPTURE) if step.state is not StepState.FAILED]
        if captures and (not self.multicapture or any(step.final for step in captures)):
            return 0
        if any(step.in_flight or step.state is StepState.DONE for step in self.of(Operation.VOID)):
            return 0
        return max(0, self.limit - self.capturing)

    @property
    def open_at_provider(self) -> bool:
        """Whether an authorisation is open at the provider, as far as is known."""
        if self.state is not AttemptState.APPROVED:
            return False
        if any(step.state is StepState.DONE for step in self.of(Operation.VOID)):
            return False
        done = [step for step in self.of(Operation.CAPTURE) if step.state is StepState.DONE]
        return not (done and (not self.multicapture or any(step.final for step in done)))


class PaymentEnding(StrEnum):
    """Why nothing more is authorised for an order."""

    ORDER_ENDED = "order_ended"
    EXHAUSTED = "exhausted"
    LATE = "late"
    FRAUD = "fraud"


class CoverState(StrEnum):
    """What the order knows of its payment."""

    AUTHORISING = "authorising"
    AUTHORISED = "authorised"
    LAPSED = "lapsed"
    PAY_IN_STORE = "pay_in_store"


class Cover(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of the order is paid for: ``amount`` in all, of which ``at_counter`` is to be paid in the store, until
    ``until_ms`` (0: without end)."""

    state: CoverState = CoverState.AUTHORISING
    amount: int = 0
    at_counter: int = 0
    until_ms: int = 0


class Payment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The payment of one order.

    ``open`` is the value of goods that are still to be handed over, ``handed`` of those that left a store, ``returned``
    of those that came back, ``goodwill`` what was refunded without goods. ``at_counter`` is to be paid in the store and
    ``paid_at_counter`` was. ``hold_until_ms`` is the end of the goods' hold, ``first_hold_ms`` the end that it had when
    the order was placed. ``until_ms`` is the end of the wait for an answer, ``method_until_ms`` the end of the
    customer's time to name another method. ``pickup_ms`` is the latest expected pickup, ``ready_ms`` when the goods
    are ready. ``asked_in_round`` is the round in which the customer was asked last.
    """

    order: str
    currency: str
    methods: tuple[PaymentMethod, ...]
    opened_ms: int
    hold_until_ms: int
    first_hold_ms: int = 0
    policy: PaymentPolicy = PaymentPolicy()
    consent: bool = False
    attempts: tuple[Attempt, ...] = ()
    open: int = 0
    handed: int = 0
    returned: int = 0
    goodwill: int = 0
    at_counter: int = 0
    paid_at_counter: int = 0
    until_ms: int = 0
    method_until_ms: int = 0
    pickup_ms: int = 0
    ready_ms: int = 0
    round: int = 0
    covered_once: bool = False
    asked_in_round: int = -1
    gave_up: bool = False
    ending: PaymentEnding | None = None
    cover: Cover = Cover()
    seen: bytes = b""
    due_ms: int = 0
    fired: int = 0

    def attempt(self, number: int) -> Attempt | None:
        """Attempt by number."""
        return self.attempts[number - 1] if 1 <= number <= len(self.attempts) else None

    def method(self, attempt: Attempt) -> PaymentMethod:
        """The method that an attempt asks; of an adopted charge an empty one."""
        return self.methods[attempt.method - 1] if attempt.method else PaymentMethod()

    @property
    def own(self) -> tuple[Attempt, ...]:
        """Attempts that are counted as paid for goods."""
        return tuple(it for it in self.attempts if not it.adopted)

    @property
    def captured(self) -> int:
        """Sum of captures that are done."""
        return sum(it.captured for it in self.own)

    @property
    def capturing(self) -> int:
        """Sum of captures that are done or may still be."""
        return sum(it.capturing for it in self.own)

    @property
    def refunded(self) -> int:
        """Sum of refunds that are done."""
        return sum(it.refunded for it in self.own)

    @property
    def refunding(self) -> int:
        """Sum of refunds that are done, may still be, or came back and wait for a person."""
        return sum(it.refunding for it in self.own)

    @property
    def kept(self) -> int:
        """Value of goods that left and stayed out, less what was refunded without goods and what is paid in stores."""
        return max(0, self.handed - self.returned - self.goodwill - self.at_counter)

    @property
    def prepaid(self) -> int:
        """What was captured before the goods leave."""
        if self.returned or self.goodwill:
            return 0
        return max(0, self.capturing - self.refunding - self.handed)

    @property
    def uncaptured(self) -> int:
        """Value of goods that are out and whose price nobody was asked to capture."""
        return max(0, min(self.handed - self.at_counter - self.capturing, self.kept - self.capturing + self.refunding))

    @property
    def needed(self) -> int:
        """What still has to be authorised or is: for goods that are to be handed over, and for uncaptured ones."""
        left_at_counter = max(0, self.at_counter - self.handed)
        return max(0, self.open - left_at_counter - self.prepaid) + self.uncaptured

    @property
    def owed(self) -> int:
        """Value of goods that are out and stayed out, and that nobody has paid."""
        at_counter = max(0, min(self.at_counter, self.handed) - self.paid_at_counter)
        return max(0, self.kept - self.captured + self.refunding) + at_counter

    @property
    def surplus(self) -> int:
        """Refunds that failed or came back, and wait for a person."""
        stuck = (StepState.FAILED, StepState.BOUNCED)
        refunds = (step for it in self.attempts for step in it.of(Operation.REFUND))
        return sum(step.amount for step in refunds if step.state in stuck and not step.retried)

    @property
    def pending(self) -> Attempt | None:
        """The attempt whose answer decides what is asked next."""
        return next((it for it in self.attempts if is_pending(it)), None)

    @property
    def live(self) -> tuple[Attempt, ...]:
        """Attempts of which something can be captured, in the order in which they are to be used: replaced ones last,
        else the one that was approved first."""
        replaced = {it.replaces for it in self.attempts if it.rest and not it.review}
        found = [it for it in self.attempts if it.rest]
        return tuple(sorted(found, key=lambda it: (it.number in replaced, it.approved_ms, it.number)))


def is_pending(attempt: Attempt) -> bool:
    """Whether the answer of an attempt is waited for."""
    return attempt.state in UNANSWERED and not attempt.given_up


def total_rest(attempts: Iterable[Attempt]) -> int:
    """What may still be captured of attempts, without those under review."""
    return sum(it.rest for it in attempts if not it.review)
