"""Batches of records into the database: rows, fold and position in one transaction, or nothing."""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Engine

from bopis.readside import statements
from bopis.readside.changes import NO_POSITION, Changes, Consumed, RecordLike
from bopis.readside.engine import SQLITE, patient, reading
from bopis.readside.errors import RecordsMissing, TopicUnknown
from bopis.readside.fold import Fold
from bopis.readside.levels import project_levels
from bopis.readside.notes import Notes
from bopis.readside.orders.decisions import project_decisions
from bopis.readside.orders.notices import project_notices
from bopis.readside.orders.past import project_events
from bopis.readside.orders.present import project_orders
from bopis.readside.places import project_stores
from bopis.readside.schema import consumed
from bopis.readside.shelf import SqlShelf, keep
from bopis.readside.silence import Heard
from bopis.readside.transaction import Transaction, transaction

STOCK = "stock"
LEVELS = "inventory-levels"
STORES = "stores"
ORDERS = "orders"
ORDER_STATE = "order-state"
ORDER_EVENTS = "order-events"
NOTICE_STATE = "notice-state"
TOPICS = (STOCK, LEVELS, STORES, ORDERS, ORDER_STATE, ORDER_EVENTS, NOTICE_STATE)
# Changelogs: rows between the notes of their writers.
ROWS = {LEVELS: project_levels, ORDER_STATE: project_orders, NOTICE_STATE: project_notices}

FOLD_ROWS_CACHED_MAX = 40_000  # of one partition, a kilobyte or two each

_POSITION_COLUMNS = '"topic", "partition", "position", recorded_ms, source_position, claim, stale'

Partition = tuple[str, int]


class Batch(NamedTuple):
    """Records of one partition in order, from where the read began up to before `following`.

    Offsets between the two without a record are holes in the log itself, made by compaction or retention. Without
    the two, the records must follow each other and the position without a hole.
    """

    topic: str
    partition: int
    records: Sequence[RecordLike]
    start: int | None = None
    following: int | None = None


class Projection:
    """Writes the read side; one thread uses it at a time.

    Two of them on one database are harmless: the position is read under a lock in the same transaction that
    writes the rows, so whoever comes second finds the records consumed and leaves them out.
    """

    def __init__(self, engine: Engine, prefix: str = "", rows_cached_max: int = FOLD_ROWS_CACHED_MAX) -> None:
        self._engine = engine
        self._prefix = prefix
        self._rows_cached_max = rows_cached_max
        self._folds: dict[int, Fold] = {}
        # The position up to which each fold in memory goes.
        self._folded: dict[int, int] = {}

    def positions(self) -> dict[Partition, int]:
        """The last consumed offset of every partition that was ever read, by topic without prefix."""
        query = consumed.select().where(consumed.c.position > NO_POSITION)
        with patient(), reading(self._engine) as connection:
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

    def write_many(self, batches: Iterable[Batch | tuple[str, int, Sequence[RecordLike]]]) -> None:
        """Write several batches in one transaction; records at or below the position are left out.

        Raises `RecordsMissing` when records before a batch were not handed over and `DatabaseAway` when the
        database does not answer. Either way nothing counts as written, and the same batches may be handed over
        again: whether a commit whose answer was lost has happened is read from the database.
        """
        work = [self._named(it) for it in (Batch(*batch) for batch in batches) if it.records or it.following]
        if not work:
            return
        try:
            with transaction(self._engine) as opened:
                folded = self._write(opened, work)
        except BaseException:
            # Rows in memory may have gone on without the table: what they say is not to be believed.
            self._folds.clear()
            self._folded.clear()
            raise
        for partition, position in folded.items():
            self._folds[partition].rows.settle(self._rows_cached_max)
            self._folded[partition] = position

    def _named(self, batch: Batch) -> Batch:
        topic = batch.topic.removeprefix(self._prefix)
        if topic not in TOPICS:
            raise TopicUnknown(topic=batch.topic, prefix=self._prefix)
        return batch._replace(topic=topic)

    def _write(self, opened: Transaction, work: Sequence[Batch]) -> dict[int, int]:
        positions = _lock(opened, sorted({(batch.topic, batch.partition) for batch in work}))
        changes = Changes()
        folds: dict[int, Fold] = {}
        now_ms = int(time.time() * 1000)
        for batch in work:
            at = (batch.topic, batch.partition)
            before = positions[at]
            records, position = _beyond(batch, before.position)
            if position == before.position:
                continue
            if batch.topic == STOCK and batch.partition not in folds:
                folds[batch.partition] = self._fold(opened, batch.partition, before.position)
            after = _project(batch, records, before, changes, folds)
            recorded_ms = records[-1].timestamp if records else before.recorded_ms
            positions[at] = after._replace(position=position, recorded_ms=recorded_ms)
            changes.set("consumed", at, (*at, position, recorded_ms, now_ms, *positions[at][2:]))
        for partition, fold in folds.items():
            keep(fold.rows, partition, changes)
        statements.apply(opened, changes)
        return {partition: positions[STOCK, partition].position for partition in folds}

    def _fold(self, opened: Transaction, partition: int, position: int) -> Fold:
        """The fold of a partition as it stands at the position; from memory if nobody else has written since."""
        fold = self._folds.get(partition)
        if fold is None or self._folded.get(partition) != position:
            known = opened.ask(_heard_query(opened.dialect), (partition,))
            fold = Fold(partition, {store: Heard(*said) for store, _, *said in known})
            self._folds[partition] = fold
            self._folded.pop(partition, None)
        fold.rows.shelf = SqlShelf(opened, partition)
        return fold


def _project(
    batch: Batch, records: Sequence[RecordLike], before: Consumed, changes: Changes, folds: dict[int, Fold]
) -> Consumed:
    if batch.topic == STOCK:
        folds[batch.partition].take(records, changes)
    elif batch.topic == STORES:
        project_stores(records, changes)
    elif batch.topic == ORDERS:
        project_decisions(batch.partition, records, changes)
    elif batch.topic == ORDER_EVENTS:
        project_events(batch.partition, records, changes)
    else:
        notes = Notes(before)
        ROWS[batch.topic](batch.partition, notes.believed(records), changes)
        return before._replace(source_position=notes.source_position, claim=notes.claim, stale=notes.stale)
    return before


def _beyond(batch: Batch, position: int) -> tuple[Sequence[RecordLike], int]:
    """The records beyond the position, and the position after them."""
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
    """The positions, locked until the end of the transaction; on SQLite the transaction is the lock."""
    found = _positions(opened, partitions)
    absent = [at for at in partitions if at not in found]
    if absent and opened.dialect != SQLITE:
        # What is not there cannot be locked.
        fresh = [(*at, NO_POSITION, 0, 0, NO_POSITION, NO_POSITION, False) for at in absent]
        opened.run(statements.insert_absent("consumed", opened.dialect), fresh)
        found = _positions(opened, partitions)
    return {at: found.get(at, Consumed()) for at in partitions}


def _positions(opened: Transaction, partitions: Sequence[Partition]) -> dict[Partition, Consumed]:
    query = f"SELECT {_POSITION_COLUMNS} FROM consumed"
    if opened.dialect == SQLITE:
        rows = opened.ask(query)
    else:
        wanted = ([topic for topic, _ in partitions], [number for _, number in partitions])
        rows = opened.ask(
            f'{query} JOIN unnest(%s::text[], %s::int[]) AS wanted ("topic", "partition") USING ("topic", "partition") '
            'ORDER BY "topic", "partition" FOR UPDATE OF consumed',
            wanted,
        )
    return {
        (topic, partition): Consumed(position, recorded_ms, source_position, claim, bool(stale))
        for topic, partition, position, recorded_ms, source_position, claim, stale in rows
    }


def _heard_query(dialect: str) -> str:
    mark = "?" if dialect == SQLITE else "%s"
    return f'SELECT {statements.columns("heard")} FROM heard WHERE "partition" = {mark}'
