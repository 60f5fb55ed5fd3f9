"""The facts that key figures are made from: what one order went through in one store. Read from the timeline."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, case, func, select

from bopis.domain.orders import events as e
from bopis.domain.orders import outcomes as o
from bopis.domain.orders.terms import ShortCause
from bopis.readside.orders.past import name_of
from bopis.readside.orders.tables import order_timeline as told

_SHORT = name_of(e.LineShort)


class Visit(Struct, frozen=True, kw_only=True):
    """One order in one store that promised it. Instants are those of the devices; None is what never happened.

    ``ready_by_ms`` is what was promised first, ``slot_ms`` the begin of the time that the customer chose. Units of
    ``short`` are in the order's own units, ``picked`` and ``missing`` in those of the shelf (a kit's components).
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
    """Every visit that was promised in a span of time, by order and store."""
    promised = select(told.c.order_id).where(
        told.c.type == name_of(e.OrderPromised), told.c.occurred_ms >= since_ms, told.c.occurred_ms < until_ms
    )
    if store is not None:
        promised = promised.where(told.c.store == store)
    orders = promised.distinct().scalar_subquery()
    placed = {row.order_id: row for row in connection.execute(_placed(orders))}
    short = _shorts(connection.execute(_short_rows(orders)))
    found = []
    for row in connection.execute(_pivot(orders)):
        if row.promised_ms is None or not since_ms <= row.promised_ms < until_ms or store not in (None, row.store):
            continue
        begin = placed.get(row.order_id)
        fields = {name: getattr(row, name) for name in (*_FIRST, "ready_by_ms")}
        counts: dict[str, Any] = {name: int(getattr(row, name) or 0) for name in (*_COUNTED, "picked", "missing")}
        visit = Visit(
            order=row.order_id,
            store=row.store,
            placed_ms=begin.occurred_ms if begin else row.promised_ms,
            slot_ms=begin.due_ms if begin else None,
            **fields,
            **counts,
            **short.get((row.order_id, row.store), {}),
        )
        found.append(visit)
    return found


# Columns of the pivot: the first time that a conclusion was drawn, and how often.
_FIRST = {
    "promised_ms": name_of(e.OrderPromised),
    "accepted_ms": name_of(e.PickAccepted),
    "ready_ms": name_of(o.OrderReady),
    "arrived_ms": name_of(o.ArrivalRecorded),
    "handed_over_ms": name_of(o.OrderHandedOver),
    "expired_ms": name_of(o.OrderExpired),
}
_COUNTED = {
    "overdue": name_of(e.AcceptOverdue),
    "rejected": name_of(e.LinesRejected),
    "withdrawn": name_of(o.ReadyWithdrawn),
}
_PICK = name_of(e.PickRecorded)


def _pivot(orders: Any) -> Select[Any]:
    is_pick = told.c.type == _PICK
    columns = [func.min(case((told.c.type == kind, told.c.occurred_ms))).label(name) for name, kind in _FIRST.items()]
    columns += [func.count(case((told.c.type == kind, 1))).label(name) for name, kind in _COUNTED.items()]
    columns += [
        func.min(case((told.c.type == _FIRST["promised_ms"], told.c.due_ms))).label("ready_by_ms"),
        func.sum(case((is_pick, told.c.units))).label("picked"),
        func.sum(case((is_pick, told.c.missing))).label("missing"),
    ]
    wanted = (*_FIRST.values(), *_COUNTED.values(), _PICK)
    query = select(told.c.order_id, told.c.store, *columns).where(
        told.c.order_id.in_(orders), told.c.store.is_not(None), told.c.type.in_(wanted)
    )
    return query.group_by(told.c.order_id, told.c.store).order_by(told.c.order_id, told.c.store)


def _placed(orders: Any) -> Select[Any]:
    return select(told.c.order_id, told.c.occurred_ms, told.c.due_ms).where(
        told.c.order_id.in_(orders), told.c.type == name_of(e.OrderPlaced)
    )


def _short_rows(orders: Any) -> Select[Any]:
    return select(told.c.order_id, told.c.store, told.c.reason, told.c.missing, told.c.occurred_ms).where(
        told.c.order_id.in_(orders), told.c.type == _SHORT
    )


def _shorts(rows: Iterable[Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """By order and store: missing units by cause, how many lines were short, and when promises met an empty shelf."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        kept = found.setdefault((row.order_id, row.store), {"short": {}, "shorts": 0, "conflicts": ()})
        kept["short"][row.reason] = kept["short"].get(row.reason, 0) + int(row.missing or 0)
        kept["shorts"] += 1
        if row.reason != ShortCause.STAGING.value:
            kept["conflicts"] += (row.occurred_ms,)
    return found
