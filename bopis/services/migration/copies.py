"""What each new partition will hold, in order: a function of the old topics and the number of partitions alone."""

from collections.abc import Callable, Iterator

import msgspec

from bopis.domain.inventory.rows import split_key
from bopis.ports import Log, Record
from bopis.services.migration.changelog import CLAIM_KEY, Changelog, claim_note, position_note
from bopis.services.migration.errors import TickTooLarge
from bopis.services.migration.filling import Content
from bopis.services.migration.letters import Places
from bopis.services.migration.merging import merged
from bopis.services.migration.survey import Survey, Touched, read
from bopis.services.migration.world import Copy, Span
from bopis.services.progress import POSITION_KEY
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.stock import STOCK

Place = Callable[[bytes], int]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One old topic, and where its keys go. ``partitions`` is how many there will be."""

    log: Log
    topic: str
    span: Span
    place: Place
    partitions: int

    def records(self) -> Iterator[Record]:
        """Every record, the older one first."""
        return merged(self.log, self.topic, self.span)

    def changelog(self, partition: int) -> Changelog:
        """One partition, folded; empty when it is not there."""
        where = (self.topic, partition)
        if where not in self.span.ends:
            return Changelog(())
        return Changelog(self.log.read({where: self.span.starts[where]}, {where: self.span.ends[where]}))

    def home(self, record: Record) -> int:
        """Where a record goes by its key; without one it belongs to nobody and goes anywhere, but always there."""
        return record.partition % self.partitions if record.key is None else self.place(record.key)


def stock_copies(source: Source, survey: Survey, places: Places) -> Iterator[Copy]:
    """Every message to its store's partition; a tick once to each store that it was about, to others never."""
    counts = [0] * source.partitions
    for record in source.records():
        touched = survey.ticks.get((record.partition, record.offset))
        if touched is not None:
            for copy in _ticks(source, record, touched):
                counts[copy.partition] += 1
                yield copy
            continue
        message = read(record)
        home = source.home(record) if message is None else source.place(message.subject.encode())
        places.note((source.topic, (record.partition, record.offset)), (home, counts[home]))
        counts[home] += 1
        yield Copy(home, record.key, record.value, record.headers, record.timestamp_ms)


def _ticks(source: Source, record: Record, touched: Touched) -> Iterator[Copy]:
    message = STOCK.decode(record.value or b"")
    for store, numbers in touched:
        moved = msgspec.structs.replace(message.data, numbers=numbers)
        value = STOCK.encode_trusted(msgspec.structs.replace(message, subject=store, data=moved))
        if len(value) > MESSAGE_BYTES_MAX:
            raise TickTooLarge(topic=source.topic, partition=record.partition, offset=record.offset, store=store)
        key = store.encode()
        yield Copy(source.place(key), key, value, record.headers, record.timestamp_ms)


def every_copy(source: Source, places: Places) -> Iterator[Copy]:
    """Every record as it is."""
    counts = [0] * source.partitions
    for record in source.records():
        home = source.home(record)
        places.note((source.topic, (record.partition, record.offset)), (home, counts[home]))
        counts[home] += 1
        yield Copy(home, record.key, record.value, record.headers, record.timestamp_ms)


def letter_copies(source: Source, places: Places) -> Iterator[Copy]:
    """Every dead letter, telling where its message stands now."""
    for record in source.records():
        headers = places.headers(record.headers)
        yield Copy(source.home(record), record.key, record.value, headers, record.timestamp_ms)


def newest_copies(source: Source, rename: Callable[[bytes | None], bytes | None]) -> Iterator[Copy]:
    """The newest record of each key; one without a value has taken its key away. In the order of their times,
    because which older records compaction has left may differ between two attempts."""
    newest: dict[bytes, Record] = {}
    for record in source.records():
        if record.key is not None:
            newest[record.key] = record
    for record in sorted(newest.values(), key=lambda it: (it.timestamp_ms, it.key)):
        if record.value:
            key = rename(record.key)
            yield Copy(source.place(key or b""), key, record.value, record.headers, record.timestamp_ms)


def row_copies(source: Source, owner: Callable[[bytes], bytes], contents: list[Content]) -> Iterator[Copy]:
    """A claim, the rows whose messages go here, and the position they stand for: the end of the new messages.

    ``owner`` is the key of the messages that a row comes from, ``contents`` what each new partition of theirs holds.
    The position comes last, so that a partition that was only begun never counts as decided. A processor that has
    never run has no position either.
    """
    if not source.span.records(source.topic):
        return
    used = {it: content for it, content in enumerate(contents) if content.records}
    for it, content in used.items():
        yield Copy(it, CLAIM_KEY, claim_note(content.newest_ms), (), content.newest_ms)
    for partition in source.span.partitions(source.topic):
        rows = source.changelog(partition).rows
        for record in sorted(rows.values(), key=lambda it: it.key or b""):
            home = source.place(owner(record.key or b""))
            yield Copy(home, record.key, record.value, record.headers, record.timestamp_ms)
    for it, content in used.items():
        yield Copy(it, POSITION_KEY, position_note(content.records - 1), (), content.newest_ms)


def store_of(key: bytes) -> bytes:
    """The key of the messages that a row of the inventory comes from."""
    return split_key(key.decode())[1].encode()
