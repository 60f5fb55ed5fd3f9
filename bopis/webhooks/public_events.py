"""Events of the log as subscribers get them: one table from our events to public types, with the fields that leave.

Only fields that are named here are public. An event that is in no row must be in `PRIVATE`, so a new event cannot be
forgotten: a test compares both with all events.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from bopis.domain.inventory import events as stock
from bopis.domain.message import Message
from bopis.domain.orders import events as orders
from bopis.domain.payments import events as payments
from bopis.domain.payments.gateway import Operation
from bopis.domain.payments.state import AttemptState, CoverState, PaymentEnding, StepState


class EventType(StrEnum):
    """The public types of events."""

    ORDER_PLACED = "order.placed"
    ORDER_WAITING = "order.waiting"
    ORDER_PROMISED = "order.promised"
    ORDER_ALTERNATIVE_OFFERED = "order.alternative_offered"
    ORDER_ALTERNATIVE_ANSWERED = "order.alternative_answered"
    ORDER_ACCEPTED = "order.accepted"
    ORDER_REJECTED = "order.rejected"
    ORDER_PICKING_STARTED = "order.picking_started"
    ORDER_LINE_SPLIT = "order.line_split"
    ORDER_MOVED = "order.moved"
    ORDER_LINE_SHORT = "order.line_short"
    ORDER_SUBSTITUTE_OFFERED = "order.substitute_offered"
    ORDER_SUBSTITUTE_ANSWERED = "order.substitute_answered"
    ORDER_STAGED = "order.staged"
    ORDER_READY = "order.ready"
    ORDER_READY_WITHDRAWN = "order.ready_withdrawn"
    ORDER_ARRIVED = "order.arrived"
    ORDER_WINDOW_EXTENDED = "order.window_extended"
    ORDER_COLLECTED = "order.collected"
    ORDER_CANCELLED = "order.cancelled"
    ORDER_EXPIRED = "order.expired"
    ORDER_RETURNED = "order.returned"
    PAYMENT_AUTHORISED = "payment.authorised"
    PAYMENT_IN_STORE = "payment.in_store"
    PAYMENT_LAPSED = "payment.lapsed"
    PAYMENT_DECLINED = "payment.declined"
    PAYMENT_ACTION_REQUIRED = "payment.action_required"
    PAYMENT_CAPTURED = "payment.captured"
    PAYMENT_CAPTURE_FAILED = "payment.capture_failed"
    PAYMENT_VOIDED = "payment.voided"
    PAYMENT_REFUNDED = "payment.refunded"
    PAYMENT_REFUND_FAILED = "payment.refund_failed"
    PAYMENT_FAILED = "payment.failed"
    STOCK_AVAILABLE = "stock.available"
    STOCK_UNAVAILABLE = "stock.unavailable"
    STOCK_SHORTFALL = "stock.shortfall"
    STOCK_TRANSFER_DISPATCHED = "stock.transfer_dispatched"
    STOCK_TRANSFER_DISCREPANCY = "stock.transfer_discrepancy"
    STOCK_RECEIPT_DISCREPANCY = "stock.receipt_discrepancy"
    STOCK_RECEIPT_OVERDUE = "stock.receipt_overdue"
    # Sent on request, to every subscription.
    WEBHOOK_TEST = "webhook.test"


def _always(_: Any) -> bool:
    return True


class PublicRule(NamedTuple):
    """A public type, the fields of the event that are public, and which of the events it is about.

    Instants of fields that end in ``_ms`` leave as RFC 3339 under the name without it.
    """

    type: EventType
    fields: tuple[str, ...] = ()
    applies: Callable[[Any], bool] = _always


class PublicEvent(Struct, frozen=True, kw_only=True):
    """One event for subscribers. Deliveries keep their order within a `subject`; `store` None: the event names none."""

    type: EventType
    subject: str
    store: str | None
    at: datetime
    data: dict[str, Any]


def _step(operation: Operation, *states: StepState) -> Callable[[payments.StepChanged], bool]:
    """Steps of an operation that came to one of these states. The key of a step names its operation (`call_key`)."""
    return lambda it: it.state in states and it.key.rsplit("-", 2)[1] == operation.value


def _cover(state: CoverState) -> Callable[[payments.CoverChanged], bool]:
    return lambda it: it.cover.state is state


_T = EventType
_DONE, _FAILED, _BOUNCED = StepState.DONE, StepState.FAILED, StepState.BOUNCED
_FAILING_ENDS = frozenset({PaymentEnding.EXHAUSTED, PaymentEnding.LATE, PaymentEnding.FRAUD})

# fmt: off
RULES: Mapping[type[Struct], tuple[PublicRule, ...]] = MappingProxyType({
    orders.OrderPlaced: (PublicRule(_T.ORDER_PLACED, ("lines", "payment", "currency", "slot_from_ms", "slot_to_ms")),),
    orders.LinesWaiting: (PublicRule(_T.ORDER_WAITING, ("lines", "skus", "wait_until_ms")),),
    orders.OrderPromised: (PublicRule(_T.ORDER_PROMISED, ("lines", "ready_by_ms")),),
    orders.AlternativeOffered: (PublicRule(_T.ORDER_ALTERNATIVE_OFFERED, ("lines", "answer_by_ms")),),
    orders.AlternativeAnswered: (PublicRule(_T.ORDER_ALTERNATIVE_ANSWERED, ("by",)),),
    orders.PickAccepted: (PublicRule(_T.ORDER_ACCEPTED, ("lines",)),),
    orders.LinesRejected: (PublicRule(_T.ORDER_REJECTED, ("lines", "reason", "by")),),
    orders.PickingStarted: (PublicRule(_T.ORDER_PICKING_STARTED, ("lines",)),),
    orders.LineSplit: (PublicRule(_T.ORDER_LINE_SPLIT, ("line", "into", "quantity")),),
    orders.OrderMoved: (PublicRule(_T.ORDER_MOVED, ("lines", "by")),),
    orders.LineShort: (PublicRule(_T.ORDER_LINE_SHORT, ("line", "into", "sku", "missing", "cause", "decide_by_ms")),),
    orders.SubstituteOffered: (PublicRule(_T.ORDER_SUBSTITUTE_OFFERED, ("line", "sku", "unit_cents", "answer_by_ms")),),
    orders.SubstituteAnswered: (PublicRule(_T.ORDER_SUBSTITUTE_ANSWERED, ("line", "accepted", "by")),),
    orders.OrderStaged: (PublicRule(_T.ORDER_STAGED, ("lines", "location")),),
    orders.OrderReady: (PublicRule(_T.ORDER_READY, ("lines", "window_end_ms")),),
    orders.ReadyWithdrawn: (PublicRule(_T.ORDER_READY_WITHDRAWN, ("lines",)),),
    orders.ArrivalRecorded: (PublicRule(_T.ORDER_ARRIVED, ("where", "spot", "lines", "window_end_ms")),),
    orders.WindowExtended: (PublicRule(_T.ORDER_WINDOW_EXTENDED, ("window_end_ms",)),),
    orders.OrderHandedOver: (PublicRule(_T.ORDER_COLLECTED, ("lines",)),),
    orders.OrderCancelled: (PublicRule(_T.ORDER_CANCELLED, ("lines", "by", "reason")),),
    orders.OrderExpired: (PublicRule(_T.ORDER_EXPIRED, ("lines",)),),
    orders.OrderReturned: (PublicRule(_T.ORDER_RETURNED, ("units",)),),
    payments.CoverChanged: (
        PublicRule(_T.PAYMENT_AUTHORISED, ("cover",), _cover(CoverState.AUTHORISED)),
        PublicRule(_T.PAYMENT_IN_STORE, ("cover",), _cover(CoverState.PAY_IN_STORE)),
        PublicRule(_T.PAYMENT_LAPSED, ("cover",), _cover(CoverState.LAPSED)),
    ),
    payments.AttemptChanged: (
        PublicRule(_T.PAYMENT_DECLINED, ("attempt", "decline"), lambda it: it.state is AttemptState.DECLINED),
    ),
    payments.CustomerAsked: (PublicRule(_T.PAYMENT_ACTION_REQUIRED, ("attempt", "amount", "until_ms")),),
    payments.StepChanged: (
        PublicRule(_T.PAYMENT_CAPTURED, ("attempt",), _step(Operation.CAPTURE, _DONE)),
        PublicRule(_T.PAYMENT_CAPTURE_FAILED, ("attempt",), _step(Operation.CAPTURE, _FAILED, _BOUNCED)),
        PublicRule(_T.PAYMENT_VOIDED, ("attempt",), _step(Operation.VOID, _DONE)),
        PublicRule(_T.PAYMENT_REFUNDED, ("attempt",), _step(Operation.REFUND, _DONE)),
        PublicRule(_T.PAYMENT_REFUND_FAILED, ("attempt",), _step(Operation.REFUND, _FAILED, _BOUNCED)),
    ),
    payments.RefundFound: (PublicRule(_T.PAYMENT_REFUNDED, ("attempt", "amount")),),
    payments.PaymentEnded: (
        PublicRule(_T.PAYMENT_FAILED, ("ending",), lambda it: it.ending in _FAILING_ENDS),
    ),
    stock.ThresholdCrossed: (
        PublicRule(_T.STOCK_AVAILABLE, ("sku", "available"), lambda it: it.in_pickup_stock),
        PublicRule(_T.STOCK_UNAVAILABLE, ("sku", "available"), lambda it: not it.in_pickup_stock),
    ),
    stock.ShortfallFound: (PublicRule(_T.STOCK_SHORTFALL, ("sku", "missing", "on_hand", "held")),),
    stock.TransferDispatched: (PublicRule(_T.STOCK_TRANSFER_DISPATCHED, ("transfer", "to_store", "lines")),),
    stock.TransferDiscrepancyFound: (PublicRule(_T.STOCK_TRANSFER_DISCREPANCY, ("transfer", "from_store", "lines")),),
    stock.ReceiptDiscrepancyFound: (PublicRule(_T.STOCK_RECEIPT_DISCREPANCY, ("document", "lines")),),
    stock.ReceiptOverdue: (PublicRule(_T.STOCK_RECEIPT_OVERDUE, ("document", "expected_ms", "lines")),),
})
# Steps of the machinery and of staff, codes and links of customers: never public.
PRIVATE: frozenset[type[Struct]] = frozenset({
    orders.CommandRefused, orders.NoticeDue, orders.RoutingRequested, orders.RouteTaken, orders.HoldRequested,
    orders.LinesHeld, orders.HoldRefused, orders.LinesFreed, orders.CoverLost, orders.ShortPickConfirmed,
    orders.PickRestated, orders.BooksCorrected, orders.CollectionAnswered, orders.AcceptOverdue, orders.PickerAssigned,
    orders.PickRecorded, orders.LinePicked, orders.TaskRaised, orders.TaskClosed, orders.CodeFailed,
    orders.CodeReissued, orders.HandoverConflictFound, orders.PaymentRequested, orders.PaymentAnswered,
    orders.PaymentAmountChanged,
    orders.MoveRequested, orders.MoveHoldRequested, orders.MoveEnded,
    orders.HoldsProlonged, orders.CaptureRequested, orders.VoidRequested, orders.RefundRequested,
    payments.PaymentOpened, payments.AmountsChanged, payments.PickupExpected, payments.AttemptBegan,
    payments.CallRequested, payments.StepBegan, payments.ChargeAdopted, payments.NeedCovered, payments.MethodAdded,
    payments.MethodsRestarted, payments.HoldNeeded, payments.WaitEnded, payments.PaymentCommandRefused,
    stock.StockReserved, stock.ReservationRefused, stock.HoldChanged, stock.HoldExtended, stock.HoldSplit,
    stock.HoldCommandRefused, stock.ShortPickFound, stock.DoubtSettled, stock.GapFound, stock.GapFilled,
    stock.GapClosed, stock.CountRefused, stock.ExpectationRefused, stock.StockRuleSet, stock.StorePolicySet,
    stock.MisplacedRowsDropped,
})
# fmt: on


def public_event(message: Message) -> PublicEvent | None:
    """An event of the log as subscribers get it; None for one that is not public.

    An event of orders and payments is about its order, one of the inventory about its store.
    """
    event = message.data
    rule = next((it for it in RULES.get(type(event), ()) if it.applies(event)), None)
    if rule is None:
        return None
    store: str | None
    if rule.type.startswith("stock."):
        store = message.subject
        subject, about = f"{store}/{getattr(event, 'sku', '')}", {"store": store}
    else:
        store, subject, about = getattr(event, "store", None), message.subject, {"order": message.subject}
        about |= {"store": store} if store is not None else {}
    data = about | dict(_shown(name, getattr(event, name)) for name in rule.fields)
    return PublicEvent(type=rule.type, subject=subject, store=store, at=message.time, data=data)


def payload(event: PublicEvent) -> bytes:
    """The body of a delivery: type, time of the event and data, as Standard Webhooks recommends.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    return msgspec.json.encode({"type": event.type, "timestamp": event.at, "data": event.data})


def _shown(name: str, value: Any) -> tuple[str, Any]:
    """The public name and value of a field."""
    if not name.endswith("_ms"):
        return name, _without_ms(msgspec.to_builtins(value))
    return name.removesuffix("_ms"), _instant(value)


def _without_ms(value: Any) -> Any:
    """A value of builtins, with instants of its fields as RFC 3339."""
    if isinstance(value, dict):
        return dict(_shown(name, it) for name, it in value.items())
    return [_without_ms(it) for it in value] if isinstance(value, list) else value


def _instant(at_ms: int | None) -> str | None:
    """An instant of epoch milliseconds; None also for 0, which means none."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z") if at_ms else None
