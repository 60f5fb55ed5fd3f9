"""The content of each new partition, in order: a function of the old topics and the number of partitions alone."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from heapq import heapify, heappop, heapreplace

import msgspec

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.articles import CatalogueChanged
from bopis.domain.inventory.catalogue import resolved
from bopis.domain.inventory.resolution import other_articles
from bopis.domain.inventory.rows import ARTICLE_PREFIX, CODE_PREFIX, KIT_PREFIX, MARK_KEY, Level, split_key
from bopis.domain.inventory.step import step
from bopis.domain.message import Message
from bopis.ports import Log, Record, RecordCopy, TopicPartition
from bopis.services.migration.changelog import FoldedChangelog, claim_note, position_note
from bopis.services.migration.dead_letters import MessagePlace, RelocatedMessages
from bopis.services.migration.errors import TickTooLarge
from bopis.services.migration.filling import PartitionContent
from bopis.services.migration.ports import OffsetRanges, RecordPlace
from bopis.services.migration.survey import AffectedStore, MemoryRows, Survey, is_misplaced, read
from bopis.wire.changelog import CLAIM_KEY, POSITION_KEY
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.placement import partition_of
from bopis.wire.resolved import resolved_header
from bopis.wire.stock import STOCK

# The rows of the catalogue: they belong to a partition, not to a store.
CATALOGUE_KEYS = tuple(it.encode() for it in (ARTICLE_PREFIX, KIT_PREFIX, CODE_PREFIX, MARK_KEY))
# Records in memory while partitions are merged, and the smallest chunk of one partition: each chunk is a request.
RECORDS_AHEAD_MAX = 40_000
RECORDS_AHEAD_MIN = 500


class OldTopic(msgspec.Struct, frozen=True, kw_only=True):
    """One old topic. `partitions` is the number of partitions of its copy."""

    log: Log
    topic: str
    ranges: OffsetRanges
    partitions: int

    def records(self) -> Iterator[Record]:
        """Every record, by append time."""
        return merged(self.log, self.topic, self.ranges)

    def changelog(self, partition: int) -> FoldedChangelog:
        """One partition, folded; empty if it does not exist."""
        where = (self.topic, partition)
        if where not in self.ranges.ends:
            return FoldedChangelog(())
        return FoldedChangelog(self.log.read({where: self.ranges.starts[where]}, {where: self.ranges.ends[where]}))

    def new_partition(self, key: bytes) -> int:
        """The new partition of a key."""
        return partition_of(key, self.partitions)

    def new_partition_of(self, record: Record) -> int:
        """The new partition of a record. A record without a key may go to any partition, but always to the same."""
        return record.partition % self.partitions if record.key is None else self.new_partition(record.key)

    def place_of(self, record: Record) -> MessagePlace:
        return MessagePlace(self.topic, RecordPlace(record.partition, record.offset))


class ReadAhead:
    """Records of one partition, read in chunks."""

    def __init__(self, log: Log, where: TopicPartition, ranges: OffsetRanges, chunk: int) -> None:
        self._log = log
        self._where = where
        self._next = ranges.starts.get(where, 0)
        self._end = ranges.ends[where]
        self._chunk = chunk
        self._records: deque[Record] = deque()

    def pop(self) -> Record | None:
        """The next record; None at the end."""
        # A chunk of offsets of a compacted topic may contain no record.
        while not self._records and self._next < self._end:
            until = min(self._next + self._chunk, self._end)
            self._records.extend(self._log.read({self._where: self._next}, {self._where: until}))
            self._next = until
        return self._records.popleft() if self._records else None


def merged(log: Log, topic: str, ranges: OffsetRanges) -> Iterator[Record]:
    """Every record of a topic in one order that depends on the records alone.

    Records of a partition keep their order, also where its clock went back. Between partitions the earlier timestamp
    comes first; of two equal ones, the lower partition.
    """
    partitions = ranges.partitions(topic)
    chunk = max(RECORDS_AHEAD_MIN, RECORDS_AHEAD_MAX // max(1, len(partitions)))
    readers = {number: ReadAhead(log, (topic, number), ranges, chunk) for number in partitions}
    firsts = {number: reader.pop() for number, reader in readers.items()}
    heads = [(record.timestamp_ms, number, record) for number, record in firsts.items() if record is not None]
    heapify(heads)
    while heads:
        _, partition, record = heads[0]
        yield record
        following = readers[partition].pop()
        if following is None:
            heappop(heads)
        else:
            heapreplace(heads, (following.timestamp_ms, partition, following))


def stock_copies(old: OldTopic, survey: Survey, relocated: RelocatedMessages) -> Iterator[RecordCopy]:
    """Every message to its store's partition; a tick once to each store that it affected.

    Changes of the catalogue stay behind: each message carries what its codes meant, and the new owner of a partition
    appends the catalogue that it finds.
    """
    counts = [0] * old.partitions
    catalogues: dict[int, MemoryRows] = {}
    for record in old.records():
        affected = survey.ticks.get(RecordPlace(record.partition, record.offset))
        if affected is not None:
            for copy in _tick_copies(old, record, affected):
                counts[copy.partition] += 1
                yield copy
            continue
        message = read(record, survey.partitions)
        if message is None and is_misplaced(record, survey.partitions):
            continue  # It was parked for its partition; in the right partition the inventory would count it.
        headers = record.headers
        if message is not None:
            rows = catalogues.setdefault(record.partition, MemoryRows())
            if isinstance(message.data, CatalogueChanged):
                _change_catalogue(rows, message)
                continue
            if articles := other_articles(partial(resolved, rows), message.data):
                headers = (*headers, resolved_header(articles))
        target = old.new_partition_of(record) if message is None else old.new_partition(message.subject.encode())
        relocated.note(old.place_of(record), RecordPlace(target, counts[target]))
        counts[target] += 1
        yield RecordCopy(target, record.key, record.value, headers, record.timestamp_ms)


def _change_catalogue(rows: MemoryRows, message: Message) -> None:
    """Change the catalogue of a partition as the inventory did; a forged change was parked."""
    with suppress(Rejected):
        step(rows, message, 0, b"")


def _tick_copies(old: OldTopic, record: Record, affected: tuple[AffectedStore, ...]) -> Iterator[RecordCopy]:
    message = STOCK.decode(record.value or b"")
    for store, conclusions in affected:
        tick = msgspec.structs.replace(message.data, numbers=conclusions)
        value = STOCK.encode_trusted(msgspec.structs.replace(message, subject=store, data=tick))
        if len(value) > MESSAGE_BYTES_MAX:
            raise TickTooLarge(topic=old.topic, partition=record.partition, offset=record.offset, store=store)
        key = store.encode()
        yield RecordCopy(old.new_partition(key), key, value, record.headers, record.timestamp_ms)


def every_copy(old: OldTopic, relocated: RelocatedMessages) -> Iterator[RecordCopy]:
    """Every record unchanged."""
    counts = [0] * old.partitions
    for record in old.records():
        target = old.new_partition_of(record)
        relocated.note(old.place_of(record), RecordPlace(target, counts[target]))
        counts[target] += 1
        yield RecordCopy(target, record.key, record.value, record.headers, record.timestamp_ms)


def letter_copies(old: OldTopic, relocated: RelocatedMessages) -> Iterator[RecordCopy]:
    """Every dead letter, with the new place of its message."""
    for record in old.records():
        headers = relocated.headers(record.headers)
        yield RecordCopy(old.new_partition_of(record), record.key, record.value, headers, record.timestamp_ms)


def newest_copies(old: OldTopic, rename: Callable[[bytes | None], bytes | None]) -> Iterator[RecordCopy]:
    """The newest record of each key that was not deleted, by timestamp and key."""
    newest: dict[bytes, Record] = {}
    for record in old.records():
        if record.key is not None:
            newest[record.key] = record
    # Not in the order of first appearance: compaction between two attempts may have removed older records.
    for record in sorted(newest.values(), key=lambda it: (it.timestamp_ms, it.key)):
        if record.value:
            key = rename(record.key)
            yield RecordCopy(old.new_partition(key or b""), key, record.value, record.headers, record.timestamp_ms)


def row_copies(
    old: OldTopic, message_key: Callable[[bytes], bytes], contents: list[PartitionContent]
) -> Iterator[RecordCopy]:
    """For each new partition a claim, the rows whose messages are in it, and the position of the last message.

    `message_key` returns the key of the messages that a row comes from; `contents` are the new partitions of their
    topic. A processor that never ran has no rows and gets no position.
    """
    if not old.ranges.records(old.topic):
        return
    used = {number: content for number, content in enumerate(contents) if content.records}
    for number, content in used.items():
        yield RecordCopy(number, CLAIM_KEY, claim_note(content.newest_ms), (), content.newest_ms)
    for partition in old.ranges.partitions(old.topic):
        rows = old.changelog(partition).rows
        for record in sorted(rows.values(), key=lambda it: it.key or b""):
            if not (record.key or b"").startswith(CATALOGUE_KEYS):
                target = old.new_partition(message_key(record.key or b""))
                value = without_version(record.key or b"", record.value or b"")
                yield RecordCopy(target, record.key, value, record.headers, record.timestamp_ms)
    # The position comes last, so that a partition that is only partly filled never counts as decided.
    for number, content in used.items():
        yield RecordCopy(number, POSITION_KEY, position_note(content.records - 1), (), content.newest_ms)


def without_version(key: bytes, value: bytes) -> bytes:
    """A level without the version of the catalogue of its old partition; any other row as it is."""
    if key.startswith(b"@") or b"article_version" not in value:
        return value
    level = msgspec.json.decode(value, type=Level)
    level.article_version = 0
    return msgspec.json.encode(level)


def store_of(key: bytes) -> bytes:
    """The key of the messages that a row of the inventory comes from: its store."""
    return split_key(key.decode())[1].encode()
