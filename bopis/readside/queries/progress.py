"""Holds, gaps in the messages of devices, and how far each partition was read."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import select

from bopis.readside.changes import NO_POSITION
from bopis.readside.engine import Source, reading
from bopis.readside.queries.answers import (
    GapAnswer,
    HoldAnswer,
    HoldLineAnswer,
    PositionAnswer,
    instant,
    instant_or_none,
)
from bopis.readside.schema import consumed, devices, hold_lines
from bopis.readside.schema import holds as hold_rows
from bopis.readside.writer import CHANGELOGS

_holes = msgspec.json.Decoder(list[tuple[int, int]]).decode


def holds(source: Source, store: str, *, all_known: bool = False) -> list[HoldAnswer]:
    """Active holds of a store by deadline; with `all_known` also those that have ended."""
    query = select(hold_rows).where(hold_rows.c.store == store).order_by(hold_rows.c.until_ms, hold_rows.c.hold)
    lines = select(hold_lines).where(hold_lines.c.store == store).order_by(hold_lines.c.hold, hold_lines.c.position)
    if not all_known:
        query = query.where(hold_rows.c.active)
    with reading(source) as connection:
        rows, line_rows = connection.execute(query).all(), connection.execute(lines).all()
    lines_of: dict[str, list[Any]] = {}
    for line in line_rows:
        lines_of.setdefault(line.hold, []).append(line)
    return [_hold(row, lines_of.get(row.hold, ())) for row in rows]


def gaps(source: Source, store: str | None = None) -> list[GapAnswer]:
    """Missing messages of devices that no count has settled, of one store or of all."""
    query = select(devices).where(devices.c.open_holes != "[]").order_by(devices.c.store, devices.c.source)
    if store is not None:
        query = query.where(devices.c.store == store)
    with reading(source) as connection:
        rows = connection.execute(query).all()
    return [
        GapAnswer(store=row.store, source=row.source, first=first, last=last, heard_at=instant(row.heard_ms))
        for row in rows
        for first, last in _holes(row.open_holes)
    ]


def positions(source: Source) -> list[PositionAnswer]:
    """How far every partition was read."""
    query = select(consumed).where(consumed.c.position > NO_POSITION).order_by(consumed.c.topic, consumed.c.partition)
    with reading(source) as connection:
        rows = connection.execute(query).all()
    return [
        PositionAnswer(
            topic=row.topic,
            partition=row.partition,
            position=row.position,
            source_position=row.source_position if row.topic in CHANGELOGS else None,
            recorded_at=instant(row.recorded_ms),
            updated_at=instant(row.updated_ms),
        )
        for row in rows
    ]


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
                line=line.line,
                sku=line.sku,
                quantity=line.quantity,
                picked=line.picked,
                lost=line.lost,
                state=line.state,
            )
            for line in lines
        ),
    )
