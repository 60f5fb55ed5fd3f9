"""The migration in steps: survey, copy, compare, switch. Killed at any point and started again, it continues."""

from collections.abc import Iterable, Iterator

import msgspec

from bopis.names import LEVELS_TOPIC, STOCK_TOPIC
from bopis.ports import Log, Record, RecordCopy
from bopis.services.migration.changelog import FoldedChangelog
from bopis.services.migration.copies import (
    CATALOGUE_KEYS,
    OldTopic,
    every_copy,
    letter_copies,
    newest_copies,
    row_copies,
    stock_copies,
    store_of,
)
from bopis.services.migration.dead_letters import RelocatedMessages
from bopis.services.migration.errors import (
    BooksDiffer,
    HistoryCut,
    NotDecided,
    NothingToMove,
    OldMoved,
    StoresSplit,
    TargetDiffers,
    WorkersRunning,
)
from bopis.services.migration.filling import PartitionContent, TopicFilling
from bopis.services.migration.ports import Advance, MoveConnections, MovedTopic, OffsetRanges
from bopis.services.migration.survey import Survey, fold
from bopis.services.migration.target import Target
from bopis.topics.definitions import MigrationRule
from bopis.wire.changelog import NO_POSITION
from bopis.wire.placement import partition_of

STORES_NAMED_MAX = 5


class MoveReport(msgspec.Struct, frozen=True, kw_only=True):
    """Results of the survey and of copying: `moved` counts the records of each new topic, `appended` those of this
    attempt."""

    messages: int
    stores: int
    rows: int
    ticks: int
    unread: int
    other_keys: int
    moved: dict[str, int] = {}
    appended: dict[str, int] = {}


class Move:
    """One migration of every topic in `moving`: the stock messages first, rows after the messages of their source."""

    def __init__(
        self, connections: MoveConnections, moving: list[MovedTopic], old_prefix: str, new_prefix: str
    ) -> None:
        self._connections = connections
        # Rows need the content of the new message topics, dead letters the new places of messages.
        rules = list(MigrationRule)
        self._moving = sorted(moving, key=lambda moved: rules.index(moved.topic.migration))
        self._old_prefix = old_prefix
        self._new_prefix = new_prefix
        self._survey = Survey(partitions=0)
        self._rows = 0
        self._ranges = OffsetRanges(starts={}, ends={})
        self._fillings: dict[str, TopicFilling] = {}

    def look(self) -> MoveReport:
        """Check that the old topics can be migrated, and survey them. Changes nothing.

        Raises `WorkersRunning`, `NothingToMove`, `HistoryCut`, `NotDecided`, `StoresSplit` or `BooksDiffer`.
        """
        self._check_idle()
        names = [moved.topic.name for moved in self._moving]
        old = self._connections.old
        self._ranges = OffsetRanges(starts=old.start_offsets(names), ends=old.end_offsets(names))
        partitions = self._ranges.partitions(STOCK_TOPIC)
        if not partitions:
            raise NothingToMove(topic=self._old_name(STOCK_TOPIC))
        for number in partitions:
            # Ticks are attributed by folding the messages from the first one.
            if first := self._ranges.starts[STOCK_TOPIC, number]:
                raise HistoryCut(topic=self._old_name(STOCK_TOPIC), partition=number, first=first)
        self._check_decided()
        self._survey.partitions = len(partitions)
        with self._connections.show("reading messages", self._ranges.records(STOCK_TOPIC)) as advance:
            for number in partitions:
                self._fold(number, advance)
        if split := sorted(self._survey.split):
            raise StoresSplit(stores=", ".join(split[:STORES_NAMED_MAX]), topic=self._old_name(STOCK_TOPIC))
        return self._report()

    def _check_decided(self) -> None:
        """Every processor has decided every message of its topic. One that never ran has no rows to migrate: it will
        begin with the first message."""
        for moved in self._moving:
            source = moved.topic.rows_of
            if source != STOCK_TOPIC and not self._ranges.records(moved.topic.name):
                continue
            for partition in self._ranges.partitions(source):
                end = self._ranges.ends[source, partition]
                position = self._old_topic(moved.topic.name).changelog(partition).position
                if position != (end - 1 if end else NO_POSITION):
                    raise NotDecided(topic=self._old_name(source), records=max(1, end - 1 - position))

    def _fold(self, partition: int, advance: Advance) -> None:
        where = (STOCK_TOPIC, partition)
        levels = self._old_topic(LEVELS_TOPIC).changelog(partition)
        records = self._connections.old.read({where: 0}, {where: self._ranges.ends[where]})
        rows = fold(records, self._survey, advance)
        stores = {store_of(key) for key in levels.rows if not key.startswith(CATALOGUE_KEYS)}
        split = {store for store in stores if partition_of(store, self._survey.partitions) != partition}
        self._survey.split |= {store.decode() for store in split}
        if not split and (key := levels.first_difference(rows.rows)) is not None:
            raise BooksDiffer(topic=self._old_name(LEVELS_TOPIC), partition=partition, key=key)
        self._rows += len(levels.rows)

    def run(self, start_over: bool) -> MoveReport:
        """Copy the records that are missing, compare every record, and switch. Call `look` first.

        `start_over` deletes the topics of an earlier attempt first. Raises `TargetMisfit`, `TargetInUse`,
        `TargetDiffers`, `TickTooLarge`, `WorkersRunning` or `OldMoved`.
        """
        target = Target(self._connections.new, self._connections.keeper, self._moving)
        if start_over:
            target.clear()
        found = target.open()
        relocated = self._relocated()
        for moved in self._moving:
            name = moved.topic.name
            copier = self._connections.copier if name in target.unfinished else None
            filling = self._fillings[name] = TopicFilling(moved.plan.name, name, found[name], copier)
            with self._connections.show(f"copying {name}", self._ranges.records(name)) as advance:
                filling.fill(self._copies(moved, relocated), advance)
        self._compare()
        # Checked again after the copying, which takes long: a worker or publisher may have been started meanwhile.
        self._check_idle()
        self._check_unchanged()
        target.finish()
        return self._report()

    def _compare(self) -> None:
        fillings, new = self._fillings, self._connections.new
        records = sum(content.records for filling in fillings.values() for content in filling.contents.values())
        messages = sum(content.records for content in fillings[STOCK_TOPIC].contents.values())
        with self._connections.show("comparing", records + messages) as advance:
            for moved in self._moving:
                check_copy(new, moved, fillings[moved.topic.name], advance)
            name = self._moving[0].plan.name
            check_books(new, fillings[STOCK_TOPIC], fillings[LEVELS_TOPIC], name, advance)

    def _copies(self, moved: MovedTopic, relocated: RelocatedMessages) -> Iterator[RecordCopy]:
        old = self._old_topic(moved.topic.name)
        match moved.topic.migration:
            case MigrationRule.STOCK:
                return stock_copies(old, self._survey, relocated)
            case MigrationRule.ROWS:
                rows_of = moved.topic.rows_of
                message_key = store_of if rows_of == STOCK_TOPIC else bytes
                return row_copies(old, message_key, list(self._fillings[rows_of].contents.values()))
            case MigrationRule.LETTERS:
                return letter_copies(old, relocated)
            case MigrationRule.NEWEST:
                return newest_copies(old, lambda key: key)
            case MigrationRule.MARKS:
                return newest_copies(old, relocated.key)
            case MigrationRule.EVERY | MigrationRule.NOTHING:
                return every_copy(old, relocated)

    def _relocated(self) -> RelocatedMessages:
        names = {moved.topic.migration: moved.topic.name for moved in self._moving}
        letters = self._old_topic(names[MigrationRule.LETTERS]).records()
        marks = self._old_topic(names[MigrationRule.MARKS]).records()
        return RelocatedMessages(letters, marks, self._old_prefix, self._new_prefix)

    def _old_topic(self, name: str) -> OldTopic:
        partitions = next(moved.plan.partitions for moved in self._moving if moved.topic.name == name)
        return OldTopic(log=self._connections.old, topic=name, ranges=self._ranges, partitions=partitions)

    def _check_idle(self) -> None:
        if working := self._connections.working():
            raise WorkersRunning(groups=", ".join(working))

    def _check_unchanged(self) -> None:
        """No record was appended to the old topics since the survey."""
        for where, end in self._connections.old.end_offsets([moved.topic.name for moved in self._moving]).items():
            surveyed = self._ranges.ends.get(where, 0)
            if end != surveyed:
                raise OldMoved(topic=self._old_name(where[0]), records=end - surveyed)

    def _old_name(self, topic: str) -> str:
        return self._old_prefix + topic

    def _report(self) -> MoveReport:
        contents = {name: filling.contents.values() for name, filling in self._fillings.items()}
        return MoveReport(
            messages=self._ranges.records(STOCK_TOPIC),
            stores=len(self._survey.stores),
            rows=self._rows,
            ticks=len(self._survey.ticks),
            unread=self._survey.unread,
            other_keys=self._survey.other_keys,
            moved={name: sum(content.records for content in found) for name, found in contents.items()},
            appended={name: filling.appended for name, filling in self._fillings.items()},
        )


def check_copy(log: Log, moved: MovedTopic, filling: TopicFilling, advance: Advance) -> None:
    """Compare every record of a new topic with its copy, by a digest. Raises `TargetDiffers`."""
    for partition, content in filling.contents.items():
        found = PartitionContent()
        for record in _records(log, moved.topic.name, partition, content.records):
            found.add(record.key, record.value, record.headers, record.timestamp_ms)
            advance(1)
        if found != content:
            raise TargetDiffers(topic=moved.plan.name, partition=partition)


def check_books(log: Log, stock: TopicFilling, levels: TopicFilling, name: str, advance: Advance) -> None:
    """Decide the new messages from the first to the last and compare the result with the new rows and positions.

    Raises `TargetDiffers`.
    """
    survey = Survey(partitions=len(stock.contents))
    for partition, content in stock.contents.items():
        rows = fold(_records(log, STOCK_TOPIC, partition, content.records), survey, advance)
        changelog = FoldedChangelog(_records(log, LEVELS_TOPIC, partition, levels.contents[partition].records))
        if changelog.first_difference(rows.rows) is not None or changelog.position != content.records - 1:
            raise TargetDiffers(topic=name, partition=partition)


def _records(log: Log, topic: str, partition: int, count: int) -> Iterator[Record]:
    where = (topic, partition)
    yield from _contiguous(log.read({where: 0}, {where: count}))


def _contiguous(records: Iterable[Record]) -> Iterator[Record]:
    """Records up to the first missing offset: a partition that was only copied into has none."""
    for number, record in enumerate(records):
        if record.offset != number:
            return
        yield record
