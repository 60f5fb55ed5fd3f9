"""Reads a changelog partition up to its owner's claim and folds it into the partition's table."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.batches import fetched_chunks
from streams.client import EARLIEST, LogClient
from streams.connection import Connection
from streams.errors import LogAbsent
from streams.limits import StreamLimits
from streams.table import Table


async def recover(
    table: Table, tp: TopicPartition, claim: int, client: LogClient, reach: tuple[Connection, StreamLimits]
) -> int:
    """Load everything that stands before `claim`. Answers how many records that were.

    Nothing after the claim can come from an earlier owner, so the table is complete when the claim is reached.
    """
    connection, limits = reach
    start = await client.offset(tp, EARLIEST)
    consumer = AIOKafkaConsumer(
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=limits.recovery_fetch_bytes_max,
        request_timeout_ms=limits.request_timeout_ms,
        **connection.client_options(),
    )
    await client.patiently("recovery", consumer.start)
    try:
        consumer.assign([tp])
        consumer.seek(tp, start)
        return await _load(table, consumer, start, claim, limits)
    finally:
        await consumer.stop()


async def _load(table: Table, consumer: AIOKafkaConsumer, start: int, claim: int, limits: StreamLimits) -> int:
    records, following, heard = 0, start, time.monotonic()
    while following <= claim:
        for chunk in (await fetched_chunks(consumer._fetcher, None, limits.fetch_wait_s)).values():
            table.load(record for record in chunk.records if record.offset <= claim)
            records += len(chunk.records)
            following, heard = chunk.next, time.monotonic()
        if time.monotonic() - heard > limits.absence_s_max:
            raise LogAbsent(request="recovery", offset=following, claim=claim)
        await asyncio.sleep(0)
    table.loaded(claim)
    return records
