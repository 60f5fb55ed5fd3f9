"""Events of payment, as far as the order takes part: requested, answered, captured, voided, refunded."""

from msgspec import Struct

from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.vocabulary import Amount, EndReason, PaymentState


class PaymentRequested(Struct, frozen=True, kw_only=True):
    """Authorisation of the order's amount is requested, on the first method that approves."""

    stamp: Stamp
    methods: tuple[str, ...]
    amount: Amount


class PaymentAnswered(Struct, frozen=True, kw_only=True):
    """The payment changed its state."""

    stamp: Stamp
    state: PaymentState
    method: str


class CaptureRequested(Struct, frozen=True, kw_only=True):
    """Capture for goods that left the store, and for nothing else."""

    stamp: Stamp
    amount: Amount


class VoidRequested(Struct, frozen=True, kw_only=True):
    """No more goods will leave a store: the authorisation beyond the captured amount is voided."""

    stamp: Stamp
    reason: EndReason


class RefundRequested(Struct, frozen=True, kw_only=True):
    """Refund of returned goods is requested."""

    stamp: Stamp
    amount: Amount


PaymentEvent = PaymentRequested | PaymentAnswered | CaptureRequested | VoidRequested | RefundRequested
