"""What a hold covers of an order's lines: by what the inventory confirmed, and by what it has still to answer."""

from collections.abc import Iterable

from msgspec.structs import replace

from bopis.domain.orders import events as e
from bopis.domain.orders.edits import tidied, with_hold, with_line
from bopis.domain.orders.state import Hold, Line, Order, PartUnits
from bopis.domain.orders.units import PickedUnits


def covered(hold: Hold, line: int) -> tuple[int, ...]:
    """The numbers under which a hold covers units of a line, or may turn out to."""
    return tuple(it.number for it in hold.parts if it.line == line and (it.quantity > 0 or uncertain(hold, it.number)))


def uncertain(hold: Hold, number: int) -> bool:
    """Whether the inventory has still to say what became of units that were reported missing."""
    return any(it.number == number for report in hold.unconfirmed for it in report)


def missing_parts(hold: Hold, reported: Iterable[PickedUnits]) -> tuple[PartUnits, ...]:
    """Units that were reported missing, by their numbers in a hold."""
    missing = {(it.line, it.component): it.missing for it in reported if it.missing}
    found = ((it.number, missing.get((it.line, it.component), 0)) for it in hold.parts)
    return tuple(PartUnits(number=number, units=units) for number, units in found if units)


def with_unconfirmed(order: Order, name: str, missing: tuple[PartUnits, ...]) -> Order:
    """The order with units taken out of a hold's cover until the inventory answers the pick."""
    hold = order.hold(name)
    if hold is None or not missing:
        return order
    for it in missing:
        order = with_cover(order, name, it.number, it.units)
    return with_hold(order, name, unconfirmed=(*hold.unconfirmed, missing))


def with_confirmed(order: Order, name: str, gone: PartUnits) -> Order:
    """The order with missing units out of a hold for good; its cover is without them already if that was awaited."""
    hold = order.hold(name)
    if hold is None:
        return order
    place = next((place for place, report in enumerate(hold.unconfirmed) if gone in report), None)
    if place is None:
        return with_cover(order, name, gone.number, gone.units)
    left = tuple(it for it in hold.unconfirmed[place] if it != gone)
    reports = (*hold.unconfirmed[:place], left, *hold.unconfirmed[place + 1 :])
    return tidied(with_hold(order, name, unconfirmed=tuple(it for it in reports if it)))


def with_refused(order: Order, name: str) -> Order:
    """The order with the missing units of the oldest unanswered pick covered again."""
    hold = order.hold(name)
    if hold is None or not hold.unconfirmed:
        return order
    for it in hold.unconfirmed[0]:
        order = with_cover(order, name, it.number, -it.units)
    return with_hold(order, name, unconfirmed=hold.unconfirmed[1:])


def with_released(order: Order, lines: Iterable[int]) -> Order:
    """The order with the hold of each line given back for it: nothing more is reported about its numbers."""
    wanted = set(lines)
    for line in order.lines:
        if line.line in wanted:
            order = with_ended(order, line.hold, line.line)
    return order


def with_ended(order: Order, name: str, line: int) -> Order:
    """The order with a hold at its end for one line."""
    hold = order.hold(name)
    if hold is None:
        return order
    numbers = tuple(it.number for it in hold.parts if it.line == line and it.number not in hold.released)
    return with_hold(order, name, released=(*hold.released, *numbers))


def expected_units(hold: Hold | None, line: Line, component: int) -> PartUnits:
    """What the inventory is to book out of a hold for a component of a line that is handed over, at most all of it.

    While it is not known what the hold still covers, all is expected: the answer tells what is to be corrected.
    """
    wanted = line.parts[component].quantity * line.quantity
    parts = hold.parts if hold is not None else ()
    part = next((it for it in parts if (it.line, it.component) == (line.line, component)), None)
    if hold is None or part is None:
        return PartUnits(number=0, units=0)
    units = wanted if uncertain(hold, part.number) else max(0, min(wanted, part.quantity))
    return PartUnits(number=part.number, units=units)


def with_cover(order: Order, name: str, number: int, units: int) -> Order:
    """The order with so many units less in one part of a hold."""
    hold = order.hold(name)
    if hold is None:
        return order
    parts = tuple(replace(it, quantity=it.quantity - units) if it.number == number else it for it in hold.parts)
    return with_hold(order, name, parts=parts)


def _picked(order: Order, units: PickedUnits) -> Order:
    line = order.line(units.line)
    if line is None:
        return order
    picked = list(line.picked or (0,) * len(line.parts))
    picked[units.component] += units.picked
    return with_line(order, replace(line, picked=tuple(picked)))


def picks_recorded(order: Order, event: e.PickRecorded) -> Order:
    """The order with units set aside, and with what was missing out of its cover."""
    for units in event.units:
        order = _picked(order, units)
    for hold in order.holds:
        held = {it.line for it in order.lines if it.hold == hold.hold}
        missing = missing_parts(hold, [it for it in event.units if it.line in held])
        order = with_unconfirmed(order, hold.hold, missing)
    return order


def restated(order: Order, event: e.PickRestated) -> Order:
    """The order after a pick was refused: covered as before, but for what is now reported missing again."""
    order = with_refused(order, event.hold)
    hold = order.hold(event.hold)
    if hold is None:
        return order
    order = with_hold(order, event.hold, restated=hold.restated or bool(event.units))
    return tidied(with_unconfirmed(order, event.hold, missing_parts(hold, event.units)))
