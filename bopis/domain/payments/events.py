"""Events of an order's payment, in the past tense. Times are append times of the log."""

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
from bopis.domain.payments.state import AttemptState, Cover, PaymentEnding, StepState


class PaymentRefusal(StrEnum):
    """Why a command was refused."""

    UNKNOWN_PAYMENT = "unknown_payment"
    CAPTURE_EXCEEDS_AUTHORISED = "capture_exceeds_authorised"
    REFUND_EXCEEDS_CAPTURED = "refund_exceeds_captured"
    NOTHING_TO_VOID = "nothing_to_void"
    NOTHING_TO_RETRY = "nothing_to_retry"
    NOTHING_TO_PAY = "nothing_to_pay"
    UNKNOWN_ATTEMPT = "unknown_attempt"
    NOT_UNKNOWN = "not_unknown"
    TOO_MANY_METHODS = "too_many_methods"
    CURRENCY_DIFFERS = "currency_differs"
    ENDED = "ended"
    GOODS_ARE_OPEN = "goods_are_open"


class PaymentOpened(Struct, frozen=True, kw_only=True):
    """The payment of an order began."""

    at_ms: int
    methods: tuple[PaymentMethod, ...]
    amount: int
    currency: str
    hold_until_ms: int
    policy: PaymentPolicy
    consent: bool


class AmountsChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The sums of goods changed: to be handed over, handed over, returned, refunded without goods; and what is paid in
    the store: promised, and paid."""

    at_ms: int
    open: int
    handed: int
    returned: int = 0
    goodwill: int = 0
    at_counter: int = 0
    paid_at_counter: int = 0
    actor: str = ""
    reason: str = ""


class PickupExpected(Struct, frozen=True, kw_only=True):
    """The latest pickup, and when the goods are ready."""

    at_ms: int
    until_ms: int
    ready_ms: int


class AttemptBegan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An authorisation is asked of a method."""

    at_ms: int
    attempt: int
    method: int
    reason: AttemptReason
    asked: int
    key: str
    round: int
    initiated_by: CallInitiator = CallInitiator.CUSTOMER
    replaces: int = 0


class CallRequested(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call to a gateway is requested from the runner, for the ``request``-th time.

    ``first_ms`` is when it was requested first: keys are kept for a limited time. The runner does not send it after
    ``not_after_ms`` (0: no limit). ``urgent_ms``: among waiting calls the one with the lowest goes first.
    ``patient``: nothing can be done in its place, so it waits for a gateway that is away as long as that takes.
    """

    at_ms: int
    call: GatewayCall
    request: int
    first_ms: int
    urgent_ms: int
    not_after_ms: int = 0
    patient: bool = False

    @property
    def is_withdrawn(self) -> bool:
        """Whether it asks for a call of its key that was not sent yet not to be sent."""
        return 0 < self.not_after_ms <= self.at_ms


class AttemptChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of an authorisation changed. Facts that are not named stay as they were."""

    at_ms: int
    attempt: int
    state: AttemptState
    authorised: int | None = None
    currency: str = ""
    reference: str = ""
    transaction: str = ""
    ends_ms: int = 0
    capture_max: int = 0
    multicapture: bool | None = None
    adjustable: bool | None = None
    review: bool | None = None
    mismatched: bool = False
    perhaps_sent: bool = False
    given_up: bool = False
    next_ms: int = 0
    decline: DeclineClass | None = None
    code: str = ""
    wait_ms: int = 0
    link: str = ""
    link_until_ms: int = 0
    cause: str = ""
    actor: str = ""


class StepBegan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A capture, void, refund or adjustment of an authorisation is asked for."""

    at_ms: int
    attempt: int
    key: str
    operation: Operation
    amount: int
    final: bool = False
    cause: str = ""


class StepChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a step changed."""

    at_ms: int
    attempt: int
    key: str
    state: StepState
    next_ms: int = 0
    perhaps_sent: bool = False
    retried: bool = False
    cause: str = ""


class ChargeAdopted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A charge that only the gateway knew was taken into the books."""

    at_ms: int
    attempt: int
    key: str
    reference: str
    gateway: str
    captured: int
    refunded: int = 0
    actor: str = ""
    reason: str = ""


class RefundFound(Struct, frozen=True, kw_only=True):
    """A refund that was made at the provider, not here."""

    at_ms: int
    attempt: int
    key: str
    amount: int


class NeedCovered(Struct, frozen=True, kw_only=True):
    """All that had to be authorised is: the next need asks the methods anew."""

    at_ms: int


class MethodAdded(Struct, frozen=True, kw_only=True):
    """The customer named another method."""

    at_ms: int
    method: PaymentMethod


class MethodsRestarted(Struct, frozen=True, kw_only=True):
    """The methods are asked anew, from the first one."""

    at_ms: int
    actor: str
    reason: str


class CustomerAsked(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The customer has to act: confirm a payment by its link, or name another method (no link), until an instant."""

    at_ms: int
    attempt: int
    amount: int
    until_ms: int
    link: str = ""


class HoldNeeded(Struct, frozen=True, kw_only=True):
    """The goods have to be held until an instant, because the payment is not decided."""

    at_ms: int
    until_ms: int


class WaitEnded(Struct, frozen=True, kw_only=True):
    """The time to wait for an answer is over: what is open is closed at the gateway."""

    at_ms: int


class CoverChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of the order is paid for changed; ``method`` is the one that answered last."""

    at_ms: int
    cover: Cover
    method: str = ""


class PaymentEnded(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing more is authorised for this order."""

    at_ms: int
    ending: PaymentEnding
    actor: str = ""
    reason: str = ""


class PaymentCommandRefused(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A command was refused."""

    at_ms: int
    command: str
    reason: PaymentRefusal
    message: str
    amount: int = 0


Event = (
    PaymentOpened
    | AmountsChanged
    | PickupExpected
    | AttemptBegan
    | CallRequested
    | AttemptChanged
    | StepBegan
    | StepChanged
    | ChargeAdopted
    | RefundFound
    | NeedCovered
    | MethodAdded
    | MethodsRestarted
    | CustomerAsked
    | HoldNeeded
    | WaitEnded
    | CoverChanged
    | PaymentEnded
    | PaymentCommandRefused
)
