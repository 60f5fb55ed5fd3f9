"""Checking the books against the log: every message again, through an independent model.

The cut is taken from the changelog: its rows stand for one position of the input per partition, so messages up to
there are told to the audit, and conclusions drawn from later messages are left out.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from zlib import crc32

import msgspec

from bopis.domain.inventory.audit import Audit, Cell, Violation
from bopis.domain.inventory.rows import Level, Row, row_type
from bopis.ports import Log, Offsets, Record
from bopis.services.progress import POSITION_KEY
from bopis.wire.errors import WireError
from bopis.wire.stock import INVENTORY_EVENTS, STOCK

STOCK_TOPIC, LEVELS_TOPIC, EVENTS_TOPIC = "stock", "inventory-levels", "inventory-events"
NOTE = 0
Advance = Callable[[int], None]


class _Position(msgspec.Struct):
    position: int
    claim: int = -1


class Rows(msgspec.Struct):
    """The rows of the changelog at a cut, and the position of the input that they stand for, by partition."""

    rows: dict[str, Row]
    positions: dict[int, int]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was read and what is wrong."""

    messages: int
    events: int
    rows: int
    cells: int
    unread: int
    violations: tuple[Violation, ...]
    reached: dict[int, int]


class Spans(msgspec.Struct, frozen=True, kw_only=True):
    """Where the three topics begin and end in this check."""

    starts: dict[tuple[str, int], int]
    ends: dict[tuple[str, int], int]

    @property
    def records(self) -> int:
        """Records to read."""
        return sum(max(0, end - self.starts.get(where, 0)) for where, end in self.ends.items())


def spans_of(log: Log, levels_until: Mapping[int, int] | None = None) -> Spans:
    """The spans to read. Ends are asked for in this order because a commit's conclusions are in the log before its
    rows are: whatever the rows say, the conclusions behind it lie within the span of events, and the messages
    behind those within the span of stock. `levels_until` cuts the changelog where a reader of it has got to."""
    levels = log.end_offsets([LEVELS_TOPIC])
    if levels_until is not None:
        levels = {where: min(end, levels_until.get(where[1], 0)) for where, end in levels.items()}
    events = log.end_offsets([EVENTS_TOPIC])
    stock = log.end_offsets([STOCK_TOPIC])
    return Spans(
        starts=log.start_offsets([STOCK_TOPIC, LEVELS_TOPIC, EVENTS_TOPIC]), ends={**levels, **events, **stock}
    )


def read_rows(log: Log, spans: Spans, advance: Advance) -> Rows:
    """The rows that the changelog comes to; a commit of a writer that had lost the partition is left out."""
    rows: dict[str, Row] = {}
    positions: dict[int, int] = {}
    claims: dict[int, int] = {}
    stale: dict[int, bool] = {}
    for record in _span(log, spans, LEVELS_TOPIC):
        advance(1)
        key = record.key or b""
        if key[:1] == b"\x00":
            stale[record.partition] = _note(record, claims, positions)
        elif not stale.get(record.partition):
            name = key.decode()
            if record.value is None or record.value == b"":
                rows.pop(name, None)
            else:
                rows[name] = msgspec.json.decode(record.value, type=row_type(name))
    return Rows(rows, positions)


def judge(log: Log, spans: Spans, found: Rows, advance: Advance) -> Verdict:
    """Tell the audit every message up to the rows' positions, and every conclusion drawn from them."""
    audit = Audit()
    later = _causes_beyond(log, spans, found.positions)
    messages = events = unread = 0
    for record in _span(log, spans, STOCK_TOPIC):
        advance(1)
        if record.offset > found.positions.get(record.partition, -1):
            continue
        messages += 1
        try:
            message = STOCK.decode(record.value or b"")
        except WireError:
            unread += 1  # it is parked, and parked messages move nothing
            continue
        later.discard((record.partition, message.cause))
        audit.message(message, record.timestamp_ms, crc32(record.value or b""))
    for record in _span(log, spans, EVENTS_TOPIC):
        advance(1)
        event = INVENTORY_EVENTS.decode(record.value or b"")
        if (record.partition, event.causation) not in later:
            events += 1
            audit.event(event)
    return Verdict(
        messages=messages,
        events=events,
        rows=len(found.rows),
        cells=len(audit.on_hand),
        unread=unread,
        violations=tuple(audit.violations(found.rows.items())),
        reached=found.positions,
    )


def differing_cells(found: Rows, shown: Iterable[tuple[Cell, int]]) -> list[Violation]:
    """Cells whose on hand is shown to readers otherwise than the changelog has it."""
    kept = {tuple(key.split("|", 1)): row.on_hand for key, row in found.rows.items() if isinstance(row, Level)}
    seen = dict(shown)
    return [
        Violation(
            invariant=1,
            where=f"{cell[0]} {cell[1]}",
            said=f"the read side shows {seen.get((cell[0], cell[1]))}, the books say {kept.get(cell)}",
        )
        for cell in sorted(kept.keys() | seen.keys())
        if kept.get(cell) != seen.get((cell[0], cell[1]))
    ]


def _note(record: Record, claims: dict[int, int], positions: dict[int, int]) -> bool:
    """Take a note; returns whether what follows it is of a writer that had lost the partition."""
    if record.key != POSITION_KEY or not record.value:
        claims[record.partition] = record.offset
        return False
    note = msgspec.json.decode(record.value, type=_Position)
    if note.claim < claims.get(record.partition, -1):
        return True
    positions[record.partition] = note.position
    return False


def _causes_beyond(log: Log, spans: Spans, positions: dict[int, int]) -> set[tuple[int, Any]]:
    """The causes of conclusions that the rows do not know yet."""
    first = {
        where: max(start, positions.get(where[1], -1) + 1)
        for where, start in spans.starts.items()
        if where[0] == STOCK_TOPIC
    }
    causes: set[tuple[int, Any]] = set()
    for record in log.read(first, _ends(spans, STOCK_TOPIC)):
        try:
            causes.add((record.partition, STOCK.decode(record.value or b"").cause))
        except WireError:
            continue
    return causes


def _span(log: Log, spans: Spans, topic: str) -> Iterable[Record]:
    first = {where: start for where, start in spans.starts.items() if where[0] == topic}
    return log.read(first, _ends(spans, topic))


def _ends(spans: Spans, topic: str) -> Offsets:
    return {where: end for where, end in spans.ends.items() if where[0] == topic}
