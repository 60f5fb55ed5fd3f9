"""What an order asks of the inventory, by event: commands and reports for the stock of a store."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from bopis.domain.inventory import messages as stock
from bopis.domain.orders import events as e
from bopis.domain.orders import outcomes as o
from bopis.domain.orders.cover import covered
from bopis.domain.orders.state import Order
from bopis.domain.orders.terms import LineSum

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Said = (
    stock.ReserveStock
    | stock.ReleaseStock
    | stock.CollectStock
    | stock.ExtendHold
    | stock.StockPicked
    | stock.StockAdjusted
    | stock.PosReturn
)


class ToStock(Struct, frozen=True, kw_only=True):
    """One message for the stock of a store."""

    store: str
    data: Said


def react(order: Order, event: o.Event) -> tuple[ToStock, ...]:
    """What leaves because of an event; ``order`` as it stood before the event."""
    match event:
        case e.HoldRequested():
            return (_reserve(order, event),)
        case e.OrderPromised():
            return _extend(order, event.lines, event.hold_until_ms)
        case o.OrderReady() | o.ArrivalRecorded():
            return _extend(order, event.lines, event.hold_until_ms)
        case o.WindowExtended():
            lines = [it.line for it in order.in_store(event.store) if it.live]
            return _extend(order, lines, event.hold_until_ms)
        case e.LinesRejected():
            return _release(order, event.lines, event.reason.value)
        case o.OrderCancelled():
            return _release(order, event.lines, event.reason.value)
        case o.OrderExpired():
            return _release(order, event.lines, "not_collected")
        case e.LineShort():
            return _release(order, (event.line,), "short") if _holds_on(order, event) else ()
        case e.PickRecorded():
            return _picked(order, event)
        case e.PickRestated():
            return _restated(order, event)
        case o.OrderHandedOver():
            collected = tuple(
                ToStock(store=event.store, data=stock.CollectStock(hold=it.hold, lines=it.numbers))
                for it in event.collected
            )
            return collected + _corrected(event.store, event.uncovered, order.order)
        case o.BooksCorrected():
            return _corrected(event.store, event.lines, order.order)
        case o.OrderReturned():
            return (_returned(order, event),)
        case _:
            return ()


def instant(ms: int) -> datetime:
    """Milliseconds of the epoch as an aware instant."""
    return EPOCH + timedelta(milliseconds=ms)


def _reserve(order: Order, event: e.HoldRequested) -> ToStock:
    lines = tuple(stock.OrderLine(line=it.number, sku=it.sku, quantity=it.quantity) for it in event.parts)
    wanted = stock.ReserveStock(
        hold=event.hold,
        order=order.order,
        lines=lines,
        hold_until=instant(event.hold_until_ms),
        promised_for=instant(event.promised_for_ms),
    )
    return ToStock(store=event.store, data=wanted)


def _extend(order: Order, lines: Iterable[int], until_ms: int) -> tuple[ToStock, ...]:
    return tuple(
        ToStock(store=hold.store, data=stock.ExtendHold(hold=hold.hold, hold_until=instant(until_ms)))
        for hold in order.holds
        if hold.hold in _holds_of(order, lines)
    )


def _holds_of(order: Order, lines: Iterable[int]) -> set[str]:
    wanted = set(lines)
    return {line.hold for line in order.lines if line.line in wanted and line.hold}


def _release(order: Order, lines: Iterable[int], reason: str) -> tuple[ToStock, ...]:
    """Give back what holds still cover of lines; what is being given back already is not given back twice."""
    wanted = set(lines)
    found = []
    for hold in order.holds:
        numbers: list[int] = []
        for line in order.lines:
            if line.line in wanted and line.hold == hold.hold:
                numbers += covered(hold, line.line)
        if numbers:
            data = stock.ReleaseStock(hold=hold.hold, lines=tuple(sorted(numbers)), reason=reason)
            found.append(ToStock(store=hold.store, data=data))
    return tuple(found)


def _holds_on(order: Order, event: e.LineShort) -> bool:
    """Whether all of a line is short while its hold covers other units of it: the components of a kit."""
    line = order.line(event.line)
    hold = order.hold(line.hold) if line is not None and event.into == event.line else None
    return hold is not None and any(it.line == event.line and it.quantity > 0 for it in hold.parts)


def _restated(order: Order, event: e.PickRestated) -> tuple[ToStock, ...]:
    hold = order.hold(event.hold)
    if hold is None or not event.units:
        return ()
    numbers = {(it.line, it.component): it.number for it in hold.parts}
    lines = tuple(
        stock.PickLine(line=numbers[it.line, it.component], picked=it.picked, missing=it.missing) for it in event.units
    )
    return (ToStock(store=hold.store, data=stock.StockPicked(hold=hold.hold, lines=lines)),)


def _picked(order: Order, event: e.PickRecorded) -> tuple[ToStock, ...]:
    """One report per hold; units that no hold covers any more are in hand, but not in the books of holds."""
    reports = []
    for hold in order.holds:
        found = []
        for units in event.units:
            line = order.line(units.line)
            if line is None or line.hold != hold.hold:
                continue
            number = next(it.number for it in hold.parts if (it.line, it.component) == (units.line, units.component))
            found.append(stock.PickLine(line=number, picked=units.picked, missing=units.missing))
        if found:
            report = stock.StockPicked(hold=hold.hold, lines=tuple(found))
            reports.append(ToStock(store=hold.store, data=report))
    return tuple(reports)


def _corrected(store: str, lines: Iterable[LineSum], order: str) -> tuple[ToStock, ...]:
    per_sku: dict[str, int] = {}
    for it in lines:
        per_sku[it.sku] = per_sku.get(it.sku, 0) - it.quantity
    changes = tuple(stock.ChangeLine(sku=sku, change=change) for sku, change in per_sku.items() if change)
    if not changes:
        return ()
    note = f"order {order} was handed over without a hold"
    adjusted = stock.StockAdjusted(reason=stock.Reason.CORRECTION, lines=changes, note=note)
    return (ToStock(store=store, data=adjusted),)


def _returned(order: Order, event: o.OrderReturned) -> ToStock:
    lines = []
    for units in event.units:
        line = order.line(units.line)
        for part in line.parts if line is not None else ():
            lines.append(
                stock.ReturnLine(sku=part.sku, quantity=part.quantity * units.quantity, condition=units.condition)
            )
    return ToStock(store=event.store, data=stock.PosReturn(basket=order.order, lines=tuple(lines)))
