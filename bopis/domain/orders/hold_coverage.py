"""Units of an order's lines that a hold covers: by the inventory's answers so far, and by those still pending."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from bopis.domain.orders.lines import HeldPart, PickedUnits, Take
from bopis.domain.orders.order_updates import with_hold, without_settled_holds
from bopis.domain.orders.state import Line, Order, OrderHold, PartUnits


def covered_numbers(hold: OrderHold, line: int) -> tuple[int, ...]:
    """Numbers of the hold's lines that cover units of an order line, or may after a pending answer."""
    return tuple(
        part.number
        for part in hold.parts
        if part.line == line and (part.quantity > 0 or is_unconfirmed(hold, part.number))
    )


def is_unconfirmed(hold: OrderHold, number: int) -> bool:
    """Whether units of a hold's line were reported missing and the inventory has not answered."""
    return any(units.number == number for report in hold.unconfirmed for units in report)


def missing_parts(hold: OrderHold, reported: Iterable[PickedUnits]) -> tuple[PartUnits, ...]:
    """Units reported missing, by line number of the hold."""
    missing = {(units.line, units.component): units.missing for units in reported if units.missing}
    found = ((part.number, missing.get((part.line, part.component), 0)) for part in hold.parts)
    # Lines of other holds have no number here and are left out.
    return tuple(PartUnits(number=number, units=units) for number, units in found if units)


def held_parts(order: Order, takes: Iterable[Take]) -> tuple[HeldPart, ...]:
    """Lines of a hold: one for each component of each order line."""
    parts: list[HeldPart] = []
    for take in takes:
        line = order.line(take.line)
        for component, part in enumerate(line.parts if line is not None else ()):
            units = part.quantity * take.quantity
            number = len(parts) + 1
            parts.append(HeldPart(number=number, line=take.into, component=component, sku=part.sku, quantity=units))
    return tuple(parts)


class SplitUnits(NamedTuple):
    """Units of a hold's line ``number`` that become its line ``into``; ``picked`` of them are set aside."""

    number: int
    into: int
    component: int
    units: int
    picked: int


def highest_number(order: Order, name: str) -> int:
    """Highest line number of a hold; 0 without a hold."""
    hold = order.hold(name)
    return max((part.number for part in hold.parts), default=0) if hold is not None else 0


def split_picked(line: Line, quantity: int) -> tuple[int, ...]:
    """Units set aside of each component that go with ``quantity`` units split off a line: as few as possible."""
    left = line.quantity - quantity
    return tuple(max(0, picked - part.quantity * left) for part, picked in zip(line.parts, line.picked, strict=False))


def split_parts(order: Order, line: Line, quantity: int) -> tuple[SplitUnits, ...]:
    """How a line's hold is split when ``quantity`` units are split off the line; the rest keeps what it needs."""
    hold = order.hold(line.hold)
    if hold is None:
        return ()
    picked = split_picked(line, quantity) or (0,) * len(line.parts)
    left = line.quantity - quantity
    parts = [part for part in hold.parts if part.line == line.line]
    return tuple(
        SplitUnits(
            number=part.number,
            into=into,
            component=part.component,
            units=max(0, part.quantity - left * line.parts[part.component].quantity),
            picked=picked[part.component],
        )
        for into, part in enumerate(parts, highest_number(order, line.hold) + 1)
    )


def expected_units(hold: OrderHold | None, line: Line, component: int) -> PartUnits:
    """Units that the inventory should book out of a hold when a line is handed over; number 0 without a hold.

    At most the whole component. While a short pick is unconfirmed all of it is expected: the inventory's answer then
    tells which units to correct.
    """
    wanted = line.parts[component].quantity * line.quantity
    parts = hold.parts if hold is not None else ()
    part = next((it for it in parts if (it.line, it.component) == (line.line, component)), None)
    if hold is None or part is None:
        return PartUnits(number=0, units=0)
    units = wanted if is_unconfirmed(hold, part.number) else max(0, min(wanted, part.quantity))
    return PartUnits(number=part.number, units=units)


def with_coverage_reduced(order: Order, name: str, gone: PartUnits) -> Order:
    """Reduce the coverage of one part of a hold; negative units restore it."""
    hold = order.hold(name)
    if hold is None:
        return order
    parts = tuple(
        replace(part, quantity=part.quantity - gone.units) if part.number == gone.number else part
        for part in hold.parts
    )
    return with_hold(order, name, parts=parts)


def with_unconfirmed(order: Order, name: str, missing: tuple[PartUnits, ...]) -> Order:
    """Take missing units out of a hold's coverage until the inventory answers the pick."""
    hold = order.hold(name)
    if hold is None or not missing:
        return order
    for units in missing:
        order = with_coverage_reduced(order, name, units)
    return with_hold(order, name, unconfirmed=(*hold.unconfirmed, missing))


def with_short_pick_confirmed(order: Order, name: str, gone: PartUnits) -> Order:
    """Take missing units out of a hold for good. Its coverage already lacks them if the pick was unconfirmed."""
    hold = order.hold(name)
    if hold is None:
        return order
    index = next((index for index, report in enumerate(hold.unconfirmed) if gone in report), None)
    # The pick was answered or restated before: the units are still in the coverage.
    if index is None:
        return with_coverage_reduced(order, name, gone)
    left = tuple(units for units in hold.unconfirmed[index] if units != gone)
    reports = (*hold.unconfirmed[:index], left, *hold.unconfirmed[index + 1 :])
    order = with_hold(order, name, unconfirmed=tuple(report for report in reports if report))
    return without_settled_holds(order)


def with_short_pick_refused(order: Order, name: str) -> Order:
    """Restore the coverage of the oldest unanswered pick's missing units."""
    hold = order.hold(name)
    if hold is None or not hold.unconfirmed:
        return order
    for units in hold.unconfirmed[0]:
        order = with_coverage_reduced(order, name, PartUnits(number=units.number, units=-units.units))
    return with_hold(order, name, unconfirmed=hold.unconfirmed[1:])


def with_released(order: Order, lines: Iterable[int]) -> Order:
    """Mark the hold of each line as released for it; nothing more is reported about those numbers."""
    wanted = set(lines)
    for line in order.lines:
        if line.line in wanted:
            order = with_line_released(order, line.hold, line.line)
    return order


def with_line_released(order: Order, name: str, line: int) -> Order:
    """Mark a hold as released for one line."""
    hold = order.hold(name)
    if hold is None:
        return order
    numbers = tuple(part.number for part in hold.parts if part.line == line and part.number not in hold.released)
    return with_hold(order, name, released=(*hold.released, *numbers))
