"""Publishes a worker's reports to the topic `workers`. Off the critical path: failures are logged, and end nothing."""

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

from bopis.names import WORKERS_TOPIC
from bopis.services.worker_reports import Issue, PartitionReport, WorkerReport, encode
from streams.engine.batches import NO_HEADERS, Batches
from streams.engine.connection import LogConnection
from streams.engine.log_client import LogClient
from streams.engine.log_refusals import check
from streams.engine.partition_status import OWNER, PartitionStatus
from streams.engine.retry import Retry
from streams.engine.topics import COMPACT, TopicShape, ensure_topics, planned
from streams.errors import StreamError
from streams.limits import StreamLimits

log = structlog.get_logger("streams.health.reporting")

ACKS_LEADER = 1  # A lost report is replaced by the next one.
HARMLESS = (KafkaError, OSError, TimeoutError, Retry, StreamError)


class Reporter:
    """The reports of one worker, under one key."""

    def __init__(self, processor: str, connection: LogConnection, limits: StreamLimits) -> None:
        self._connection = connection
        self._limits = limits
        host, unique = socket.gethostname(), uuid.uuid4().hex[:6]
        name = connection.instance or f"{host}-{os.getpid()}-{unique}"
        self._key = f"{processor}/{name}".encode()
        self._blank = WorkerReport(
            processor=processor,
            instance=name,
            host=host,
            pid=os.getpid(),
            version=importlib.metadata.version("bopis"),
            at_ms=0,
            every_s=limits.status_s,
        )
        self._target = TopicPartition(connection.topic(WORKERS_TOPIC), 0)
        self._declared = self._failed = False

    def report(
        self, statuses: Iterable[PartitionStatus], ends: dict[TopicPartition, int], issues: Iterable[Issue]
    ) -> WorkerReport:
        """The report of this moment; `ends`: the offset after the last record of each source."""
        partitions = (_partition(it, ends.get(TopicPartition(it.topic, it.partition))) for it in statuses)
        return msgspec.structs.replace(
            self._blank, at_ms=int(time.time() * 1000), partitions=tuple(partitions), issues=tuple(issues)
        )

    async def publish(self, client: LogClient, report: WorkerReport | None) -> None:
        """Write a report; None deletes the last one. A failure is logged once; the next report is tried anyhow."""
        try:
            async with asyncio.timeout(self._limits.status_write_s_max):
                await self._declare(client)
                await self._write(client, None if report is None else encode(report))
            self._failed = False
        except HARMLESS as error:
            if not self._failed:
                log.warning("report.failed", topic=self._target.topic, error=repr(error))
            self._failed = True

    async def _declare(self, client: LogClient) -> None:
        if not self._declared:
            shape = TopicShape(WORKERS_TOPIC, COMPACT, self._limits.record_bytes_max, exact_partitions=False)
            await ensure_topics(planned(self._connection, [shape]), client)
            self._declared = True

    async def _write(self, client: LogClient, value: bytes | None) -> None:
        [(builder, _)] = Batches(self._limits.record_bytes_max, self._connection.now_ms).encode(
            [(self._key, value, NO_HEADERS)]
        )
        timeout_ms = int(self._limits.status_write_s_max * 1000)
        batch = bytes(builder.build())
        request = ProduceRequest(None, ACKS_LEADER, timeout_ms, [(self._target.topic, [(0, batch)])])
        # Not `client.patiently`: its patience is minutes and would show this request among the worker's issues.
        while True:
            try:
                reply = await client.to_leader(self._target, request)
                break
            except Retry:
                await asyncio.sleep(self._limits.retry_backoff_ms / 1000)
        [(_, [(_, code, *_)])] = reply.topics
        check(code, f"WRITE on topic {self._target.topic}")


def _partition(status: PartitionStatus, end: int | None) -> PartitionReport:
    lag = status.lag
    if status.role == OWNER and end is not None and status.position is not None:
        lag = max(0, end - status.position - 1)
    return PartitionReport(
        topic=status.topic,
        partition=status.partition,
        role=status.role,
        state=status.state,
        position=status.position,
        rows=status.rows,
        epoch=status.epoch if status.epoch >= 0 else None,
        end=end,
        lag=lag,
        age_ms=None if status.age_s is None else int(status.age_s * 1000),
    )
