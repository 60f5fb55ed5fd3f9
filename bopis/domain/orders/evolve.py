"""The order after an event. A fold never refuses and never reads a clock: every event has already happened.

`FOLDS` names the fold of every event type. An event without an entry raises `KeyError`, so that none is lost silently.
"""

from collections.abc import Callable
from typing import Any

from bopis.domain.orders import events as e
from bopis.domain.orders.folds import handover, holding, lifecycle, moving, preparing, routing
from bopis.domain.orders.state import Order

Fold = Callable[[Order, Any], Order]
FOLDS: dict[type[e.Event], Fold] = {
    e.RoutingRequested: routing.routing_requested,
    e.RouteTaken: routing.route_taken,
    e.AlternativeOffered: routing.alternative_offered,
    e.AlternativeAnswered: routing.alternative_answered,
    e.LinesWaiting: routing.lines_waiting,
    e.HoldRequested: holding.hold_requested,
    e.LinesHeld: holding.lines_held,
    e.HoldRefused: holding.hold_refused,
    e.OrderPromised: holding.order_promised,
    e.LinesFreed: holding.lines_freed,
    e.CoverLost: holding.cover_lost,
    e.ShortPickConfirmed: holding.short_pick_confirmed,
    e.PickRestated: holding.pick_restated,
    e.CollectionAnswered: holding.collection_answered,
    e.MoveRequested: moving.move_requested,
    e.MoveHoldRequested: moving.move_hold_requested,
    e.OrderMoved: moving.order_moved,
    e.MoveEnded: moving.move_ended,
    e.PickAccepted: preparing.pick_accepted,
    e.AcceptOverdue: preparing.accept_overdue,
    e.LinesRejected: preparing.lines_rejected,
    e.PickerAssigned: preparing.picker_assigned,
    e.PickingStarted: preparing.picking_started,
    e.PickRecorded: preparing.pick_recorded,
    e.LinePicked: preparing.line_picked,
    e.LineShort: preparing.line_short,
    e.SubstituteOffered: preparing.substitute_offered,
    e.SubstituteAnswered: preparing.substitute_answered,
    e.OrderStaged: preparing.order_staged,
    e.TaskRaised: preparing.task_raised,
    e.TaskClosed: preparing.task_closed,
    e.OrderReady: handover.order_ready,
    e.ReadyWithdrawn: handover.ready_withdrawn,
    e.ArrivalRecorded: handover.arrival_recorded,
    e.CodeFailed: handover.code_failed,
    e.CodeReissued: handover.code_reissued,
    e.OrderHandedOver: handover.order_handed_over,
    e.HandoverConflictFound: handover.handover_conflict_found,
    e.WindowExtended: handover.window_extended,
    e.OrderReturned: handover.order_returned,
    e.LineSplit: lifecycle.line_split,
    e.OrderCancelled: lifecycle.order_cancelled,
    e.OrderExpired: lifecycle.order_expired,
    e.PaymentRequested: lifecycle.payment_requested,
    e.PaymentAnswered: lifecycle.payment_answered,
    e.PaymentAmountChanged: lifecycle.payment_amount_changed,
    e.HoldsProlonged: lifecycle.holds_prolonged,
    e.CaptureRequested: lifecycle.capture_requested,
    e.VoidRequested: lifecycle.void_requested,
    e.NoticeDue: lifecycle.notice_due,
    # The beginning of an order (`placed`), and what leaves no trace in it.
    e.OrderPlaced: lifecycle.unchanged,
    e.CommandRefused: lifecycle.unchanged,
    e.BooksCorrected: lifecycle.unchanged,
    e.RefundRequested: lifecycle.unchanged,
}


def evolve(order: Order, event: e.Event) -> Order:
    """The order after an event; `lifecycle.placed` makes the order that `OrderPlaced` is about."""
    return FOLDS[type(event)](order, event)
