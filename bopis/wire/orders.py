"""Types on the ``orders`` topic, and events on ``order-events``.

Events of the inventory that answer orders are on ``orders`` under their own names.
"""

from hashlib import blake2b

from bopis.domain.inventory import events as inventory
from bopis.domain.message import Message
from bopis.domain.orders import events, messages
from bopis.wire.envelope import Family

IDENTITY_BYTES = 8

ORDERS = Family(
    {
        "bopis.order.place.v1": messages.PlaceOrder,
        "bopis.order.cancel.v1": messages.CancelOrder,
        "bopis.order.accept_alternative.v1": messages.AcceptAlternative,
        "bopis.order.refuse_alternative.v1": messages.RefuseAlternative,
        "bopis.order.move.v1": messages.MoveOrder,
        "bopis.order.accept_substitute.v1": messages.AcceptSubstitute,
        "bopis.order.refuse_substitute.v1": messages.RefuseSubstitute,
        "bopis.order.accept_pick.v1": messages.AcceptPick,
        "bopis.order.reject_pick.v1": messages.RejectPick,
        "bopis.order.assign_picker.v1": messages.AssignPicker,
        "bopis.order.start_picking.v1": messages.StartPicking,
        "bopis.order.record_pick.v1": messages.RecordPick,
        "bopis.order.offer_substitute.v1": messages.OfferSubstitute,
        "bopis.order.stage.v1": messages.StageOrder,
        "bopis.order.withdraw_ready.v1": messages.WithdrawReady,
        "bopis.order.hand_over.v1": messages.HandOver,
        "bopis.order.extend_pickup.v1": messages.ExtendPickup,
        "bopis.order.reissue_code.v1": messages.ReissueCode,
        "bopis.order.return.v1": messages.ReturnInStore,
        "bopis.order.confirm_put_back.v1": messages.ConfirmPutBack,
        "bopis.order.customer_arrived.v1": messages.CustomerArrived,
        "bopis.order.goods_handed_over.v1": messages.GoodsHandedOver,
        "bopis.order.stock_appeared.v1": messages.StockAppeared,
        "bopis.order.store_withdrawn.v1": messages.StoreWithdrawn,
        "bopis.order.routed.v1": messages.OrderRouted,
        "bopis.order.routing_failed.v1": messages.RoutingFailed,
        "bopis.payment.authorised.v1": messages.PaymentAuthorised,
        "bopis.payment.declined.v1": messages.PaymentDeclined,
        "bopis.payment.exhausted.v1": messages.PaymentExhausted,
        "bopis.payment.pay_in_store.v1": messages.PaymentInStore,
        "bopis.payment.lapsed.v1": messages.PaymentLapsed,
        "bopis.payment.pending.v1": messages.PaymentPending,
        "bopis.payment.needs_customer.v1": messages.PaymentNeedsCustomer,
        "bopis.order.tick.v1": messages.OrderTick,
        "bopis.inventory.stock_reserved.v1": inventory.StockReserved,
        "bopis.inventory.reservation_refused.v1": inventory.ReservationRefused,
        "bopis.inventory.hold_changed.v1": inventory.HoldChanged,
        "bopis.inventory.hold_extended.v1": inventory.HoldExtended,
        "bopis.inventory.hold_command_refused.v2": inventory.HoldCommandRefused,
        "bopis.inventory.short_pick_found.v1": inventory.ShortPickFound,
        "bopis.inventory.shortfall_found.v1": inventory.ShortfallFound,
        "bopis.inventory.doubt_settled.v1": inventory.DoubtSettled,
    },
    old={},
    unplaced=(messages.OrderTick,),
    from_outside=True,
)

ORDER_EVENTS = Family(
    {
        "bopis.orders.order_placed.v1": events.OrderPlaced,
        "bopis.orders.command_refused.v1": events.CommandRefused,
        "bopis.orders.routing_requested.v1": events.RoutingRequested,
        "bopis.orders.route_taken.v1": events.RouteTaken,
        "bopis.orders.alternative_offered.v1": events.AlternativeOffered,
        "bopis.orders.alternative_answered.v1": events.AlternativeAnswered,
        "bopis.orders.hold_requested.v1": events.HoldRequested,
        "bopis.orders.lines_held.v1": events.LinesHeld,
        "bopis.orders.hold_refused.v1": events.HoldRefused,
        "bopis.orders.order_promised.v1": events.OrderPromised,
        "bopis.orders.lines_waiting.v1": events.LinesWaiting,
        "bopis.orders.move_requested.v1": events.MoveRequested,
        "bopis.orders.move_hold_requested.v1": events.MoveHoldRequested,
        "bopis.orders.order_moved.v1": events.OrderMoved,
        "bopis.orders.move_ended.v1": events.MoveEnded,
        "bopis.orders.pick_accepted.v1": events.PickAccepted,
        "bopis.orders.accept_overdue.v1": events.AcceptOverdue,
        "bopis.orders.lines_rejected.v1": events.LinesRejected,
        "bopis.orders.lines_freed.v1": events.LinesFreed,
        "bopis.orders.picker_assigned.v1": events.PickerAssigned,
        "bopis.orders.picking_started.v1": events.PickingStarted,
        "bopis.orders.pick_recorded.v1": events.PickRecorded,
        "bopis.orders.line_picked.v1": events.LinePicked,
        "bopis.orders.line_short.v1": events.LineShort,
        "bopis.orders.cover_lost.v1": events.CoverLost,
        "bopis.orders.short_pick_confirmed.v1": events.ShortPickConfirmed,
        "bopis.orders.pick_restated.v1": events.PickRestated,
        "bopis.orders.substitute_offered.v1": events.SubstituteOffered,
        "bopis.orders.substitute_answered.v1": events.SubstituteAnswered,
        "bopis.orders.order_staged.v1": events.OrderStaged,
        "bopis.orders.task_raised.v1": events.TaskRaised,
        "bopis.orders.task_closed.v1": events.TaskClosed,
        "bopis.orders.order_ready.v1": events.OrderReady,
        "bopis.orders.ready_withdrawn.v1": events.ReadyWithdrawn,
        "bopis.orders.arrival_recorded.v1": events.ArrivalRecorded,
        "bopis.orders.code_failed.v1": events.CodeFailed,
        "bopis.orders.code_reissued.v1": events.CodeReissued,
        "bopis.orders.order_handed_over.v1": events.OrderHandedOver,
        "bopis.orders.handover_conflict_found.v1": events.HandoverConflictFound,
        "bopis.orders.books_corrected.v1": events.BooksCorrected,
        "bopis.orders.collection_answered.v1": events.CollectionAnswered,
        "bopis.orders.window_extended.v1": events.WindowExtended,
        "bopis.orders.line_split.v1": events.LineSplit,
        "bopis.orders.order_cancelled.v1": events.OrderCancelled,
        "bopis.orders.order_expired.v1": events.OrderExpired,
        "bopis.orders.order_returned.v1": events.OrderReturned,
        "bopis.orders.payment_requested.v1": events.PaymentRequested,
        "bopis.orders.payment_answered.v1": events.PaymentAnswered,
        "bopis.orders.payment_amount_changed.v1": events.PaymentAmountChanged,
        "bopis.orders.holds_prolonged.v1": events.HoldsProlonged,
        "bopis.orders.capture_requested.v1": events.CaptureRequested,
        "bopis.orders.void_requested.v1": events.VoidRequested,
        "bopis.orders.refund_requested.v1": events.RefundRequested,
        "bopis.orders.notice_due.v1": events.NoticeDue,
    },
    old={},
)


def identity(message: Message) -> bytes:
    """Eight-byte hash of a message's source and id (BLAKE2b); an order's row keeps it to recognise repeats."""
    return blake2b(message.cause.encode(), digest_size=IDENTITY_BYTES).digest()
