"""Queries over everything: the units of every store, the outcome of every order."""

from msgspec import Struct
from sqlalchemy import case, func, select

from bopis.readside.engine import Source, reading
from bopis.readside.kpi.visits import visits
from bopis.readside.orders.tables import orders
from bopis.readside.schema import levels

ALL_TIME_MS = 1 << 60


class StoreUnits(Struct, frozen=True, kw_only=True):
    """Units of a store, all SKUs together. `free` counts what is neither held nor in doubt, before stock rules."""

    on_hand: int
    free: int
    held: int


class OrderOutcome(Struct, frozen=True, kw_only=True):
    """An order: its state, and the instants of its visit by the devices' clocks; None is what never happened."""

    order: str
    state: str
    placed_ms: int
    ready_ms: int | None = None
    ready_by_ms: int | None = None


def units_by_store(source: Source) -> dict[str, StoreUnits]:
    """The units of every store that has levels."""
    free = levels.c.on_hand - levels.c.held - levels.c.in_doubt
    query = select(
        levels.c.store,
        func.sum(levels.c.on_hand),
        func.sum(case((free > 0, free), else_=0)),
        func.sum(levels.c.held),
    ).group_by(levels.c.store)
    with reading(source) as connection:
        return {
            store: StoreUnits(on_hand=int(units), free=int(free_units), held=int(held))
            for store, units, free_units, held in connection.execute(query)
        }


def order_outcomes(source: Source) -> list[OrderOutcome]:
    """Every order by its number; of several stores that promised one, the last in the order of store ids counts."""
    query = select(orders.c.order_id, orders.c.state, orders.c.placed_ms).order_by(orders.c.order_id)
    with reading(source) as connection:
        rows = connection.execute(query).all()
        by_order = {visit.order: visit for visit in visits(connection, 0, ALL_TIME_MS)}
    found = []
    for row in rows:
        visit = by_order.get(row.order_id)
        if visit is None:
            found.append(OrderOutcome(order=row.order_id, state=row.state, placed_ms=row.placed_ms))
        else:
            found.append(
                OrderOutcome(
                    order=row.order_id,
                    state=row.state,
                    placed_ms=visit.placed_ms,
                    ready_ms=visit.ready_ms,
                    ready_by_ms=visit.ready_by_ms,
                )
            )
    return found
