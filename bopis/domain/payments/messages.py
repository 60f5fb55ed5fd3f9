"""Messages to an order's payment: from its order, from the runner and the gateways, from the desk."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.payments.gateway import (
    AmountAsked,
    CurrencyCode,
    GatewayAnswer,
    GatewayName,
    GatewayReport,
    Operation,
    PaymentMethod,
)
from bopis.domain.payments.policy import PaymentPolicy
from bopis.domain.values import AMOUNT_CENTS_MAX, Instant

AmountPaid = Annotated[int, Meta(ge=1, le=AMOUNT_CENTS_MAX)]
AttemptNumber = Annotated[int, Meta(ge=1)]
Key = Annotated[str, Meta(min_length=1, max_length=64)]
Reason = Annotated[str, Meta(max_length=200)]

# From the order, translated from its events (`bopis.wire.payments`)


class OpenPayment(Struct, frozen=True, kw_only=True):
    """An order is to be paid with the first of its methods that approves."""

    methods: tuple[PaymentMethod, ...]
    amount: int
    currency: str
    hold_until_ms: int
    policy: PaymentPolicy = PaymentPolicy()
    consent: bool = False


class ChangeAmount(Struct, frozen=True, kw_only=True):
    """The value of the goods that are still to be handed over changed."""

    open: int


class CaptureGoods(Struct, frozen=True, kw_only=True):
    """Goods left a store; ``open`` is the value of those that are still to be handed over (None: as before, less)."""

    amount: int
    open: int | None = None


class EndPayment(Struct, frozen=True, kw_only=True):
    """No more goods will leave a store."""


class RefundGoods(Struct, frozen=True, kw_only=True):
    """Goods came back."""

    amount: int


class ExpectPickup(Struct, frozen=True, kw_only=True):
    """The goods will be ready, and collected until an instant at the latest."""

    until_ms: int
    ready_ms: int


# From the runner and the gateways


class CallAnswered(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The gateway's answer to a call. ``request`` is the number of the request that was answered."""

    key: Key
    attempt: AttemptNumber
    operation: Operation
    request: Annotated[int, Meta(ge=1)]
    answer: GatewayAnswer


class ProviderReported(Struct, frozen=True, kw_only=True):
    """A gateway reported something by itself."""

    gateway: GatewayName
    report: GatewayReport


# From the desk and the customer


class AddMethod(Struct, frozen=True, kw_only=True):
    """The customer names another method."""

    method: PaymentMethod


class RetryPayment(Struct, frozen=True, kw_only=True):
    """Ask again now: what waits, what failed or came back, or the methods from the first one."""

    reason: Reason = ""


class VoidPayment(Struct, frozen=True, kw_only=True):
    """Release what is authorised and not captured."""

    reason: Reason


class RefundPayment(Struct, frozen=True, kw_only=True):
    """Refund money without goods; without an amount, all that was captured. ``attempt`` limits it to one charge."""

    reason: Reason
    amount: AmountPaid | None = None
    attempt: Annotated[int, Meta(ge=0)] = 0


class RecordPaidInStore(Struct, frozen=True, kw_only=True):
    """The customer paid at a till of the store."""

    amount: AmountPaid
    receipt: Annotated[str, Meta(max_length=64)] = ""


class SettleUnknown(Struct, frozen=True, kw_only=True):
    """Reconciliation found nothing at the gateway about an attempt whose answer is unknown."""

    attempt: AttemptNumber
    reason: Reason = ""


class AdoptCharge(Struct, frozen=True, kw_only=True):
    """A charge of this order that only the gateway knows is taken into the books, so that it can be refunded."""

    reference: Annotated[str, Meta(min_length=1, max_length=200)]
    gateway: GatewayName
    captured: AmountPaid
    currency: CurrencyCode
    refunded: AmountAsked = 0
    reason: Reason = ""


class PaymentTick(Struct, frozen=True, kw_only=True):
    """A deadline of this payment has passed; written by the processor's own timer."""

    at: Instant


OrderDemand = OpenPayment | ChangeAmount | CaptureGoods | EndPayment | RefundGoods | ExpectPickup
DeskCommand = AddMethod | RetryPayment | VoidPayment | RefundPayment | RecordPaidInStore | SettleUnknown | AdoptCharge
PaymentMessage = OrderDemand | CallAnswered | ProviderReported | DeskCommand | PaymentTick
