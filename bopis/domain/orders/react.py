"""Stock requests of an order, by event: the commands and reports that an event sends to the stock of a store.

`REACTIONS` names the reaction of every event type. An event without an entry raises `KeyError`, so that a request
cannot be forgotten.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from bopis.domain.inventory import messages as stock
from bopis.domain.orders import events as e
from bopis.domain.orders.hold_coverage import covered_numbers, split_parts
from bopis.domain.orders.state import Order
from bopis.domain.orders.vocabulary import LineSum, RejectReason, ShortCause
from bopis.domain.values import ChangeLine

# Reasons for which a store rejects units that nobody can vouch for.
DOUBTING = frozenset({RejectReason.NOT_FOUND, RejectReason.DAMAGED})
NOTHING_DOUBTED: Mapping[int, tuple[int, ...]] = MappingProxyType({})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

StockRequestData = (
    stock.ReserveStock
    | stock.ReleaseStock
    | stock.CollectStock
    | stock.ExtendHold
    | stock.SplitHold
    | stock.StockPicked
    | stock.StockAdjusted
    | stock.PosReturn
)


class StockRequest(Struct, frozen=True, kw_only=True):
    """One message for the stock of a store."""

    store: str
    data: StockRequestData


StockRequests = tuple[StockRequest, ...]


def react(order: Order, event: e.Event) -> StockRequests:
    """Stock requests that follow from an event; ``order`` is the order before the event."""
    return REACTIONS[type(event)](order, event)


def instant(ms: int) -> datetime:
    """Milliseconds since the epoch as an aware UTC instant."""
    return EPOCH + timedelta(milliseconds=ms)


def _no_request(_order: Order, _event: e.Event) -> StockRequests:
    return ()


def _reserve(order: Order, event: e.HoldRequested | e.MoveHoldRequested) -> StockRequests:
    lines = tuple(stock.OrderLine(line=part.number, sku=part.sku, quantity=part.quantity) for part in event.parts)
    reserve = stock.ReserveStock(
        hold=event.hold,
        order=order.order,
        lines=lines,
        hold_until=instant(event.hold_until_ms),
        promised_for=instant(event.promised_for_ms),
    )
    return (StockRequest(store=event.store, data=reserve),)


def _extend_held(order: Order, event: e.HoldsProlonged) -> StockRequests:
    return _extend(order, event.lines, event.hold_until_ms)


def _extend_promised(order: Order, event: e.OrderPromised) -> StockRequests:
    return _extend(order, event.lines, event.hold_until_ms, event.ready_by_ms)


def _extend_to_window(order: Order, event: e.OrderReady | e.ArrivalRecorded) -> StockRequests:
    return _extend(order, event.lines, event.hold_until_ms)


def _extend_store(order: Order, event: e.WindowExtended) -> StockRequests:
    lines = [line.line for line in order.in_store(event.store) if line.live]
    return _extend(order, lines, event.hold_until_ms)


def _split_hold(order: Order, event: e.LineSplit) -> StockRequests:
    """Split the hold as the order's line was split, so that each part of the line ends apart."""
    line = order.line(event.line)
    hold = order.hold(line.hold) if line is not None else None
    if line is None or hold is None:
        return ()
    lines = tuple(
        stock.SplitLine(line=part.number, into=part.into, quantity=part.units, picked=part.picked)
        for part in split_parts(order, line, event.quantity)
    )
    return (StockRequest(store=hold.store, data=stock.SplitHold(hold=hold.hold, lines=lines)),) if lines else ()


def _release_rejected(order: Order, event: e.LinesRejected) -> StockRequests:
    doubted = {line.line: line.unpicked for line in order.lines} if event.reason in DOUBTING else {}
    return _release(order, event.lines, event.reason.value, doubted)


def _release_cancelled(order: Order, event: e.OrderCancelled) -> StockRequests:
    return _release(order, event.lines, event.reason.value)


def _release_expired(order: Order, event: e.OrderExpired) -> StockRequests:
    return _release(order, event.lines, "not_collected")


def _release_moved(order: Order, event: e.OrderMoved) -> StockRequests:
    return _release(order, [line.line for line in event.lines], "moved")


def _release_not_moved(order: Order, event: e.MoveEnded) -> StockRequests:
    """Release all that the new store holds, or is about to hold: the release follows the request to the same store."""
    move = order.move
    if move is None or not event.hold:
        return ()
    numbers = tuple(part.number for part in move.parts)
    release = stock.ReleaseStock(hold=event.hold, lines=numbers, reason=event.reason.value)
    return (StockRequest(store=event.store, data=release),)


def _release_short(order: Order, event: e.LineShort) -> StockRequests:
    """All of a line is short while its hold covers other units of it: the other components of a kit."""
    line = order.line(event.line)
    hold = order.hold(line.hold) if line is not None and event.into == event.line else None
    if hold is None or not any(part.line == event.line and part.quantity > 0 for part in hold.parts):
        return ()
    # Goods lost or damaged in staging are missing from the shelf, too: all of them are in doubt.
    is_lost = event.cause is ShortCause.STAGING and line is not None
    doubted = {line.line: tuple(it.quantity * line.quantity for it in line.parts)} if line and is_lost else {}
    return _release(order, (event.line,), "short", doubted)


def _report_pick(order: Order, event: e.PickRecorded) -> StockRequests:
    """One report per hold; units that no hold covers are in hand, but in no hold of the inventory."""
    reports = []
    for hold in order.holds:
        lines = []
        for units in event.units:
            line = order.line(units.line)
            if line is None or line.hold != hold.hold:
                continue
            number = next(it.number for it in hold.parts if (it.line, it.component) == (units.line, units.component))
            lines.append(stock.PickLine(line=number, picked=units.picked, missing=units.missing))
        if lines:
            report = stock.StockPicked(hold=hold.hold, lines=tuple(lines))
            reports.append(StockRequest(store=hold.store, data=report))
    return tuple(reports)


def _report_restated(order: Order, event: e.PickRestated) -> StockRequests:
    hold = order.hold(event.hold)
    if hold is None or not event.units:
        return ()
    numbers = {(part.line, part.component): part.number for part in hold.parts}
    lines = tuple(
        stock.PickLine(line=numbers[units.line, units.component], picked=units.picked, missing=units.missing)
        for units in event.units
    )
    return (StockRequest(store=hold.store, data=stock.StockPicked(hold=hold.hold, lines=lines)),)


def _collect(order: Order, event: e.OrderHandedOver) -> StockRequests:
    collected = tuple(
        StockRequest(store=event.store, data=stock.CollectStock(hold=it.hold, lines=it.numbers))
        for it in event.collected
    )
    return collected + _correct(event.store, event.uncovered, order.order)


def _recall(order: Order, event: e.HandoverConflictFound) -> StockRequests:
    """Release what another store still holds of lines that were handed over here; correct units of no line."""
    return _release(order, event.recalled, "handed_over") + _correct(event.store, event.uncovered, order.order)


def _correct_books(order: Order, event: e.BooksCorrected) -> StockRequests:
    return _correct(event.store, event.lines, order.order)


def _return(order: Order, event: e.OrderReturned) -> StockRequests:
    lines = []
    for units in event.units:
        line = order.line(units.line)
        for part in line.parts if line is not None else ():
            lines.append(
                stock.ReturnLine(sku=part.sku, quantity=part.quantity * units.quantity, condition=units.condition)
            )
    return (StockRequest(store=event.store, data=stock.PosReturn(basket=order.order, lines=tuple(lines))),)


def _extend(order: Order, lines: Iterable[int], until_ms: int, promised_ms: int = 0) -> StockRequests:
    """Extend the holds of lines; ``promised_ms`` is told where it is later than the promise the hold was asked for."""
    wanted = set(lines)
    # Lines of one event may be covered by several holds of the store.
    names = {line.hold for line in order.lines if line.line in wanted and line.hold}
    return tuple(
        StockRequest(
            store=hold.store,
            data=stock.ExtendHold(
                hold=hold.hold,
                hold_until=instant(until_ms),
                promised_for=instant(promised_ms) if promised_ms > hold.promised_for_ms else None,
            ),
        )
        for hold in order.holds
        if hold.hold in names
    )


def _release(
    order: Order, lines: Iterable[int], reason: str, doubted: Mapping[int, tuple[int, ...]] = NOTHING_DOUBTED
) -> StockRequests:
    """Release what holds still cover of lines; a line that is leaving its hold already is not released twice.

    ``doubted`` are units of each component that stay in doubt, by line.
    """
    wanted = set(lines)
    requests = []
    for hold in order.holds:
        numbers: list[int] = []
        for line in order.lines:
            if line.line in wanted and line.hold == hold.hold:
                # Units that may turn out to be covered are released as well: a refusal is harmless, a forgotten unit
                # is not.
                numbers += covered_numbers(hold, line.line)
        if numbers:
            in_doubt = tuple(
                stock.DoubtedLine(line=part.number, units=doubted[part.line][part.component])
                for part in hold.parts
                if part.number in numbers and part.line in doubted and doubted[part.line][part.component]
            )
            release = stock.ReleaseStock(hold=hold.hold, lines=tuple(sorted(numbers)), reason=reason, in_doubt=in_doubt)
            requests.append(StockRequest(store=hold.store, data=release))
    return tuple(requests)


def _correct(store: str, lines: Iterable[LineSum], order: str) -> StockRequests:
    per_sku: dict[str, int] = {}
    for line in lines:
        # Corrections of one SKU may cancel each other out.
        per_sku[line.sku] = per_sku.get(line.sku, 0) - line.quantity
    changes = tuple(ChangeLine(sku=sku, change=change) for sku, change in per_sku.items() if change)
    if not changes:
        return ()
    note = f"order {order} was handed over without a hold"
    adjusted = stock.StockAdjusted(reason=stock.AdjustmentReason.CORRECTION, lines=changes, note=note)
    return (StockRequest(store=store, data=adjusted),)


Reaction = Callable[[Order, Any], StockRequests]
WITHOUT_REQUEST: tuple[type[e.Event], ...] = (
    e.OrderPlaced,
    e.CommandRefused,
    e.RoutingRequested,
    e.RouteTaken,
    e.AlternativeOffered,
    e.AlternativeAnswered,
    e.LinesWaiting,
    e.MoveRequested,
    e.LinesHeld,
    e.HoldRefused,
    e.LinesFreed,
    e.CoverLost,
    e.ShortPickConfirmed,
    e.CollectionAnswered,
    e.PickAccepted,
    e.AcceptOverdue,
    e.PickerAssigned,
    e.PickingStarted,
    e.LinePicked,
    e.SubstituteOffered,
    e.SubstituteAnswered,
    e.OrderStaged,
    e.TaskRaised,
    e.TaskClosed,
    e.ReadyWithdrawn,
    e.CodeFailed,
    e.CodeReissued,
    e.PaymentRequested,
    e.PaymentAnswered,
    e.PaymentAmountChanged,
    e.CaptureRequested,
    e.VoidRequested,
    e.RefundRequested,
    e.NoticeDue,
)
REACTIONS: dict[type[e.Event], Reaction] = {
    e.LineSplit: _split_hold,
    e.HoldRequested: _reserve,
    e.MoveHoldRequested: _reserve,
    e.OrderMoved: _release_moved,
    e.MoveEnded: _release_not_moved,
    e.OrderPromised: _extend_promised,
    e.HoldsProlonged: _extend_held,
    e.OrderReady: _extend_to_window,
    e.ArrivalRecorded: _extend_to_window,
    e.WindowExtended: _extend_store,
    e.LinesRejected: _release_rejected,
    e.OrderCancelled: _release_cancelled,
    e.OrderExpired: _release_expired,
    e.LineShort: _release_short,
    e.PickRecorded: _report_pick,
    e.PickRestated: _report_restated,
    e.OrderHandedOver: _collect,
    e.HandoverConflictFound: _recall,
    e.BooksCorrected: _correct_books,
    e.OrderReturned: _return,
    **dict.fromkeys(WITHOUT_REQUEST, _no_request),
}
