"""Picking: the units that orders still need, one pick list for several orders, and how found units are shared. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.picking import needed
from bopis.domain.orders.state import LineState, Order
from bopis.services.catalogue import NO_CATALOGUE, Catalogue
from bopis.services.counter.errors import NotDone

TO_PICK = frozenset({LineState.ACCEPTED, LineState.PICKING})
PICKABLE_SOON = TO_PICK | {LineState.PROMISED}  # the order itself refuses a pick before it was accepted


class PickNeed(Struct, frozen=True, kw_only=True):
    """Units of a SKU that one line of an order still needs from the shelf."""

    order: str
    line: int
    sku: str
    units: int
    is_kit: bool
    due_ms: int = 0


class Stop(Struct, frozen=True, kw_only=True):
    """One SKU of a pick list: the units that all orders need, and each order's share."""

    sku: str
    units: int
    orders: tuple[tuple[str, int], ...]


def needs(order: Order, store: str, states: frozenset[LineState] = TO_PICK) -> list[PickNeed]:
    """The units that an order still needs from the shelf of a store, line by line."""
    work = order.at(store)
    found = []
    for line in order.in_store(store):
        if line.state not in states:
            continue
        for part, units in zip(line.parts, needed(line), strict=True):
            if units:
                found.append(
                    PickNeed(
                        order=order.order,
                        line=line.line,
                        sku=part.sku,
                        units=units,
                        is_kit=bool(line.components),
                        due_ms=work.ready_by_ms if work is not None else 0,
                    )
                )
    return found


def walk(all_needs: Iterable[PickNeed]) -> list[Stop]:
    """One pick list for several orders, by SKU. For each SKU the order that is due first is listed first."""
    by_sku: dict[str, dict[str, int]] = {}
    for need in _by_due(all_needs):
        orders = by_sku.setdefault(need.sku, {})
        orders[need.order] = orders.get(need.order, 0) + need.units
    return [
        Stop(sku=sku, units=sum(orders.values()), orders=tuple(orders.items()))
        for sku, orders in sorted(by_sku.items())
    ]


def share_out(
    all_needs: Sequence[PickNeed],
    picked: Mapping[str, int],
    missing: Mapping[str, int],
    catalogue: Catalogue = NO_CATALOGUE,
) -> dict[str, tuple[PickedLine, ...]]:
    """Found and missing units as picked lines by order. Found units go to the order that is due first, missing units
    to the one that is due last.

    Raises `NotDone` if more units of a SKU are given than are needed.
    """
    left, lacking = dict(picked), dict(missing)
    taken: dict[tuple[str, int, str], int] = {}
    for need in _by_due(all_needs):
        units = min(need.units, left.get(need.sku, 0))
        left[need.sku] = left.get(need.sku, 0) - units
        taken[need.order, need.line, need.sku] = units
    found: dict[str, list[PickedLine]] = {}
    for need in reversed(_by_due(all_needs)):
        units = taken[need.order, need.line, need.sku]
        short = min(need.units - units, lacking.get(need.sku, 0))
        lacking[need.sku] = lacking.get(need.sku, 0) - short
        if units or short:
            sku = need.sku if need.is_kit else None
            picked_line = PickedLine(line=need.line, picked=units, missing=short, sku=sku)
            found.setdefault(need.order, []).insert(0, picked_line)
    _refuse_excess(all_needs, [*left.items(), *lacking.items()], catalogue)
    return {order: tuple(lines) for order, lines in found.items()}


def _refuse_excess(all_needs: Iterable[PickNeed], rest: Iterable[tuple[str, int]], catalogue: Catalogue) -> None:
    """Raise `NotDone` for units that no order needs; a code that is in none of them is told from one picked twice."""
    needed_skus = {it.sku for it in all_needs}
    over = {sku: units for sku, units in rest if units > 0}
    strange = [sku for sku in over if sku not in needed_skus]
    if strange:
        which = ", ".join(strange)
        verb = "is" if len(strange) == 1 else "are"
        raise NotDone(why=f"{which} {verb} not to be picked: write the SKU or GTIN of a line. Nothing was recorded.")
    if over:
        listed = ", ".join(catalogue.goods(units, sku) for sku, units in over.items())
        raise NotDone(why=f"This is more than the orders need: {listed} would be left over. Nothing was recorded.")


def _by_due(all_needs: Iterable[PickNeed]) -> list[PickNeed]:
    # Within an order kits come first, because one missing component would make the whole kit short.
    return sorted(all_needs, key=lambda it: (it.due_ms, it.order, not it.is_kit, it.line, it.sku))
