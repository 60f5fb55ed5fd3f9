"""Rules of an order, by message: pure and total.

`RULES` names the rule of every message type. A message without an entry raises `KeyError`.
"""

from collections.abc import Callable
from typing import Any

from bopis.domain.inventory import events as inventory
from bopis.domain.orders import (
    cancellation,
    handover,
    holding,
    messages,
    paying,
    picking,
    placing,
    routing,
    short_picks,
    timers,
)
from bopis.domain.orders.decision import OrderDecision
from bopis.domain.orders.events import LinePicked
from bopis.domain.orders.offline import merging
from bopis.domain.orders.state import READY_STATES, STAGED_STATES, Line, LineState, Order, StoreWork
from bopis.domain.orders.vocabulary import Milestone

UNANSWERED = frozenset({LineState.OFFERED, LineState.PLACED, LineState.REROUTED, LineState.REJECTED, LineState.HELD})
ELSEWHERE = frozenset({LineState.REJECTED, LineState.WAITING, LineState.OFFERED})
HOLD_PENDING = frozenset({LineState.PLACED, LineState.REROUTED})


def decide(decision: OrderDecision, data: messages.OrderMessage) -> None:
    """Emit the events that follow from a message about an existing order, or one that is being placed.

    A command that is not carried out is refused by name. A report or an answer that changes nothing emits nothing.
    """
    RULES[type(data)](decision, data)
    if decision.events and decision.state is not None:
        _settle(decision)


def _no_change(_decision: OrderDecision, _answer: inventory.HoldExtended) -> None:
    """The order requested the extension and has folded it already."""


def _settle(decision: OrderDecision) -> None:
    """Emit what follows from the states of the lines, whatever message changed them."""
    # Lines before stores: a store is ready when its last line has become picked and staged.
    for line in decision.order.lines:
        if line.state is LineState.PICKING and not any(picking.needed(line)):
            decision.emit(LinePicked(stamp=decision.stamp, store=line.store, line=line.line))
    for work in decision.order.work:
        _settle_ready(decision, work)
    routing.settle_move(decision)
    _settle_confirmation(decision, decision.order)
    paying.settle_payment(decision)


def _settle_ready(decision: OrderDecision, work: StoreWork) -> None:
    """A store is ready when every line that it will still hand over is staged."""
    here = tuple(line for line in decision.order.in_store(work.store) if line.live and line.state not in ELSEWHERE)
    if any(line.state in READY_STATES for line in here) and any(_has_joined(line) for line in here):
        # Lines have joined goods that are ready: the customer would be called for half an order.
        decision.withdraw_ready(work.store)
    elif any(line.state is LineState.STAGED for line in here) and all(line.state in STAGED_STATES for line in here):
        handover.ready(decision, work.store, tuple(line for line in here if line.state is LineState.STAGED))


def _has_joined(line: Line) -> bool:
    """Whether a line that is not staged is part of the store's work; one whose hold is pending is not yet."""
    return line.state not in STAGED_STATES and line.state not in HOLD_PENDING


def _settle_confirmation(decision: OrderDecision, order: Order) -> None:
    """Confirm a new order to the customer once, when every line has its first answer."""
    live = order.live
    if Milestone.PLACED.value in order.notice_versions or not live or any(line.state in UNANSWERED for line in live):
        return
    # Every line has an answer now, so that the confirmation can name stores and times.
    decision.notify(Milestone.PLACED, live, live[0].store)


MessageRule = Callable[[OrderDecision, Any], None]
RULES: dict[type[messages.OrderMessage], MessageRule] = {
    messages.PlaceOrder: placing.place,
    **dict.fromkeys(paying.ANSWERS, paying.record_payment),
    messages.OrderRouted: routing.take_route,
    messages.RoutingFailed: routing.take_route,
    messages.AcceptAlternative: routing.answer_offer,
    messages.RefuseAlternative: routing.answer_offer,
    messages.MoveOrder: routing.move,
    messages.StockAppeared: routing.wake,
    messages.CancelOrder: cancellation.cancel,
    messages.OrderTick: timers.fire,
    messages.AcceptPick: picking.accept,
    messages.RejectPick: picking.reject,
    messages.StoreWithdrawn: picking.withdraw_store,
    messages.AssignPicker: picking.assign,
    messages.StartPicking: picking.start,
    messages.RecordPick: picking.record,
    messages.StageOrder: picking.stage,
    messages.WithdrawReady: picking.withdraw,
    messages.OfferSubstitute: short_picks.offer_substitute,
    messages.AcceptSubstitute: short_picks.answer_substitute,
    messages.RefuseSubstitute: short_picks.answer_substitute,
    messages.CustomerArrived: handover.arrive,
    messages.HandOver: handover.hand_over,
    messages.GoodsHandedOver: merging.record_goods,
    messages.ExtendPickup: handover.extend,
    messages.ReissueCode: handover.reissue,
    messages.ReturnInStore: handover.take_back,
    messages.ConfirmPutBack: handover.confirm_put_back,
    inventory.StockReserved: holding.reserved,
    inventory.ReservationRefused: holding.refused,
    inventory.HoldChanged: holding.hold_changed,
    inventory.HoldExtended: _no_change,
    inventory.HoldCommandRefused: holding.hold_refused,
    inventory.ShortPickFound: holding.short_pick_confirmed,
    inventory.ShortfallFound: holding.shortfall,
    inventory.DoubtSettled: holding.doubt_settled,
}
