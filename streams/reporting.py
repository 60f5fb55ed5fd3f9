"""Tells the topic ``workers`` how this worker is. Beside the exact path: what goes wrong here hurts nobody."""

import asyncio
import importlib.metadata
import os
import socket
import time
import uuid
from collections.abc import Iterable

import msgspec
import structlog
from aiokafka.errors import KafkaError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.structs import TopicPartition

from bopis.services.workers import TOPIC, PartitionReport, Trouble, WorkerReport, encode
from streams.access import check
from streams.batches import NO_HEADERS, Batches
from streams.client import LogClient, Retry
from streams.connection import Connection
from streams.errors import StreamError
from streams.limits import StreamLimits
from streams.standing import OWNER, Standing
from streams.topics import COMPACT, ensure_topics, planned

log = structlog.get_logger("streams.reporting")

ACKS_LEADER = 1
HARMLESS = (KafkaError, OSError, TimeoutError, Retry, StreamError)


class Reporter:
    """The reports of one worker, under one key."""

    def __init__(self, processor: str, connection: Connection, limits: StreamLimits) -> None:
        self._connection = connection
        self._limits = limits
        host, unique = socket.gethostname(), uuid.uuid4().hex[:6]
        name = connection.instance or f"{host}-{os.getpid()}-{unique}"
        self._key = f"{processor}/{name}".encode()
        self._about = WorkerReport(
            processor=processor,
            instance=name,
            host=host,
            pid=os.getpid(),
            version=importlib.metadata.version("bopis"),
            at_ms=0,
            every_s=limits.status_s,
        )
        self._place = TopicPartition(connection.topic(TOPIC), 0)
        self._declared = self._failed = False

    def report(
        self, standings: Iterable[Standing], ends: dict[TopicPartition, int], trouble: Iterable[Trouble]
    ) -> WorkerReport:
        """How this worker is now."""
        partitions = (_partition(it, ends.get(TopicPartition(it.topic, it.partition))) for it in standings)
        return msgspec.structs.replace(
            self._about, at_ms=int(time.time() * 1000), partitions=tuple(partitions), trouble=tuple(trouble)
        )

    async def tell(self, client: LogClient, report: WorkerReport | None) -> None:
        """Write a report; None takes the last one back. Failing is told once, and tried again next time."""
        try:
            async with asyncio.timeout(self._limits.status_write_s_max):
                await self._declare(client)
                await self._write(client, None if report is None else encode(report))
            self._failed = False
        except HARMLESS as error:
            if not self._failed:
                log.warning("report.failed", topic=self._place.topic, error=repr(error))
            self._failed = True

    async def _declare(self, client: LogClient) -> None:
        if not self._declared:
            shapes = ((TOPIC, COMPACT, self._limits.record_bytes_max, False),)
            await ensure_topics(planned(self._connection, shapes), client, self._connection, self._limits)
            self._declared = True

    async def _write(self, client: LogClient, value: bytes | None) -> None:
        [(builder, _)] = Batches(self._limits.record_bytes_max).encode([(self._key, value, NO_HEADERS)])
        timeout_ms = int(self._limits.status_write_s_max * 1000)
        batch = bytes(builder.build())
        request = ProduceRequest(None, ACKS_LEADER, timeout_ms, [(self._place.topic, [(0, batch)])])
        while True:
            try:
                answer = await client.to_leader(self._place, request)
                break
            except Retry:
                await asyncio.sleep(self._limits.retry_backoff_ms / 1000)
        [(_, [(_, code, *_)])] = answer.topics
        check(code, f"WRITE on topic {self._place.topic}")


def _partition(standing: Standing, end: int | None) -> PartitionReport:
    owned = standing.role == OWNER
    lag = standing.lag
    if owned and end is not None and standing.position is not None:
        lag = max(0, end - standing.position - 1)
    return PartitionReport(
        topic=standing.topic,
        partition=standing.partition,
        role=standing.role,
        state=standing.state,
        position=standing.position,
        rows=standing.rows,
        epoch=standing.epoch if standing.epoch >= 0 else None,
        end=end,
        lag=lag,
        age_ms=None if standing.age_s is None else int(standing.age_s * 1000),
    )
