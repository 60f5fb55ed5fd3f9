"""The past: what moved a SKU in a store, on either clock."""

from typing import Any

from sqlalchemy import ColumnElement, Engine, literal, select, tuple_

from bopis.domain.values import epoch_ms
from bopis.readside.engine import reading
from bopis.readside.errors import CursorInvalid
from bopis.readside.queries.answers import Clock, MovementAnswer, MovementPage, Page, Span, instant
from bopis.readside.schema import movements


def history(engine: Engine, store: str, sku: str, span: Span = Span()) -> MovementPage:
    """The movements of a SKU in a store, newest first on the clock of the span."""
    rows_max = Page(limit=span.limit).rows
    at = clock_column(span.clock)
    order = (at, movements.c.offset, movements.c.line)
    query = select(movements).where(movements.c.store == store, movements.c.sku == sku)
    if span.since is not None:
        query = query.where(at >= epoch_ms(span.since))
    if span.until is not None:
        query = query.where(at < epoch_ms(span.until))
    if span.cursor is not None:
        last = _read(span.cursor)
        query = query.where(at <= last[0], tuple_(*order) < tuple_(*(literal(part) for part in last)))
    query = query.order_by(*(column.desc() for column in order)).limit(rows_max + 1)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    found = tuple(movement(row) for row in rows[:rows_max])
    last_row = rows[rows_max - 1] if len(rows) > rows_max else None
    return MovementPage(movements=found, next=_cursor(last_row, span.clock) if last_row is not None else None)


def clock_column(clock: Clock) -> ColumnElement[Any]:
    """The column that a clock reads."""
    return movements.c.occurred_ms if clock is Clock.OCCURRED else movements.c.recorded_ms


def movement(row: Any) -> MovementAnswer:
    """A row of the movements as an answer."""
    return MovementAnswer(
        store=row.store,
        sku=row.sku,
        kind=row.kind,
        change=row.change,
        applied=row.applied,
        on_hand_after=row.on_hand_after,
        occurred_at=instant(row.occurred_ms),
        recorded_at=instant(row.recorded_ms),
        source=row.source,
        actor=row.actor,
        message_id=row.message_id,
        sequence=row.sequence,
        reference=row.reference,
        staged_counted=row.staged_counted,
        partition=row.partition,
        offset=row.offset,
        line=row.line,
    )


def _cursor(row: Any, clock: Clock) -> str:
    at_ms = row.occurred_ms if clock is Clock.OCCURRED else row.recorded_ms
    return f"{at_ms}.{row.offset}.{row.line}"


def _read(cursor: str) -> tuple[int, int, int]:
    try:
        at_ms, offset, line = (int(part) for part in cursor.split("."))
    except ValueError:
        raise CursorInvalid(cursor=cursor) from None
    return at_ms, offset, line
