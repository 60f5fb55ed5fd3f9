"""Updates of an order's parts: each returns a new order and leaves the given one unchanged."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from bopis.domain.orders.state import ExcludedStore, Line, Order, StoreWork


def with_lines(order: Order, numbers: Iterable[int], **changes: Any) -> Order:
    """Change fields of the lines with these numbers."""
    wanted = set(numbers)
    return replace(
        order, lines=tuple(replace(line, **changes) if line.line in wanted else line for line in order.lines)
    )


def with_line(order: Order, line: Line) -> Order:
    """Replace the line of the same number, or add the line."""
    if order.line(line.line) is None:
        return replace(order, lines=(*order.lines, line))
    return replace(order, lines=tuple(line if known.line == line.line else known for known in order.lines))


def with_work(order: Order, store: str, **changes: Any) -> Order:
    """Change fields of a store's work; a store without work gets one."""
    if order.at(store) is None:
        return replace(order, work=(*order.work, StoreWork(store=store, **changes)))
    return replace(order, work=tuple(replace(work, **changes) if work.store == store else work for work in order.work))


def with_hold(order: Order, name: str, **changes: Any) -> Order:
    """Change fields of a hold; no change when the order has no such hold."""
    return replace(order, holds=tuple(replace(hold, **changes) if hold.hold == name else hold for hold in order.holds))


def without_pending(order: Order, numbers: Iterable[int]) -> Order:
    """Take lines out of pending routes and offers; drop those that are left without lines."""
    gone = set(numbers)
    routes = tuple(
        replace(route, lines=tuple(n for n in route.lines if n not in gone)) for route in order.pending_routes
    )
    offers = tuple(replace(offer, lines=tuple(n for n in offer.lines if n not in gone)) for offer in order.offers)
    return replace(
        order,
        pending_routes=tuple(route for route in routes if route.lines),
        offers=tuple(offer for offer in offers if offer.lines),
    )


def without_settled_holds(order: Order) -> Order:
    """Drop the holds that no line refers to and for which no answer of the inventory is pending."""
    # An answer of the inventory names a hold: while one is pending, the hold is needed to understand it.
    named = {line.hold for line in order.lines} | {line.leaving for line in order.lines}
    kept = tuple(hold for hold in order.holds if hold.hold in named or hold.collecting or hold.unconfirmed)
    return order if len(kept) == len(order.holds) else replace(order, holds=kept)


def with_excluded(order: Order, store: str, skus: Iterable[str]) -> Order:
    """Exclude a store from routing for SKUs; the empty SKU excludes it for the whole order."""
    new = (ExcludedStore(store=store, sku=sku) for sku in skus)
    return replace(order, excluded=tuple(dict.fromkeys((*order.excluded, *new))))
