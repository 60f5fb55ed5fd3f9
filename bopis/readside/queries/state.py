"""What is open and how far things are: holds, gaps, positions, totals."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Engine, distinct, func, select

from bopis.readside.changes import NO_POSITION
from bopis.readside.engine import reading
from bopis.readside.queries.answers import (
    GapAnswer,
    HoldAnswer,
    HoldLineAnswer,
    PositionAnswer,
    TotalsAnswer,
    instant,
    instant_or_none,
)
from bopis.readside.schema import consumed, devices, hold_lines, levels
from bopis.readside.schema import holds as hold_rows
from bopis.readside.writer import ROWS

_holes = msgspec.json.Decoder(list[tuple[int, int]]).decode


def holds(engine: Engine, store: str, *, all_known: bool = False) -> list[HoldAnswer]:
    """The holds of a store that still promise units, or all that it remembers; by deadline."""
    query = select(hold_rows).where(hold_rows.c.store == store).order_by(hold_rows.c.until_ms, hold_rows.c.hold)
    lines = select(hold_lines).where(hold_lines.c.store == store).order_by(hold_lines.c.hold, hold_lines.c.position)
    if not all_known:
        query = query.where(hold_rows.c.active)
    with reading(engine) as connection:
        rows, line_rows = connection.execute(query).all(), connection.execute(lines).all()
    by_hold: dict[str, list[Any]] = {}
    for line in line_rows:
        by_hold.setdefault(line.hold, []).append(line)
    return [_hold(row, by_hold.get(row.hold, ())) for row in rows]


def gaps(engine: Engine, store: str | None = None) -> list[GapAnswer]:
    """Messages of devices that are missing and not settled by a count."""
    query = select(devices).where(devices.c.open_holes != "[]").order_by(devices.c.store, devices.c.source)
    if store is not None:
        query = query.where(devices.c.store == store)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return [
        GapAnswer(store=row.store, source=row.source, first=first, last=last, heard_at=instant(row.heard_ms))
        for row in rows
        for first, last in _holes(row.open_holes)
    ]


def positions(engine: Engine) -> list[PositionAnswer]:
    """How far every partition was read."""
    query = select(consumed).where(consumed.c.position > NO_POSITION).order_by(consumed.c.topic, consumed.c.partition)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return [
        PositionAnswer(
            topic=row.topic,
            partition=row.partition,
            position=row.position,
            source_position=row.source_position if row.topic in ROWS else None,
            recorded_at=instant(row.recorded_ms),
            updated_at=instant(row.updated_ms),
        )
        for row in rows
    ]


def totals(engine: Engine) -> TotalsAnswer:
    """Everything in the books, added up."""
    summed = ("on_hand", "held", "staged", "in_doubt", "quarantined", "damaged")
    units = select(
        func.count(distinct(levels.c.store)).label("stores"),
        func.count(distinct(levels.c.sku)).label("skus"),
        func.count().label("cells"),
        *(func.coalesce(func.sum(levels.c[name]), 0).label(name) for name in summed),
    )
    active = select(func.count()).select_from(hold_rows).where(hold_rows.c.active)
    with reading(engine) as connection:
        row = connection.execute(units).one()
        holds_active = connection.execute(active).scalar_one()
    return TotalsAnswer(
        stores=row.stores,
        skus=row.skus,
        cells=row.cells,
        **{name: int(getattr(row, name)) for name in summed},
        holds_active=holds_active,
        gaps_open=len(gaps(engine)),
    )


def _hold(row: Any, lines: Iterable[Any]) -> HoldAnswer:
    return HoldAnswer(
        store=row.store,
        hold=row.hold,
        order=row.order_id,
        granted_at=instant(row.granted_ms),
        until=instant(row.until_ms),
        promised_for=instant_or_none(row.promised_ms),
        active=row.active,
        lines=tuple(
            HoldLineAnswer(
                line=it.line, sku=it.sku, quantity=it.quantity, picked=it.picked, lost=it.lost, state=it.state
            )
            for it in lines
        ),
    )
