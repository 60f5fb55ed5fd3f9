"""Fold the old messages again: which stores each tick affected, and whether the rows are their result.

A tick sweeps its partition. After the migration the stores of that partition are in several others, so a copy of the
tick goes to each store that it affected. The pure `step` that decided the tick finds them.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from bopis.deadlines import Deadlines
from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.articles import CatalogueChanged
from bopis.domain.inventory.messages import StockTick
from bopis.domain.inventory.rows import Row, split_key
from bopis.domain.inventory.step import due_keys, step
from bopis.domain.message import Message
from bopis.ports import Record
from bopis.services.migration.ports import Advance, RecordPlace
from bopis.wire.errors import Misplaced, WireError
from bopis.wire.placement import Placement
from bopis.wire.resolved import with_resolved
from bopis.wire.stock import STOCK


class MemoryRows:
    """`StockRows` of the core over a dict: the rows of one partition."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._deadlines = Deadlines()
        self.due = self._deadlines.due

    def get(self, key: str) -> Row | None:
        return self.rows.get(key)

    def put(self, key: str, row: Row) -> None:
        self.rows[key] = row

    def put_all(self, rows: Mapping[str, Row]) -> None:
        self.rows.update(rows)

    def put_timed(self, key: str, row: Row, deadline_ms: int) -> None:
        self.rows[key] = row
        self._deadlines.set(key, deadline_ms)

    def drop(self, key: str) -> None:
        self.rows.pop(key, None)
        self._deadlines.remove(key)


class AffectedStore(NamedTuple):
    """A store that a tick affected, and the numbers of the tick's conclusions about it."""

    store: str
    conclusions: tuple[int, ...]


class Survey(msgspec.Struct):
    """Results of reading the old stock topic, which has `partitions` partitions.

    `ticks`: the stores that each tick affected. `stores`: every store with messages. `split`: stores whose rows are in
    a partition that they do not belong in. `unread`: records that are no message, or in the wrong partition.
    `other_keys`: records with another key than their store.
    """

    partitions: int
    ticks: dict[RecordPlace, tuple[AffectedStore, ...]] = {}
    stores: set[str] = set()
    split: set[str] = set()
    unread: int = 0
    other_keys: int = 0


def read(record: Record, partitions: int) -> Message | None:
    """The message in a record; None if there is none or it is in the wrong partition: the inventory parked it then."""
    if record.value is None:
        return None
    try:
        message = STOCK.decode_placed(record.value, record.key, Placement(record.partition, partitions))
        return with_resolved(message, record.headers)
    except WireError:
        return None


def is_misplaced(record: Record, partitions: int) -> bool:
    """Whether a record is a valid message in a partition that its subject does not belong in."""
    try:
        STOCK.decode_placed(record.value or b"", record.key, Placement(record.partition, partitions))
    except Misplaced:
        return True
    except WireError:
        pass
    return False


def fold(records: Iterable[Record], survey: Survey, advance: Advance) -> MemoryRows:
    """Fold one partition from its first record; returns its rows and adds to the survey."""
    rows = MemoryRows()
    for record in records:
        advance(1)
        message = read(record, survey.partitions)
        if message is None:
            survey.unread += 1
        # A tick with numbers was migrated before, and is already about its subject alone.
        elif isinstance(message.data, StockTick) and message.data.numbers is UNSET:
            survey.ticks[RecordPlace(record.partition, record.offset)] = _affected(rows, message, record)
        else:
            if not isinstance(message.data, CatalogueChanged):
                _count(record, message, survey)
            try:
                step(rows, message, record.timestamp_ms, record.value or b"")
            except Rejected:  # the inventory parked it
                continue
    return rows


def _affected(rows: MemoryRows, message: Message, record: Record) -> tuple[AffectedStore, ...]:
    numbers: dict[str, list[int]] = {split_key(key)[1]: [] for key in due_keys(rows, message, record.timestamp_ms)}
    for number, (store, _) in enumerate(step(rows, message, record.timestamp_ms, b"")):
        numbers[store].append(number)
    return tuple(AffectedStore(store, tuple(found)) for store, found in numbers.items())


def _count(record: Record, message: Message, survey: Survey) -> None:
    store = message.subject
    survey.stores.add(store)
    if record.key != store.encode():
        survey.other_keys += 1
