"""Events of payment, as far as the order takes part: requested, answered, captured, voided, refunded."""

from msgspec import Struct

from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.vocabulary import Amount, EndReason, PaymentState
from bopis.domain.payments.gateway import PaymentMethod
from bopis.domain.payments.policy import PaymentPolicy


class PaymentRequested(Struct, frozen=True, kw_only=True):
    """Authorisation of the order's amount is requested, on the first method that approves.

    ``plan`` are the methods with all that is known of them; earlier versions named tokens only. The goods are held
    until ``hold_until_ms`` (0: not told).
    """

    stamp: Stamp
    methods: tuple[str, ...]
    amount: Amount
    plan: tuple[PaymentMethod, ...] = ()
    policy: PaymentPolicy = PaymentPolicy()
    consent: bool = False
    hold_until_ms: int = 0


class PaymentAnswered(Struct, frozen=True, kw_only=True):
    """The payment changed its state. ``cents`` are paid for (None: all), until an instant (0: without end), and
    ``at_counter_cents`` are to be paid in the store."""

    stamp: Stamp
    state: PaymentState
    method: str
    cents: int | None = None
    until_ms: int = 0
    at_counter_cents: int = 0


class PaymentAmountChanged(Struct, frozen=True, kw_only=True):
    """The price of the goods that are still to be handed over changed."""

    stamp: Stamp
    amount: Amount


class HoldsProlonged(Struct, frozen=True, kw_only=True):
    """Goods are held for longer, because their payment is not decided."""

    stamp: Stamp
    lines: tuple[int, ...]
    hold_until_ms: int


class CaptureRequested(Struct, frozen=True, kw_only=True):
    """Capture for goods that left the store, and for nothing else. ``open_cents`` is the price of the goods that are
    still to be handed over (None: not told by earlier versions)."""

    stamp: Stamp
    amount: Amount
    open_cents: int | None = None


class VoidRequested(Struct, frozen=True, kw_only=True):
    """No more goods will leave a store: the authorisation beyond the captured amount is voided."""

    stamp: Stamp
    reason: EndReason


class RefundRequested(Struct, frozen=True, kw_only=True):
    """Refund of returned goods is requested."""

    stamp: Stamp
    amount: Amount


PaymentEvent = (
    PaymentRequested
    | PaymentAnswered
    | PaymentAmountChanged
    | HoldsProlonged
    | CaptureRequested
    | VoidRequested
    | RefundRequested
)
