"""Visits: the facts of one order in one store that key figures are computed from, read from the timeline."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, case, func, select

from bopis.domain.orders import events as e
from bopis.domain.orders.vocabulary import ShortCause
from bopis.readside.orders.history import name_of
from bopis.readside.orders.tables import order_timeline

timeline = order_timeline.c
_SHORT = name_of(e.LineShort)


class Visit(Struct, frozen=True, kw_only=True):
    """One order in one store that promised it. Instants are those of the devices; None is an event that never happened.

    `ready_by_ms` is the first promise, `slot_ms` the beginning of the time that the customer chose. Units of `short`
    are the order's own units; `picked` and `missing` are units of the shelf (a kit's components).
    """

    order: str
    store: str
    placed_ms: int
    promised_ms: int
    slot_ms: int | None = None
    ready_by_ms: int | None = None
    accepted_ms: int | None = None
    ready_ms: int | None = None
    arrived_ms: int | None = None
    handed_over_ms: int | None = None
    expired_ms: int | None = None
    overdue: int = 0
    rejected: int = 0
    withdrawn: int = 0
    picked: int = 0
    missing: int = 0
    short: dict[str, int] = {}
    shorts: int = 0
    conflicts: tuple[int, ...] = ()


def visits(connection: Connection, since_ms: int, until_ms: int, store: str | None = None) -> list[Visit]:
    """Visits that were promised from `since_ms` to before `until_ms`, by order and store."""
    promised = select(timeline.order_id).where(
        timeline.type == name_of(e.OrderPromised),
        timeline.occurred_ms >= since_ms,
        timeline.occurred_ms < until_ms,
    )
    if store is not None:
        promised = promised.where(timeline.store == store)
    orders = promised.distinct().scalar_subquery()
    placed = {row.order_id: row for row in connection.execute(_placed(orders))}
    short = _shorts(connection.execute(_short_rows(orders)))
    found = []
    for row in connection.execute(_pivot(orders)):
        if row.promised_ms is None or not since_ms <= row.promised_ms < until_ms or store not in (None, row.store):
            continue
        order = placed.get(row.order_id)
        fields = {name: getattr(row, name) for name in (*_FIRST, "ready_by_ms")}
        counts: dict[str, Any] = {name: int(getattr(row, name) or 0) for name in (*_COUNTED, "picked", "missing")}
        visit = Visit(
            order=row.order_id,
            store=row.store,
            placed_ms=order.occurred_ms if order else row.promised_ms,
            slot_ms=order.due_ms if order else None,
            **fields,
            **counts,
            **short.get((row.order_id, row.store), {}),
        )
        found.append(visit)
    return found


# Columns of the pivot: the first time of an event, and how often it happened.
_FIRST = {
    "promised_ms": name_of(e.OrderPromised),
    "accepted_ms": name_of(e.PickAccepted),
    "ready_ms": name_of(e.OrderReady),
    "arrived_ms": name_of(e.ArrivalRecorded),
    "handed_over_ms": name_of(e.OrderHandedOver),
    "expired_ms": name_of(e.OrderExpired),
}
_COUNTED = {
    "overdue": name_of(e.AcceptOverdue),
    "rejected": name_of(e.LinesRejected),
    "withdrawn": name_of(e.ReadyWithdrawn),
}
_PICK = name_of(e.PickRecorded)


def _pivot(orders: Any) -> Select[Any]:
    # One pass over the timeline, however many figures are made from it.
    is_pick = timeline.type == _PICK
    columns = [
        func.min(case((timeline.type == kind, timeline.occurred_ms))).label(name) for name, kind in _FIRST.items()
    ]
    columns += [func.count(case((timeline.type == kind, 1))).label(name) for name, kind in _COUNTED.items()]
    columns += [
        func.min(case((timeline.type == _FIRST["promised_ms"], timeline.due_ms))).label("ready_by_ms"),
        func.sum(case((is_pick, timeline.units))).label("picked"),
        func.sum(case((is_pick, timeline.missing))).label("missing"),
    ]
    wanted = (*_FIRST.values(), *_COUNTED.values(), _PICK)
    query = select(timeline.order_id, timeline.store, *columns).where(
        timeline.order_id.in_(orders), timeline.store.is_not(None), timeline.type.in_(wanted)
    )
    return query.group_by(timeline.order_id, timeline.store).order_by(timeline.order_id, timeline.store)


def _placed(orders: Any) -> Select[Any]:
    return select(timeline.order_id, timeline.occurred_ms, timeline.due_ms).where(
        timeline.order_id.in_(orders), timeline.type == name_of(e.OrderPlaced)
    )


def _short_rows(orders: Any) -> Select[Any]:
    return select(timeline.order_id, timeline.store, timeline.reason, timeline.missing, timeline.occurred_ms).where(
        timeline.order_id.in_(orders), timeline.type == _SHORT
    )


def _shorts(rows: Iterable[Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """By order and store: missing units by cause, the number of short lines, and the times of conflicts."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        visit = found.setdefault((row.order_id, row.store), {"short": {}, "shorts": 0, "conflicts": ()})
        visit["short"][row.reason] = visit["short"].get(row.reason, 0) + int(row.missing or 0)
        visit["shorts"] += 1
        # Goods that are lost after picking were on the shelf, so the promise was right.
        if row.reason != ShortCause.STAGING.value:
            visit["conflicts"] += (row.occurred_ms,)
    return found
