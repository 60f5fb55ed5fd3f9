"""Work in the background: retention, compaction, and returning free space to the disk.

Reads run in a thread of their own, changes in short transactions of the one writer, with pauses between them, so that
clients do not notice.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from bopis.broker.clock import RecordClock, system_ms
from bopis.broker.errors import BrokerError
from bopis.broker.limits import BrokerLimits
from bopis.broker.storage import compaction, disk_reserve, retention
from bopis.broker.storage.append import Appender
from bopis.broker.storage.catalog import TopicCatalog
from bopis.broker.storage.database import OFFSET_MAX, open_reader, row_id
from bopis.broker.storage.partition import LogPartition, TailCache
from bopis.broker.storage.topic_settings import FOREVER
from bopis.broker.storage.writer import Writer

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_PRODUCERS_PER_STEP = 500
_TOMBSTONE_BATCHES_PER_STEP = 16
_WAIT_SECONDS_MIN = 0.01
# Later than any timestamp: without a minimum lag every record is old enough, also one from a writer's future.
_ANY_TIME_MS = OFFSET_MAX << 20


class Storage(NamedTuple):
    """The parts of the log that housekeeping reads and changes."""

    path: Path
    limits: BrokerLimits
    writer: Writer
    catalog: TopicCatalog
    cache: TailCache
    appender: Appender
    now_ms: RecordClock


class FreePages(NamedTuple):
    """The pages of the file that are free, and all of them."""

    free: int
    total: int


class Housekeeper:
    """Runs the rounds of retention, compaction and vacuum, one after another, until stopped."""

    def __init__(self, storage: Storage, due: asyncio.Event) -> None:
        self._storage = storage
        self._limits = storage.limits
        self._due = due
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="log-keeper")
        self._connection = open_reader(storage.path, storage.limits)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Abandon the round under way: each of its steps is complete in itself."""
        self._task.cancel()
        await asyncio.wait({self._task})
        await asyncio.to_thread(self._pool.shutdown)
        self._connection.close()

    async def _run(self) -> None:
        limits = self._limits
        retain_at = compact_at = 0.0
        while True:
            now = time.monotonic()
            if now >= retain_at or self._due.is_set():
                self._due.clear()
                await asyncio.to_thread(disk_reserve.keep, self._storage.path.parent)
                await self._round(self._retain)
                retain_at = time.monotonic() + limits.retention_interval_seconds
            if now >= compact_at:
                await self._round(self._compact)
                compact_at = time.monotonic() + limits.compaction_interval_seconds
            await self._round(self._vacuum)
            wait = max(_WAIT_SECONDS_MIN, min(retain_at, compact_at) - time.monotonic())
            try:
                await asyncio.wait_for(self._due.wait(), wait)
            except TimeoutError:
                pass

    async def _round(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except (BrokerError, sqlite3.Error) as error:
            # A full disk or a damaged page: the next round tries again; clients learn of it by their own requests.
            log.warning("log.housekeeping_failed: %s", error)
        except Exception:
            log.exception("log.housekeeping_failed")

    async def _read(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        started = time.monotonic()
        answer = await asyncio.get_running_loop().run_in_executor(self._pool, work, self._connection)
        await self._rest(started)
        return answer

    async def _write(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        started = time.monotonic()
        answer = await self._storage.writer.job(work)
        await self._rest(started)
        return answer

    async def _rest(self, started: float) -> None:
        """Pause in proportion to the work, so that housekeeping takes a fixed share of the disk's time."""
        await asyncio.sleep((time.monotonic() - started) * self._limits.compaction_rest_ratio)

    async def _retain(self) -> None:
        for partition in self._storage.catalog.partitions():
            if retention.wants_retention(partition):
                await self._cut(partition)
            await self._purge(partition)
        while await self._read(retention.has_deleted_topics):
            await self._write(partial(retention.purge_deleted_topics, limits=self._limits))
        await self._expire_producers()

    async def _cut(self, partition: LogPartition) -> None:
        """Move the start of a partition behind the records whose time is over."""
        while not partition.deleted:
            policy = partition.topic.policy  # may change between two steps
            size = None if policy.retention_bytes == FOREVER else await self._size(partition)
            oldest_ms = self._storage.now_ms() - policy.retention_ms
            first_kept = partial(retention.first_kept, partition=partition, oldest_ms=oldest_ms)
            cut = await self._read(partial(first_kept, size=size, rows_max=self._limits.read_batches_max))
            if cut <= partition.log_start:
                return
            await self._storage.catalog.advance_start(partition, cut)
            await self._purge(partition)

    async def _purge(self, partition: LogPartition) -> None:
        """Delete the batches before the start of a partition."""
        while partition.purged_to < partition.log_start and not partition.deleted:
            before = partition.log_start
            purge = partial(retention.purge, partition_id=partition.id, before=before, limits=self._limits)
            purged = await self._write(purge)
            partition.bytes_added -= purged.freed
            if partition.clean_bytes is not None:
                partition.clean_bytes = max(0, partition.clean_bytes - purged.freed)
            if not purged.more:
                # The tail in memory may contain batches that were just deleted.
                partition.purged_to = before
                self._storage.cache.forget(partition)

    async def _size(self, partition: LogPartition) -> int:
        """The bytes of a partition: counted once in the file, then updated by what is added and removed."""
        if partition.size_base is None:
            # Both before the read: batches that are appended meanwhile are in neither.
            added, end = partition.bytes_added, partition.end
            counted = await self._read(lambda connection: retention.measure(connection, partition.id, 0, end))
            partition.size_base = counted - added
        return partition.size_base + partition.bytes_added

    async def _expire_producers(self) -> None:
        before_ms = system_ms() - int(self._limits.producer_expiry_seconds * 1_000)
        rows_max = _PRODUCERS_PER_STEP
        while await self._read(partial(retention.silent_producers, before_ms=before_ms, rows_max=rows_max)):
            await self._write(partial(retention.delete_silent_producers, before_ms=before_ms, rows_max=rows_max))
            self._storage.appender.forget_producers()

    async def _compact(self) -> None:
        for partition in self._storage.catalog.partitions():
            if partition.topic.policy.compact and not partition.deleted:
                await self._compact_partition(partition)
        await self._drop_tombstones()

    async def _compact_partition(self, partition: LogPartition) -> None:
        lag_ms = partition.topic.policy.compaction_lag_ms
        younger_ms = self._storage.now_ms() - lag_ms if lag_ms else _ANY_TIME_MS
        cleaned_to = partition.cleaned_to
        ends = await self._read(lambda c: compaction.cleanable_end(c, partition.id, cleaned_to, younger_ms))
        if ends is None or not await self._is_dirty(partition):
            return
        newest = compaction.NewestOffsets(self._limits.compaction_keys_max)
        keys_known_to = await self._collect_keys(partition, newest, ends)
        end = min(ends.clean_to, keys_known_to)
        if await self._clean(partition, newest, end):
            await self._storage.catalog.note_cleaned(partition, end)

    async def _is_dirty(self, partition: LogPartition) -> bool:
        size = await self._size(partition)
        if partition.clean_bytes is None:
            end = partition.cleaned_to
            partition.clean_bytes = await self._read(lambda c: retention.measure(c, partition.id, 0, end))
        # As on Apache Kafka: a pass reads the whole partition, so it has to be worth it.
        dirty = size - partition.clean_bytes
        return size > 0 and dirty / size >= partition.topic.policy.dirty_ratio_min

    async def _collect_keys(
        self, partition: LogPartition, newest: compaction.NewestOffsets, ends: compaction.CleanableEnd
    ) -> int:
        """First pass. Returns the offset before which all keys are known."""
        row: int | None = row_id(partition.id, partition.cleaned_to)
        end = min(ends.keys_to, partition.end)
        bytes_max = self._limits.compaction_slice_bytes
        last = row_id(partition.id, end - 1)
        while row is not None and row <= last and not newest.full:
            rows = compaction.RowRange(row, last)
            row = await self._read(partial(compaction.collect_keys, newest=newest, rows=rows, bytes_max=bytes_max))
        return end if row is None or row > last else row - row_id(partition.id, 0)

    async def _clean(self, partition: LogPartition, newest: compaction.NewestOffsets, end: int) -> bool:
        """Second pass. Returns whether it reached its end."""
        row: int | None = row_id(partition.id, partition.log_start)
        last = row_id(partition.id, end - 1)
        tombstone_ms = partition.topic.policy.tombstone_ms
        cleaning = compaction.CleaningPass(newest, system_ms(), tombstone_ms, unreadable_below=False)
        kept_bytes = 0
        bytes_max = self._limits.compaction_slice_bytes
        while row is not None and row <= last:
            if partition.deleted:
                return False
            rows = compaction.RowRange(row, last)
            cleaned = await self._read(partial(compaction.clean, cleaning=cleaning, rows=rows, bytes_max=bytes_max))
            await self._apply(cleaned.rewrites)
            kept_bytes += cleaned.kept_bytes
            cleaning = cleaning._replace(unreadable_below=cleaned.unreadable_below)
            row = cleaned.next_row
        partition.clean_bytes = kept_bytes
        return True

    async def _apply(self, rewrites: list[compaction.BatchRewrite]) -> None:
        if not rewrites:
            return
        await self._write(lambda connection: compaction.apply_rewrites(connection, rewrites))
        for rewrite in rewrites:
            partition = self._storage.catalog.by_id.get(compaction.partition_of(rewrite))
            if partition is not None and rewrite.records is not None:
                partition.bytes_added -= rewrite.freed
                # The tail in memory may contain the batch as it was before.
                self._storage.cache.forget(partition)

    async def _drop_tombstones(self) -> None:
        batches_max = _TOMBSTONE_BATCHES_PER_STEP
        while True:
            expired = partial(compaction.expired_tombstones, now_ms=system_ms(), batches_max=batches_max)
            rewrites = await self._read(expired)
            if not rewrites:
                return
            await self._apply(rewrites)

    async def _vacuum(self) -> None:
        limits = self._limits
        while True:
            pages = await self._read(_free_pages)
            if pages.free < limits.vacuum_free_pages_min or pages.free < pages.total * limits.vacuum_free_ratio_min:
                return
            started = time.monotonic()
            await self._storage.writer.job(partial(_vacuum, pages=limits.vacuum_slice_pages), transaction=False)
            await self._rest(started)


def _free_pages(connection: sqlite3.Connection) -> FreePages:
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (total,) = connection.execute("PRAGMA page_count").fetchone()
    return FreePages(free, total)


def _vacuum(connection: sqlite3.Connection, pages: int) -> None:
    # The statement frees one page per step, so it has to be read to its end.
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
