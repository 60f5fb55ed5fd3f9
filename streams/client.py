"""One connection to the log: requests that are retried until the log answers or patience ends."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import structlog
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import (
    BrokerResponseError,
    ConcurrentTransactions,
    CorruptRecordException,
    GroupAuthorizationFailedError,
    KafkaError,
    LeaderNotAvailableError,
    NotLeaderForPartitionError,
    TransactionalIdAuthorizationFailed,
    UnknownError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from streams.access import REFUSALS, SEE, Door, check, named
from streams.connection import Connection
from streams.errors import LogAbsent, LogRefused, RightMissing
from streams.limits import StreamLimits

log = structlog.get_logger("streams.client")

Answer = TypeVar("Answer")
# Errors that pass, though aiokafka does not count them as retriable.
# A batch that a network has damaged is refused by its checksum; the same batch sent again is whole.
PASSING = (ConcurrentTransactions, CorruptRecordException, UnknownError)
# Errors of a log that is starting or electing, not of one that refuses.
NOT_YET = (LeaderNotAvailableError, NotLeaderForPartitionError, UnknownTopicOrPartitionError)
EARLIEST = -2
LATEST = -1


class Retry(Exception):
    """This attempt failed for a reason that passes: try again."""


class Waiting(NamedTuple):
    """A request that is repeated, and why."""

    event: str
    words: str


class LogClient:
    """aiokafka's client plus patience. All requests of one worker's writers go through it."""

    def __init__(self, connection: Connection, limits: StreamLimits) -> None:
        self._options = connection.client_options()
        self._limits = limits
        self._client: Any = None
        self._door = Door(self._options)
        # What is waited for just now, by request.
        self.troubles: dict[str, Waiting] = {}

    async def start(self) -> None:
        self._client = AIOKafkaClient(
            client_id="bopis-stream",
            request_timeout_ms=self._limits.request_timeout_ms,
            retry_backoff_ms=self._limits.retry_backoff_ms,
            **self._options,
        )
        await self.patiently("connect", self._client.bootstrap)

    async def watch(self, topics: tuple[str, ...]) -> None:
        """Learn who leads these topics. They exist by now: asking for absent ones might create them wrongly."""
        await self.patiently("metadata", lambda: self._client.set_topics(topics))

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def patiently(self, what: str, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """Repeat an attempt while the log is away. Absence is told once, not with every attempt."""
        try:
            return await self._repeated(what, attempt)
        finally:
            self.troubles.pop(what, None)

    async def _repeated(self, what: str, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        began, backoff_ms, failures = time.monotonic(), self._limits.retry_backoff_ms, 0
        while True:
            try:
                answer = await attempt()
            except (TimeoutError, KafkaError, OSError, Retry) as error:
                if isinstance(error, REFUSALS):
                    raise named(error) or error from error
                if isinstance(error, KafkaError) and not (error.retriable or isinstance(error, PASSING)):
                    raise LogRefused(request=what, error=repr(error)) from error
                if time.monotonic() - began > self._limits.absence_s_max:
                    raise LogAbsent(request=what, error=repr(error)) from error
                self._door.look()
                failures += 1
                self._note(what, error)
                if self._client is not None and self._client._sync_task is not None:
                    self._client.force_metadata_update()
                await asyncio.sleep(backoff_ms / 1000)
                backoff_ms = min(backoff_ms * 2, self._limits.retry_backoff_ms_max)
            else:
                if failures:
                    log.info("log.back", request=what, seconds=round(time.monotonic() - began, 3))
                return answer

    def _note(self, what: str, error: Exception) -> None:
        """Say once why a request is repeated: the log does not answer, or it answers with an error, named."""
        refused = isinstance(error, BrokerResponseError) and not isinstance(error, NOT_YET)
        waiting = Waiting("log.refuses" if refused else "log.absent", f"{what}: {error!r}")
        before = self.troubles.get(what)
        if before is None or before.event != waiting.event:
            log.warning(waiting.event, request=what, error=repr(error))
        self.troubles[what] = waiting

    def by_leader(self, tps: Iterable[TopicPartition]) -> list[list[TopicPartition]]:
        """Partitions grouped by who leads them; one whose leader is not known yet stands alone."""
        groups: dict[Any, list[TopicPartition]] = defaultdict(list)
        for tp in tps:
            node = self._client.cluster.leader_for_partition(tp)
            groups[tp if node is None or node == -1 else node].append(tp)
        return list(groups.values())

    async def to_leader(self, tp: TopicPartition, request: Any) -> Any:
        """Send once to the partition's leader."""
        node = self._client.cluster.leader_for_partition(tp)
        if node is None or node == -1:
            self._add(tp.topic)
            raise Retry(f"no leader of {tp.topic}/{tp.partition} known yet")
        return await self._client.send(node, request)

    def _add(self, topic: str) -> None:
        """Ask for a topic from now on. Raises `RightMissing` when the log has said that this user may not see it."""
        if topic in self._client.cluster.unauthorized_topics:
            raise RightMissing(right=f"{SEE} on topic {topic}")
        self._client.add_topic(topic)

    async def to_coordinator(self, transactional_id: str, request: Any) -> Any:
        """Send once to the coordinator of a writer's identity."""
        try:
            node = await self._client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)
        except TransactionalIdAuthorizationFailed:
            raise RightMissing(right=f"WRITE on transactional id {transactional_id}") from None
        if not await self._client.ready(node, group=ConnectionGroup.COORDINATION):
            raise Retry("the coordinator is not ready")
        return await self._client.send(node, request, group=ConnectionGroup.COORDINATION)

    async def may_join(self, group: str) -> None:
        """Ask whether this user may read in a group, before a library asks in its own ways. Raises `RightMissing`."""

        async def attempt() -> None:
            try:
                await self._client.coordinator_lookup(CoordinationType.GROUP, group)
            except GroupAuthorizationFailedError:
                raise RightMissing(right=f"READ on group {group}") from None

        await self.patiently("group", attempt)

    async def partitions(self, topic: str) -> int:
        async def attempt() -> int:
            found = self._client.cluster.partitions_for_topic(topic)
            if not found:
                self._add(topic)
                raise Retry(f"topic {topic} is not known yet")
            return len(found)

        return await self.patiently("partitions", attempt)

    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where partitions end, asked once and without patience: those that do not answer are left out."""
        by_node: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for tp in tps:
            node = self._client.cluster.leader_for_partition(tp)
            if node is not None and node != -1:
                by_node[node][tp.topic].append((tp.partition, LATEST))
        found: dict[TopicPartition, int] = {}
        for node, topics in by_node.items():
            with suppress(TimeoutError, KafkaError, OSError):
                async with asyncio.timeout(self._limits.watch_s):
                    answer = await self._client.send(node, OffsetRequest(-1, 0, [*topics.items()]))
                for topic, partitions in answer.topics:
                    found |= {TopicPartition(topic, it[0]): int(it[-1]) for it in partitions if not it[1]}
        return found

    async def offset(self, tp: TopicPartition, which: int) -> int:
        """The earliest offset of a partition, or the one after its last record."""

        async def attempt() -> int:
            request = OffsetRequest(-1, 0, [(tp.topic, [(tp.partition, which)])])
            answer = await self.to_leader(tp, request)
            [(_, [(_, code, *found)])] = answer.topics
            check(code, f"{SEE} on topic {tp.topic}")
            return int(found[-1])

        return await self.patiently("offset", attempt)
