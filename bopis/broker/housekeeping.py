"""What goes on in the background: retention, compaction, and giving space back to the disk.

Reading happens in a thread of its own, changing in short transactions of the one writer, with rests in between, so
that clients do not notice.
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

from bopis.broker import compaction, reserve, retention
from bopis.broker.append import Appender
from bopis.broker.catalog import Catalog
from bopis.broker.database import OFFSET_MAX, open_reader, row_id
from bopis.broker.errors import BrokerError
from bopis.broker.limits import BrokerLimits
from bopis.broker.partition import Partition, TailCache
from bopis.broker.topics import FOREVER
from bopis.broker.writer import Writer

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_PRODUCERS_PER_STEP = 500
_RIPE_PER_STEP = 16


class House(NamedTuple):
    """What is kept in order."""

    path: Path
    limits: BrokerLimits
    writer: Writer
    catalog: Catalog
    cache: TailCache
    appender: Appender


class Housekeeper:
    """Runs the rounds, one after another, until it is stopped."""

    def __init__(self, house: House, due: asyncio.Event) -> None:
        self._house = house
        self._limits = house.limits
        self._due = due
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="log-keeper")
        self._connection = open_reader(house.path, house.limits)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Give up the round under way; every step of it is whole."""
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
                await asyncio.to_thread(reserve.keep, self._house.path.parent)
                await self._round(self._retain)
                retain_at = time.monotonic() + limits.retention_interval_seconds
            if now >= compact_at:
                await self._round(self._compact)
                compact_at = time.monotonic() + limits.compaction_interval_seconds
            await self._round(self._vacuum)
            wait = max(0.01, min(retain_at, compact_at) - time.monotonic())
            try:
                await asyncio.wait_for(self._due.wait(), wait)
            except TimeoutError:
                pass

    async def _round(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except (BrokerError, sqlite3.Error) as error:
            # A full disk or a damaged page: the next round tries again; clients are told by their own requests.
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
        answer = await self._house.writer.job(work)
        await self._rest(started)
        return answer

    async def _rest(self, started: float) -> None:
        await asyncio.sleep((time.monotonic() - started) * self._limits.compaction_rest_ratio)

    async def _retain(self) -> None:
        for partition in self._house.catalog.partitions():
            if retention.wants_retention(partition):
                await self._cut(partition)
            await self._purge(partition)
        while await self._read(retention.has_doomed):
            await self._write(partial(retention.purge_doomed, limits=self._limits))
        await self._expire_producers()

    async def _cut(self, partition: Partition) -> None:
        rows_max = self._limits.read_batches_max
        while not partition.gone:
            size = None
            if partition.topic.policy.retention_bytes != FOREVER:
                size = await self._size(partition)
            cut = await self._read(partial(retention.first_kept, partition=partition, size=size, rows_max=rows_max))
            if cut <= partition.log_start:
                return
            await self._house.catalog.advance_start(partition, cut)
            await self._purge(partition)

    async def _purge(self, partition: Partition) -> None:
        while partition.purged_to < partition.log_start and not partition.gone:
            before = partition.log_start
            more, freed = await self._write(
                partial(retention.purge, partition_id=partition.id, before=before, limits=self._limits)
            )
            partition.grown -= freed
            if partition.clean_bytes is not None:
                partition.clean_bytes = max(0, partition.clean_bytes - freed)
            if not more:
                partition.purged_to = before
                self._house.cache.forget(partition)

    async def _size(self, partition: Partition) -> int:
        """The bytes of a partition: counted once, then kept in step with what comes and goes."""
        if partition.size_base is None:
            grown, end = partition.grown, partition.end
            counted = await self._read(lambda connection: retention.measure(connection, partition.id, 0, end))
            partition.size_base = counted - grown
        return partition.size_base + partition.grown

    async def _expire_producers(self) -> None:
        before_ms = time.time_ns() // 1_000_000 - int(self._limits.producer_expiry_seconds * 1_000)
        rows_max = _PRODUCERS_PER_STEP
        while await self._read(partial(retention.silent_producers, before_ms=before_ms, rows_max=rows_max)):
            await self._write(partial(retention.forget_producers, before_ms=before_ms, rows_max=rows_max))
            self._house.appender.forget_producers()

    async def _compact(self) -> None:
        for partition in self._house.catalog.partitions():
            if partition.topic.policy.compact and not partition.gone:
                await self._compact_partition(partition)
        await self._drop_tombstones()

    async def _compact_partition(self, partition: Partition) -> None:
        policy = partition.topic.policy
        now_ms = time.time_ns() // 1_000_000
        # A lag of nothing means everything, also what a writer's clock puts into the future.
        younger = now_ms - policy.compaction_lag_ms if policy.compaction_lag_ms else OFFSET_MAX << 20
        found = await self._read(lambda c: compaction.bounds(c, partition.id, partition.cleaned_to, younger))
        if found is None or not await self._is_dirty(partition):
            return
        newest = compaction.NewestOffsets(self._limits.compaction_keys_max)
        learned_to = await self._learn(partition, newest, found)
        end = min(found.cleaned_to, learned_to)
        if await self._clean(partition, newest, end):
            await self._house.catalog.note_cleaned(partition, end)

    async def _is_dirty(self, partition: Partition) -> bool:
        size = await self._size(partition)
        if partition.clean_bytes is None:
            end = partition.cleaned_to
            partition.clean_bytes = await self._read(lambda c: retention.measure(c, partition.id, 0, end))
        dirty = size - partition.clean_bytes
        return size > 0 and dirty / size >= partition.topic.policy.dirty_ratio_min

    async def _learn(self, partition: Partition, newest: compaction.NewestOffsets, found: compaction.Bounds) -> int:
        """First walk. Returns the offset up to which the keys are known."""
        row: int | None = row_id(partition.id, partition.cleaned_to)
        end = min(found.known_to, partition.end)
        bytes_max = self._limits.compaction_slice_bytes
        last = row_id(partition.id, end - 1)
        while row is not None and row <= last and not newest.full:
            span = (row, last)
            row = await self._read(partial(compaction.learn, newest=newest, span=span, bytes_max=bytes_max))
        return end if row is None or row > last else row - row_id(partition.id, 0)

    async def _clean(self, partition: Partition, newest: compaction.NewestOffsets, end: int) -> bool:
        """Second walk. Returns whether it came to its end."""
        row: int | None = row_id(partition.id, partition.log_start)
        last = row_id(partition.id, end - 1)
        tombstone_ms = partition.topic.policy.tombstone_ms
        cleaning = compaction.Cleaning(newest, time.time_ns() // 1_000_000, tombstone_ms, False)
        kept = 0
        bytes_max = self._limits.compaction_slice_bytes
        while row is not None and row <= last:
            if partition.gone:
                return False
            span = (row, last)
            found = await self._read(partial(compaction.clean, cleaning=cleaning, span=span, bytes_max=bytes_max))
            await self._apply(found.rewrites)
            kept += found.kept_bytes
            cleaning = cleaning._replace(opaque_below=found.opaque)
            row = found.next_row
        partition.clean_bytes = kept
        return True

    async def _apply(self, rewrites: list[compaction.Rewrite]) -> None:
        if not rewrites:
            return
        await self._write(lambda connection: compaction.apply(connection, rewrites))
        for rewrite in rewrites:
            partition = self._house.catalog.by_id.get(compaction.partition_of(rewrite))
            if partition is not None and rewrite.freed:
                partition.grown -= rewrite.freed
                self._house.cache.forget(partition)

    async def _drop_tombstones(self) -> None:
        while True:
            now_ms = time.time_ns() // 1_000_000
            rewrites = await self._read(partial(compaction.ripe_tombstones, now_ms=now_ms, batches_max=_RIPE_PER_STEP))
            if not rewrites:
                return
            await self._apply(rewrites)

    async def _vacuum(self) -> None:
        limits = self._limits
        while True:
            free, total = await self._read(_free_pages)
            if free < limits.vacuum_free_pages_min or free < total * limits.vacuum_free_ratio_min:
                return
            started = time.monotonic()
            await self._house.writer.job(partial(_vacuum, pages=limits.vacuum_slice_pages), transaction=False)
            await self._rest(started)


def _free_pages(connection: sqlite3.Connection) -> tuple[int, int]:
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (total,) = connection.execute("PRAGMA page_count").fetchone()
    return free, total


def _vacuum(connection: sqlite3.Connection, pages: int) -> None:
    # The statement frees one page per step, so it has to be read to its end.
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
