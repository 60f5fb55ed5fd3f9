"""Movements of a SKU in a store, on either clock."""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, literal, select, tuple_

from bopis.domain.inventory.trace import MovementKind
from bopis.domain.values import epoch_ms
from bopis.readside.engine import Source, reading
from bopis.readside.errors import CursorInvalid
from bopis.readside.queries.answers import HistoryClock, HistorySpan, MovementAnswer, MovementPage, Page, instant
from bopis.readside.schema import movements

# No database takes any integer; these also fit into a float.
CURSOR_NUMBER_MAX = 1 << 53


class _Cursor(NamedTuple):
    """The place of a movement in a list: its time on the list's clock, then its place in the log."""

    at_ms: int
    offset: int
    line: int


def history(source: Source, store: str, sku: str, span: HistorySpan = HistorySpan()) -> MovementPage:
    """Movements of a SKU in a store, the newest first on the clock of the span. Raises `CursorInvalid`."""
    rows_max = Page(limit=span.limit).rows
    at = clock_column(span.clock)
    order = (at, movements.c.offset, movements.c.line)
    query = select(movements).where(movements.c.store == store, movements.c.sku == sku)
    if span.since is not None:
        query = query.where(at >= epoch_ms(span.since))
    if span.until is not None:
        query = query.where(at < epoch_ms(span.until))
    if span.cursor is not None:
        last = _parse(span.cursor)
        # The first condition is implied by the second; with it alone SQLite uses the index.
        query = query.where(at <= last.at_ms, tuple_(*order) < tuple_(*(literal(part) for part in last)))
    query = query.order_by(*(column.desc() for column in order)).limit(rows_max + 1)
    with reading(source) as connection:
        rows = connection.execute(query).all()
    found = tuple(movement(row) for row in rows[:rows_max])
    last_row = rows[rows_max - 1] if len(rows) > rows_max else None
    return MovementPage(movements=found, next=_cursor(last_row, span.clock) if last_row is not None else None)


def receipts_of(source: Source, store: str, document: str) -> list[MovementAnswer]:
    """Movements of the receipts under a document in a store, the newest first."""
    query = select(movements).where(
        movements.c.store == store, movements.c.kind == MovementKind.RECEIPT.value, movements.c.reference == document
    )
    with reading(source) as connection:
        return [movement(row) for row in connection.execute(query.order_by(movements.c.recorded_ms.desc()))]


def movements_of(source: Source, store: str, sender: str, message_id: str) -> list[MovementAnswer]:
    """Movements of one message about a store, by its source and id."""
    query = select(movements).where(
        movements.c.store == store, movements.c.source == sender, movements.c.message_id == message_id
    )
    with reading(source) as connection:
        return [movement(row) for row in connection.execute(query)]


def clock_column(clock: HistoryClock) -> ColumnElement[Any]:
    """The column with the time on a clock."""
    return movements.c.occurred_ms if clock is HistoryClock.OCCURRED else movements.c.recorded_ms


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


def _cursor(row: Any, clock: HistoryClock) -> str:
    at_ms = row.occurred_ms if clock is HistoryClock.OCCURRED else row.recorded_ms
    return f"{at_ms}.{row.offset}.{row.line}"


def _parse(cursor: str) -> _Cursor:
    try:
        at_ms, offset, line = (int(part) for part in cursor.split("."))
    except ValueError:
        raise CursorInvalid(cursor=cursor) from None
    if max(abs(at_ms), abs(offset), abs(line)) > CURSOR_NUMBER_MAX:
        raise CursorInvalid(cursor=cursor)
    return _Cursor(at_ms, offset, line)
