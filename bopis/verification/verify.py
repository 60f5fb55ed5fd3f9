"""Verify the books against the log: every message is decided again by an independent model.

The changelog gives the cut: its rows are the result of all messages up to one position per partition of `stock`. The
audit takes the messages up to these positions and the events that they caused; events of later messages are skipped.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from bopis.domain.inventory.rows import NO_STORE, Level, Row, split_key
from bopis.domain.message import Message
from bopis.names import INVENTORY_EVENTS_TOPIC, LEVELS_TOPIC, STOCK_TOPIC
from bopis.ports import Log, Offsets, Record
from bopis.verification.audit import Audit, Cell, Violation
from bopis.wire.changelog import NO_POSITION, ChangelogReader, decode_level_row
from bopis.wire.errors import Misplaced, WireError
from bopis.wire.placement import Placement, partition_of
from bopis.wire.resolved import with_resolved
from bopis.wire.stock import INVENTORY_EVENTS, STOCK

Advance = Callable[[int], None]


class Rows(msgspec.Struct):
    """The rows of the changelog at a cut, and by partition the position of the last message decided in them.

    Rows of a store in a partition that it does not belong in are kept apart, and records that are no rows are named.
    """

    rows: dict[str, Row]
    positions: dict[int, int]
    # By (store, partition) the keys of rows of a store that does not belong in the partition.
    misplaced: dict[tuple[str, int], set[str]] = msgspec.field(default_factory=dict)
    # Records that are no rows, as TOPIC/PARTITION/OFFSET with the cause.
    skipped: list[str] = msgspec.field(default_factory=list)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of what was read, and the violations found.

    `unread` messages are parked. `misplaced` and `other_keys` count by source the messages in a wrong partition, and
    those in the right one under a key other than their subject. `split` counts by store the rows in partitions that it
    does not belong in. `skipped` names the records that are neither rows nor events. `reached` has the last decided
    offset of `stock` by partition.
    """

    messages: int
    events: int
    rows: int
    cells: int
    unread: int
    misplaced: dict[str, int]
    other_keys: dict[str, int]
    split: dict[str, int]
    skipped: tuple[str, ...]
    violations: tuple[Violation, ...]
    reached: dict[int, int]


class Spans(msgspec.Struct, frozen=True, kw_only=True):
    """First and end offsets of the three topics in this check, by topic and partition."""

    starts: dict[tuple[str, int], int]
    ends: dict[tuple[str, int], int]

    @property
    def records(self) -> int:
        """Number of records to read."""
        return sum(max(0, end - self.starts.get(where, 0)) for where, end in self.ends.items())


def spans_of(log: Log, levels_until: Mapping[int, int] | None = None) -> Spans:
    """The spans to read. `levels_until` ends the changelog at the offsets that a reader of it has reached.

    The order of these requests matters: a commit publishes events before rows, so the events of every row are within
    the span of events, and the messages that caused them are within the span of stock.
    """
    levels = log.end_offsets([LEVELS_TOPIC])
    if levels_until is not None:
        levels = {where: min(end, levels_until.get(where[1], 0)) for where, end in levels.items()}
    events = log.end_offsets([INVENTORY_EVENTS_TOPIC])
    stock = log.end_offsets([STOCK_TOPIC])
    return Spans(
        starts=log.start_offsets([STOCK_TOPIC, LEVELS_TOPIC, INVENTORY_EVENTS_TOPIC]),
        ends={**levels, **events, **stock},
    )


def read_rows(log: Log, spans: Spans, advance: Advance) -> Rows:
    """The newest row of each key of the changelog. Commits of a writer that had lost the partition are skipped."""
    rows: dict[str, Row] = {}
    misplaced: dict[tuple[str, int], set[str]] = defaultdict(set)
    changelogs: dict[int, ChangelogReader] = defaultdict(lambda: ChangelogReader(decode=decode_level_row))
    partitions = sum(topic == LEVELS_TOPIC for topic, _ in spans.ends)
    for record in _span(log, spans, LEVELS_TOPIC):
        advance(1)
        if not changelogs[record.partition].is_row(record):
            continue
        name = (record.key or b"").decode()
        store = split_key(name)[1]
        if store != NO_STORE and partition_of(store.encode(), partitions) != record.partition:
            keys = misplaced[store, record.partition]
            (keys.add if record.value else keys.discard)(name)
        elif (row := decode_level_row(name, record.value or b"")) is not None:
            rows[name] = row
        else:
            rows.pop(name, None)
    return Rows(
        rows,
        {number: it.position for number, it in changelogs.items() if it.position != NO_POSITION},
        {where: keys for where, keys in misplaced.items() if keys},
        [
            f"{LEVELS_TOPIC}/{number}/{it.offset}: {it.cause}"
            for number, reader in sorted(changelogs.items())
            for it in reader.skipped
        ],
    )


class _Judged(msgspec.Struct):
    """What was counted while the audit read messages and events."""

    skipped: list[str]
    messages: int = 0
    events: int = 0
    unread: int = 0
    misplaced: Counter[str] = msgspec.field(default_factory=Counter)
    other_keys: Counter[str] = msgspec.field(default_factory=Counter)


def judge(log: Log, spans: Spans, found: Rows, advance: Advance) -> Verdict:
    """Let the audit take every message up to the positions of the rows, and every event caused by these messages."""
    audit = Audit()
    split: Counter[str] = Counter()
    for (store, _), keys in sorted(found.misplaced.items()):
        split[store] += len(keys)
        audit.exempt_split(store)
    later = _causes_beyond(log, spans, found.positions)
    judged = _Judged(list(found.skipped))
    for record, message in _messages(log, spans, found.positions, judged, advance):
        later.discard((record.partition, message.cause))
        audit.message(message, record.timestamp_ms, record.partition)
    for record in _span(log, spans, INVENTORY_EVENTS_TOPIC):
        advance(1)
        try:
            event = INVENTORY_EVENTS.decode(record.value or b"")
        except WireError as error:
            judged.skipped.append(f"{INVENTORY_EVENTS_TOPIC}/{record.partition}/{record.offset}: {error}")
            continue
        if (record.partition, event.causation) not in later:
            judged.events += 1
            audit.event(event)
    return Verdict(
        messages=judged.messages,
        events=judged.events,
        rows=len(found.rows),
        cells=len(audit.on_hand),
        unread=judged.unread,
        misplaced=dict(judged.misplaced.most_common()),
        other_keys=dict(judged.other_keys.most_common()),
        split=dict(split),
        skipped=tuple(judged.skipped),
        violations=tuple(audit.violations(found.rows.items())),
        reached=found.positions,
    )


def _messages(
    log: Log, spans: Spans, positions: dict[int, int], judged: _Judged, advance: Advance
) -> Iterable[tuple[Record, Message]]:
    """The messages up to the rows' positions that the inventory did not park; the others are counted."""
    partitions = sum(topic == STOCK_TOPIC for topic, _ in spans.ends)
    for record in _span(log, spans, STOCK_TOPIC):
        advance(1)
        if record.offset > positions.get(record.partition, -1):
            continue
        judged.messages += 1
        try:
            message = STOCK.decode_placed(record.value or b"", record.key, Placement(record.partition, partitions))
            message = with_resolved(message, record.headers)
        except Misplaced:
            judged.misplaced[_source(record)] += 1
            continue
        except WireError:
            judged.unread += 1  # The inventory parks it, and parked messages change no stock.
            continue
        if record.key != message.subject.encode() and message.subject != NO_STORE:
            judged.other_keys[message.source] += 1
        yield record, message


def _source(record: Record) -> str:
    return STOCK.decode(record.value or b"").source


def differing_cells(found: Rows, shown: Iterable[tuple[Cell, int]]) -> list[Violation]:
    """Cells whose on hand in the read side (`shown`) differs from the changelog."""
    kept = {tuple(key.split("|", 1)): row.on_hand for key, row in found.rows.items() if isinstance(row, Level)}
    seen = dict(shown)
    return [
        Violation(
            invariant=1,
            where=f"{cell[0]} {cell[1]}",
            finding=f"the read side shows {seen.get((cell[0], cell[1]))}, the books say {kept.get(cell)}",
        )
        for cell in sorted(kept.keys() | seen.keys())
        if kept.get(cell) != seen.get((cell[0], cell[1]))
    ]


def _causes_beyond(log: Log, spans: Spans, positions: dict[int, int]) -> set[tuple[int, Any]]:
    """Partition and cause of the messages that the rows do not contain yet."""
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
