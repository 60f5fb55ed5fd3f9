"""From an order and a message to what is concluded: pure and total, one entry per message."""

from typing import assert_never

from bopis.domain.inventory import events as inventory
from bopis.domain.orders import counter, ending, holding, messages, picking, placing, routes, shorts, timers
from bopis.domain.orders.events import LinePicked
from bopis.domain.orders.outcomes import VoidRequested
from bopis.domain.orders.saga import Saga
from bopis.domain.orders.state import Line, LineState, Order, StoreWork
from bopis.domain.orders.terms import EndReason, Milestone, PaymentState

UNTOLD = frozenset({LineState.OFFERED, LineState.PLACED, LineState.REROUTED, LineState.REJECTED, LineState.HELD})
ASIDE = frozenset({LineState.STAGED, LineState.READY, LineState.ARRIVED})
KEPT = frozenset({LineState.READY, LineState.ARRIVED})
ELSEWHERE = frozenset({LineState.REJECTED, LineState.WAITING, LineState.OFFERED})
ON_THEIR_WAY = frozenset({LineState.PLACED, LineState.REROUTED})
UNCAPTURED = frozenset({PaymentState.AUTHORISING, PaymentState.DECLINED, PaymentState.AUTHORISED})


def decide(saga: Saga, data: messages.OrderMessage) -> None:
    """Conclude what follows from a message about an order that exists, or about one that is being placed.

    A command that is not carried out is refused by name; a report or an answer that changes nothing says nothing.
    """
    match data:
        case messages.PlaceOrder():
            placing.place(saga, data)
        case messages.PaymentAuthorised() | messages.PaymentDeclined() | messages.PaymentExhausted():
            placing.paid(saga, data)
        case messages.OrderRouted() | messages.RoutingFailed():
            routes.take_route(saga, data)
        case messages.AcceptAlternative() | messages.RefuseAlternative():
            routes.answer_offer(saga, data)
        case messages.StockAppeared():
            routes.wake(saga, data)
        case messages.CancelOrder():
            ending.cancel(saga, data)
        case messages.StoreWithdrawn():
            ending.store_withdrawn(saga, data)
            holding.go_on(saga, [it.line for it in saga.order.lines])
        case messages.Tick():
            timers.fire(saga)
        case _:
            _in_store(saga, data)
    if saga.concluded and saga.state is not None:
        _settle(saga)


def _in_store(saga: Saga, data: messages.StoreCommand | messages.Asked | messages.InventoryAnswer) -> None:
    match data:
        case messages.AcceptPick():
            picking.accept(saga, data)
        case messages.RejectPick():
            picking.reject(saga, data)
        case messages.AssignPicker():
            picking.assign(saga, data)
        case messages.StartPicking():
            picking.start(saga, data)
        case messages.RecordPick():
            picking.record(saga, data)
        case messages.StageOrder():
            picking.stage(saga, data)
        case messages.WithdrawReady():
            picking.withdraw(saga, data)
        case messages.OfferSubstitute():
            shorts.offer_substitute(saga, data)
        case messages.AcceptSubstitute() | messages.RefuseSubstitute():
            shorts.answer_substitute(saga, data)
        case messages.CustomerArrived():
            counter.arrive(saga, data)
        case messages.HandOver():
            counter.hand_over(saga, data)
        case messages.ExtendPickup():
            counter.extend(saga, data)
        case messages.ReissueCode():
            counter.reissue(saga, data)
        case messages.ReturnInStore():
            counter.bring_back(saga, data)
        case messages.ConfirmPutBack():
            counter.confirm_put_back(saga, data)
        case _:
            _of_the_inventory(saga, data)


def _of_the_inventory(saga: Saga, data: messages.InventoryAnswer) -> None:
    match data:
        case inventory.StockReserved():
            holding.reserved(saga, data)
        case inventory.ReservationRefused():
            holding.refused(saga, data)
        case inventory.HoldChanged():
            holding.hold_changed(saga, data)
        case inventory.HoldCommandRefused():
            holding.hold_refused(saga, data)
        case inventory.ShortfallFound():
            holding.shortfall(saga, data)
        case inventory.DoubtSettled():
            holding.doubt_settled(saga, data)
        case inventory.ShortPickFound():
            holding.missing_confirmed(saga, data)
        case inventory.HoldExtended():
            pass  # the order knew: it asked for it
        case _:
            assert_never(data)


def _settle(saga: Saga) -> None:
    """What follows from where the lines stand now, whatever moved them."""
    for line in saga.order.lines:
        if line.state is LineState.PICKING and not any(picking.needed(line)):
            saga.say(LinePicked(stamp=saga.stamp, store=line.store, line=line.line))
    for work in saga.order.work:
        _settle_ready(saga, work)
    _settle_telling(saga, saga.order)
    _settle_payment(saga, saga.order)


def _settle_ready(saga: Saga, work: StoreWork) -> None:
    """A store is ready when every line that it will still hand over is staged."""
    here = tuple(it for it in saga.order.in_store(work.store) if it.live and it.state not in ELSEWHERE)
    if any(it.state in KEPT for it in here) and any(_joined(it) for it in here):
        saga.withdraw_ready(work.store)
    elif any(it.state is LineState.STAGED for it in here) and all(it.state in ASIDE for it in here):
        counter.ready(saga, work.store, tuple(it for it in here if it.state is LineState.STAGED))


def _joined(line: Line) -> bool:
    """Whether a line that is not staged belongs to the store's work, and is not only asked for there."""
    return line.state not in ASIDE and line.state not in ON_THEIR_WAY


def _settle_telling(saga: Saga, order: Order) -> None:
    """The customer hears of a new order once, when every line has its first answer."""
    live = order.live
    if Milestone.PLACED.value in order.told or not live or any(it.state in UNTOLD for it in live):
        return
    saga.notice(Milestone.PLACED, live, live[0].store)


def _settle_payment(saga: Saga, order: Order) -> None:
    """When nothing more will leave a store, what is authorised beyond the captured is given back, once."""
    if order.live or order.voided or not order.methods or order.payment not in UNCAPTURED:
        return
    if any(it.state in (LineState.CANCELLED, LineState.EXPIRED) for it in order.lines):
        saga.say(VoidRequested(stamp=saga.stamp, reason=EndReason.OTHER))
