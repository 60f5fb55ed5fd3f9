"""Reads a changelog partition up to its owner's claim and folds it into the partition's table.

Where a standby table is at hand, only the end of the changelog that it has not seen is read.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.structs import TopicPartition

from streams.engine.aiokafka_internals import fetch_chunks
from streams.engine.consumers import standalone_consumer
from streams.engine.log_client import EARLIEST
from streams.engine.table import PartitionTable
from streams.engine.worker_context import WorkerContext
from streams.errors import ChangelogMoved, LogAbsent, RightMissing

log = structlog.get_logger("streams.engine.recovery")


class Recovery:
    """One recovery; its progress can be read while it runs.

    `following`: the first offset of the changelog that is not in the table; `records`: how many were read.
    """

    def __init__(self, table: PartitionTable, tp: TopicPartition, context: WorkerContext) -> None:
        self._table = table
        self._tp = tp
        self._context = context
        self.following = 0
        self.claim = 0
        self.records = 0

    async def run(self, claim: int, warm_from: int | None) -> None:
        """Load every record before `claim`; from `warm_from` on, when all before that is in the table.

        Nothing after the claim can come from an earlier owner, so the table is complete when the claim is reached.
        Raises `ChangelogMoved` when records are removed meanwhile, `LogAbsent` when none comes for `absence_s_max`.
        """
        context = self._context
        earliest = await context.client.offset(self._tp, EARLIEST)
        if warm_from is not None and not earliest <= warm_from <= claim + 1:
            log.warning("standby.unusable", partition=self._tp.partition, follows=warm_from, earliest=earliest)
            self._table.clear()
            warm_from = None
        self.following, self.claim = earliest if warm_from is None else warm_from, claim
        if self.following <= claim:
            bytes_max = context.limits.recovery_fetch_bytes_max
            async with changelog_consumer(context, max_partition_fetch_bytes=bytes_max) as consumer:
                consumer.assign([self._tp])
                consumer.seek(self._tp, self.following)
                await self._load(consumer)
        self._table.loaded(claim)

    async def _load(self, consumer: AIOKafkaConsumer) -> None:
        limits, fetched_at = self._context.limits, time.monotonic()
        while self.following <= self.claim:
            for chunk in (await fetch_chunks(consumer, None, limits.fetch_wait_s)).values():
                if chunk.start > self.following:
                    # A record that was removed meanwhile may be one that drops a row, so what is loaded is no base.
                    raise ChangelogMoved(offset=self.following, earliest=chunk.start)
                self._table.load(record for record in chunk.records if record.offset <= self.claim)
                self.records += len(chunk.records)
                self.following, fetched_at = chunk.next, time.monotonic()
            if time.monotonic() - fetched_at > limits.absence_s_max:
                raise LogAbsent(request="recovery", offset=self.following, claim=self.claim)
            await asyncio.sleep(0)


@asynccontextmanager
async def changelog_consumer(context: WorkerContext, **fetching: int) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer outside of any group, started, and stopped at the end. Raises `RightMissing`."""
    consumer = standalone_consumer(context.connection, context.limits, **fetching)
    try:
        await context.client.patiently("recovery", consumer.start)
        yield consumer
    except TopicAuthorizationFailedError as error:
        [topics] = error.args or ("the changelog",)
        raise RightMissing(right=f"READ on topic {topics}") from None
    finally:
        await consumer.stop()
