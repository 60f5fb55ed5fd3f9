"""Folding the old messages once more: which stores each tick was about, and whether the rows are what they come to.

A tick sweeps its partition. After the move the stores of that partition stand in several others, so the tick goes
with each store for which it did something. What it did is found by the same pure ``step`` that decided it.
"""

from collections.abc import Iterable
from zlib import crc32

import msgspec
from msgspec import UNSET

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.messages import Tick
from bopis.domain.inventory.rows import split_key
from bopis.domain.inventory.step import due_keys, step
from bopis.domain.message import Message
from bopis.ports import Record
from bopis.services.migration.rows import PartitionRows
from bopis.services.migration.world import Advance, Where
from bopis.wire.errors import WireError
from bopis.wire.stock import STOCK

Touched = tuple[tuple[str, tuple[int, ...]], ...]


class Survey(msgspec.Struct):
    """What was learned: of each tick the stores it touched and the numbers of its conclusions about each; where each
    store's messages stand; stores that stand in several places; records that are no message; records of another key."""

    ticks: dict[Where, Touched] = {}
    homes: dict[str, int] = {}
    split: set[str] = set()
    unread: int = 0
    other_keys: int = 0


def read(record: Record) -> Message | None:
    """The message in a record, None when there is none: then it was parked and moved nothing."""
    try:
        return STOCK.decode(record.value) if record.value is not None else None
    except WireError:
        return None


def fold(records: Iterable[Record], survey: Survey, advance: Advance) -> PartitionRows:
    """Fold one partition from its beginning; returns its rows."""
    rows = PartitionRows()
    for record in records:
        advance(1)
        message = read(record)
        if message is None:
            survey.unread += 1
        elif isinstance(message.data, Tick) and message.data.numbers is UNSET:
            survey.ticks[record.partition, record.offset] = _sweep(rows, message, record)
        else:
            _settle(record, message, survey)
            try:
                step(rows, message, record.timestamp_ms, crc32(record.value or b""))
            except Rejected:
                continue
    return rows


def _sweep(rows: PartitionRows, message: Message, record: Record) -> Touched:
    numbers: dict[str, list[int]] = {split_key(key)[1]: [] for key in due_keys(rows, message, record.timestamp_ms)}
    for number, (store, _) in enumerate(step(rows, message, record.timestamp_ms, 0)):
        numbers[store].append(number)
    return tuple((store, tuple(told)) for store, told in numbers.items())


def _settle(record: Record, message: Message, survey: Survey) -> None:
    store = message.subject
    if survey.homes.setdefault(store, record.partition) != record.partition:
        survey.split.add(store)
    if record.key != store.encode():
        survey.other_keys += 1
