"""Reads a changelog partition up to its owner's claim and folds it into the partition's table.

Where a warm copy of the table is at hand, only the tail that the copy has not seen is read.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.structs import TopicPartition

from streams.batches import fetched_chunks
from streams.client import EARLIEST, LogClient
from streams.connection import Connection
from streams.errors import ChangelogMoved, LogAbsent, RightMissing
from streams.limits import StreamLimits
from streams.table import Table

log = structlog.get_logger("streams.recovery")


class Recovery:
    """One recovery: how far it has come is there to be seen while it runs."""

    def __init__(self, table: Table, tp: TopicPartition, client: LogClient) -> None:
        self._table = table
        self._tp = tp
        self._client = client
        self.following = 0
        self.claim = 0
        self.records = 0

    async def run(self, claim: int, warm_from: int | None, reach: tuple[Connection, StreamLimits]) -> None:
        """Load everything that stands before `claim`; from `warm_from` on, when what is before is in the table.

        Nothing after the claim can come from an earlier owner, so the table is complete when the claim is reached.
        """
        earliest = await self._client.offset(self._tp, EARLIEST)
        if warm_from is not None and not earliest <= warm_from <= claim + 1:
            log.warning("standby.unusable", partition=self._tp.partition, follows=warm_from, earliest=earliest)
            self._table.clear()
            warm_from = None
        self.following, self.claim = earliest if warm_from is None else warm_from, claim
        if self.following <= claim:
            fetching = {"max_partition_fetch_bytes": reach[1].recovery_fetch_bytes_max}
            async with reader(self._client, reach, fetching) as consumer:
                consumer.assign([self._tp])
                consumer.seek(self._tp, self.following)
                await self._load(consumer, reach[1])
        self._table.loaded(claim)

    async def _load(self, consumer: AIOKafkaConsumer, limits: StreamLimits) -> None:
        heard = time.monotonic()
        while self.following <= self.claim:
            for chunk in (await fetched_chunks(consumer._fetcher, None, limits.fetch_wait_s)).values():
                if chunk.start > self.following:
                    # What was removed meanwhile may be what removes a row: only the whole rest tells the truth.
                    raise ChangelogMoved(offset=self.following, earliest=chunk.start)
                self._table.load(record for record in chunk.records if record.offset <= self.claim)
                self.records += len(chunk.records)
                self.following, heard = chunk.next, time.monotonic()
            if time.monotonic() - heard > limits.absence_s_max:
                raise LogAbsent(request="recovery", offset=self.following, claim=self.claim)
            await asyncio.sleep(0)


@asynccontextmanager
async def reader(
    client: LogClient, reach: tuple[Connection, StreamLimits], fetching: dict[str, int]
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer outside any group, started; stopped at the end."""
    connection, limits = reach
    consumer = AIOKafkaConsumer(
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=limits.request_timeout_ms,
        **fetching,
        **connection.client_options(),
    )
    try:
        await client.patiently("recovery", consumer.start)
        yield consumer
    except TopicAuthorizationFailedError as error:
        [topics] = error.args or ("the changelog",)
        raise RightMissing(right=f"READ on topic {topics}") from None
    finally:
        await consumer.stop()
