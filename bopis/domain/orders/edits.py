"""Changes of an order's parts: each gives a new order, the old one stays as it was."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from bopis.domain.orders.state import Line, Order, StoreWork


def with_lines(order: Order, numbers: Iterable[int], **changes: Any) -> Order:
    """The order with fields of some lines changed."""
    wanted = set(numbers)
    return replace(order, lines=tuple(replace(it, **changes) if it.line in wanted else it for it in order.lines))


def with_line(order: Order, line: Line) -> Order:
    """The order with a line put in the place of the one of its number, or added."""
    if order.line(line.line) is None:
        return replace(order, lines=(*order.lines, line))
    return replace(order, lines=tuple(line if it.line == line.line else it for it in order.lines))


def with_work(order: Order, store: str, **changes: Any) -> Order:
    """The order with fields of a store's work changed; a store that had none gets some."""
    known = order.at(store)
    if known is None:
        return replace(order, work=(*order.work, StoreWork(store=store, **changes)))
    return replace(order, work=tuple(replace(it, **changes) if it.store == store else it for it in order.work))


def with_hold(order: Order, name: str, **changes: Any) -> Order:
    """The order with fields of a hold changed."""
    return replace(order, holds=tuple(replace(it, **changes) if it.hold == name else it for it in order.holds))


def without_asking(order: Order, numbers: Iterable[int]) -> Order:
    """The order with lines taken out of whatever was asked about them."""
    gone = set(numbers)
    asked = tuple(replace(it, lines=tuple(n for n in it.lines if n not in gone)) for it in order.asked)
    offers = tuple(replace(it, lines=tuple(n for n in it.lines if n not in gone)) for it in order.offers)
    return replace(order, asked=tuple(it for it in asked if it.lines), offers=tuple(it for it in offers if it.lines))


def tidied(order: Order) -> Order:
    """The order without the holds that no line refers to any more, and no answer that is still to come."""
    named = {it.hold for it in order.lines} | {it.leaving for it in order.lines}
    kept = tuple(it for it in order.holds if it.hold in named or it.collecting or it.unconfirmed)
    return order if len(kept) == len(order.holds) else replace(order, holds=kept)
