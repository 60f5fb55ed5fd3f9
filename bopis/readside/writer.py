"""The projection: batches of records into the database, with rows, fold and position in one transaction."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Engine

from bopis.names import (
    LEVELS_TOPIC,
    NOTICE_STATE_TOPIC,
    ORDER_EVENTS_TOPIC,
    ORDER_STATE_TOPIC,
    ORDERS_TOPIC,
    READ_SIDE_TOPICS,
    STOCK_TOPIC,
    STORES_TOPIC,
)
from bopis.readside import statements
from bopis.readside.changes import NO_POSITION, Changes, Consumed, RecordLike
from bopis.readside.engine import SQLITE, raising_away, reading
from bopis.readside.errors import RecordsMissing, TextNotStorable, TopicNotProjected
from bopis.readside.history.cached_rows import SqlRowStore, add_changed_rows
from bopis.readside.history.fold import Fold
from bopis.readside.history.last_message import LastMessage
from bopis.readside.levels import project_levels
from bopis.readside.orders.current import project_notices, project_orders
from bopis.readside.orders.decisions import project_decisions
from bopis.readside.orders.history import project_events
from bopis.readside.schema import consumed
from bopis.readside.stores import project_stores
from bopis.readside.transaction import Transaction, transaction
from bopis.wire.changelog import ChangelogReader, placed_decoder
from bopis.wire.placement import Placement

CHANGELOGS: dict[str, Callable[[int, Iterable[RecordLike], Changes], None]] = {
    LEVELS_TOPIC: project_levels,
    ORDER_STATE_TOPIC: project_orders,
    NOTICE_STATE_TOPIC: project_notices,
}

FOLD_ROWS_CACHED_MAX = 40_000  # of one partition, a kilobyte or two each

_POSITION_COLUMNS = '"topic", "partition", "position", recorded_ms, source_position, claim, stale'

Partition = tuple[str, int]


class Batch(NamedTuple):
    """Consecutive records of one partition, read from `start` up to before `following`.

    Offsets between the two without a record are holes in the log itself, made by compaction or retention. Without
    `start`, the records must follow the position and each other without a hole.
    """

    topic: str
    partition: int
    records: Sequence[RecordLike]
    start: int | None = None
    following: int | None = None


class Projection:
    """Writes the read side. One thread uses it at a time.

    Two projections on one database are harmless: the position is read under a lock in the transaction that writes the
    rows, so the second one finds the records consumed and skips them.

    `partitions` is the number of partitions of the keyed topics. Records whose subject does not belong in their
    partition are skipped, as their processors park them; 0 accepts every record.
    """

    def __init__(
        self, engine: Engine, prefix: str = "", partitions: int = 0, rows_cached_max: int = FOLD_ROWS_CACHED_MAX
    ) -> None:
        self._partitions = partitions
        self._engine = engine
        self._prefix = prefix
        self._rows_cached_max = rows_cached_max
        self._folds: dict[int, Fold] = {}
        # The position of each fold in memory.
        self._folded: dict[int, int] = {}

    def positions(self) -> dict[Partition, int]:
        """The last consumed offset of every partition that was ever read; topics without prefix."""
        query = consumed.select().where(consumed.c.position > NO_POSITION)
        with raising_away(), reading(self._engine) as connection:
            return {(row.topic, row.partition): row.position for row in connection.execute(query)}

    def write(
        self,
        topic: str,
        partition: int,
        records: Sequence[RecordLike],
        start: int | None = None,
        following: int | None = None,
    ) -> None:
        """Write one batch; see `write_many`."""
        self.write_many([Batch(topic, partition, records, start, following)])

    def write_many(self, batches: Iterable[Batch]) -> None:
        """Write several batches in one transaction. Records at or below the position are skipped.

        Raises `RecordsMissing` when records before a batch were not passed, and `DatabaseAway` when the database does
        not answer. Either way the same batches may be passed again: whether a commit without an answer succeeded is
        read from the database.
        """
        work = [self._without_prefix(batch) for batch in batches if batch.records or batch.following]
        if not work:
            return
        try:
            folded = self._commit(work)
        except TextNotStorable:
            folded = self._commit(work, replaces_nul=True)
        for partition, position in folded.items():
            self._folds[partition].rows.committed(self._rows_cached_max)
            self._folded[partition] = position

    def _commit(self, work: Sequence[Batch], replaces_nul: bool = False) -> dict[int, int]:
        """Write batches in a transaction of their own; returns the new positions of the folds."""
        try:
            with transaction(self._engine) as opened:
                return self._write(opened, work, replaces_nul)
        except BaseException:
            # Rows in memory may be ahead of the table now.
            self._folds.clear()
            self._folded.clear()
            raise

    def _without_prefix(self, batch: Batch) -> Batch:
        topic = batch.topic.removeprefix(self._prefix)
        if topic not in READ_SIDE_TOPICS:
            raise TopicNotProjected(topic=batch.topic, prefix=self._prefix)
        return batch._replace(topic=topic)

    def _write(self, opened: Transaction, work: Sequence[Batch], replaces_nul: bool) -> dict[int, int]:
        """Write batches in a transaction; returns the new positions of the folds."""
        # Sorted, so that two projections lock the same rows in the same order and cannot deadlock.
        positions = _lock(opened, sorted({(batch.topic, batch.partition) for batch in work}))
        changes = Changes()
        folds: dict[int, Fold] = {}
        now_ms = int(time.time() * 1000)  # for display only
        for batch in work:
            where = (batch.topic, batch.partition)
            before = positions[where]
            records, position = _unread(batch, before.position)
            if position == before.position:
                continue  # consumed already, by an earlier try or by another projection
            if batch.topic == STOCK_TOPIC and batch.partition not in folds:
                folds[batch.partition] = self._fold(opened, batch.partition, before.position)
            after = self._project(batch, records, before, changes, folds)
            recorded_ms = records[-1].timestamp if records else before.recorded_ms
            positions[where] = after._replace(position=position, recorded_ms=recorded_ms)
            changes.set("consumed", where, (*where, position, recorded_ms, now_ms, *positions[where][2:]))
        # Once per partition, after all of its batches: a row that several of them change is written once.
        for partition, fold in folds.items():
            add_changed_rows(fold.rows, partition, changes)
        statements.apply(opened, changes.without_nul() if replaces_nul else changes)
        return {partition: positions[STOCK_TOPIC, partition].position for partition in folds}

    def _project(
        self, batch: Batch, records: Sequence[RecordLike], before: Consumed, changes: Changes, folds: dict[int, Fold]
    ) -> Consumed:
        if batch.topic == STOCK_TOPIC:
            folds[batch.partition].take(records, changes)
        elif batch.topic == STORES_TOPIC:
            project_stores(records, changes)
        elif batch.topic == ORDERS_TOPIC:
            # Decisions are read where the orders worker reads them, so its rule for misplaced records applies.
            project_decisions(Placement(batch.partition, self._partitions), records, changes)
        elif batch.topic == ORDER_EVENTS_TOPIC:
            project_events(batch.partition, records, changes)
        else:
            # The reader's state is part of the position: a claim may be in one batch and a fenced commit in the next.
            changelog = ChangelogReader(
                before.source_position,
                before.claim,
                before.stale,
                placed_decoder(batch.topic, Placement(batch.partition, self._partitions)),
            )
            rows = (record for record in changelog.rows(records) if record.key)
            CHANGELOGS[batch.topic](batch.partition, rows, changes)
            return before._replace(source_position=changelog.position, claim=changelog.claim, stale=changelog.fenced)
        return before

    def _fold(self, opened: Transaction, partition: int, position: int) -> Fold:
        """The fold of a partition at a position: the one in memory, unless another process has written since."""
        fold = self._folds.get(partition)
        # The position was read under the lock, so an equal one proves that the rows in memory are current.
        if fold is None or self._folded.get(partition) != position:
            rows = opened.query(_last_messages(opened.dialect), (partition,))
            last = {store: LastMessage(*message) for store, _, *message in rows}
            fold = Fold(partition, last, Placement(partition, self._partitions))
            self._folds[partition] = fold
            self._folded.pop(partition, None)
        fold.rows.row_store = SqlRowStore(opened, partition)
        return fold


def _unread(batch: Batch, position: int) -> tuple[Sequence[RecordLike], int]:
    """The records beyond the position, and the position after them. Raises `RecordsMissing`."""
    records = batch.records
    if records and records[0].offset <= position:
        records = [record for record in records if record.offset > position]
    if batch.start is None:
        expected = position + 1
        for record in records:
            if record.offset != expected:
                raise RecordsMissing(
                    topic=batch.topic, partition=batch.partition, position=expected - 1, offset=record.offset
                )
            expected += 1
    elif batch.start > position + 1:
        raise RecordsMissing(topic=batch.topic, partition=batch.partition, position=position, offset=batch.start)
    newest = records[-1].offset if records else position
    return records, max(newest, position, (batch.following or 0) - 1)


def _lock(opened: Transaction, partitions: Sequence[Partition]) -> dict[Partition, Consumed]:
    """The positions, locked until the end of the transaction. In SQLite the transaction is the lock."""
    found = _positions(opened, partitions)
    absent = [where for where in partitions if where not in found]
    if absent and opened.dialect != SQLITE:
        # A row that does not exist cannot be locked.
        fresh = [(*where, NO_POSITION, 0, 0, NO_POSITION, NO_POSITION, False) for where in absent]
        opened.execute(statements.insert_absent("consumed", opened.dialect), fresh)
        found = _positions(opened, partitions)
    return {where: found.get(where, Consumed()) for where in partitions}


def _positions(opened: Transaction, partitions: Sequence[Partition]) -> dict[Partition, Consumed]:
    query = f"SELECT {_POSITION_COLUMNS} FROM consumed"
    if opened.dialect == SQLITE:
        rows = opened.query(query)
    else:
        wanted = ([topic for topic, _ in partitions], [number for _, number in partitions])
        rows = opened.query(
            f'{query} JOIN unnest(%s::text[], %s::int[]) AS wanted ("topic", "partition") USING ("topic", "partition") '
            'ORDER BY "topic", "partition" FOR UPDATE OF consumed',
            wanted,
        )
    return {
        (topic, partition): Consumed(position, recorded_ms, source_position, claim, bool(stale))
        for topic, partition, position, recorded_ms, source_position, claim, stale in rows
    }


def _last_messages(dialect: str) -> str:
    mark = "?" if dialect == SQLITE else "%s"
    return f'SELECT {statements.columns("heard")} FROM heard WHERE "partition" = {mark}'
