"""What is taken from the shelf: what an order still needs, how found units are shared out, one walk for many. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from bopis.domain.orders.picking import needed
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.units import PickedLine
from bopis.services.counter.errors import NotDone

TO_PICK = frozenset({LineState.ACCEPTED, LineState.PICKING})
PICKABLE_SOON = TO_PICK | {LineState.PROMISED}  # a pick of what nobody accepted is refused by the order, by name


class Need(Struct, frozen=True, kw_only=True):
    """Units of a SKU that one line of an order still takes from the shelf."""

    order: str
    line: int
    sku: str
    units: int
    is_kit: bool
    due_ms: int = 0


class Stop(Struct, frozen=True, kw_only=True):
    """One place of a walk: all units of a SKU that orders need, and which order takes how many."""

    sku: str
    units: int
    orders: tuple[tuple[str, int], ...]


def needs(order: Order, store: str, states: frozenset[LineState] = TO_PICK) -> list[Need]:
    """What an order still takes from the shelf of a store, line by line."""
    work = order.at(store)
    found = []
    for line in order.in_store(store):
        if line.state not in states:
            continue
        for part, units in zip(line.parts, needed(line), strict=True):
            if units:
                found.append(
                    Need(
                        order=order.order,
                        line=line.line,
                        sku=part.sku,
                        units=units,
                        is_kit=bool(line.components),
                        due_ms=work.ready_by_ms if work is not None else 0,
                    )
                )
    return found


def walk(all_needs: Iterable[Need]) -> list[Stop]:
    """One list for several orders, by SKU; who is due first stands first at each SKU."""
    by_sku: dict[str, dict[str, int]] = {}
    for need in _by_due(all_needs):
        orders = by_sku.setdefault(need.sku, {})
        orders[need.order] = orders.get(need.order, 0) + need.units
    return [
        Stop(sku=sku, units=sum(orders.values()), orders=tuple(orders.items()))
        for sku, orders in sorted(by_sku.items())
    ]


def share_out(
    all_needs: Sequence[Need], picked: Mapping[str, int], missing: Mapping[str, int]
) -> dict[str, tuple[PickedLine, ...]]:
    """Found and missing units as what each order is told; who is due first is served first, who is due last lacks.

    Raises `NotDone` when more was told of a SKU than is needed.
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
            told = PickedLine(line=need.line, picked=units, missing=short, sku=sku)
            found.setdefault(need.order, []).insert(0, told)
    over = {sku: units for sku, units in [*left.items(), *lacking.items()] if units > 0}
    if over:
        told_over = ", ".join(f"{units} x {sku}" for sku, units in over.items())
        raise NotDone(why=f"That is more than is asked for: {told_over} would be left over. Nothing was recorded.")
    return {order: tuple(lines) for order, lines in found.items()}


def _by_due(all_needs: Iterable[Need]) -> list[Need]:
    # Within an order kits come first: one missing component would take the whole kit away.
    return sorted(all_needs, key=lambda it: (it.due_ms, it.order, not it.is_kit, it.line, it.sku))
