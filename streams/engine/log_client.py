"""One connection to the log: requests that are repeated until the log answers or patience ends."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

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

from bopis.services.worker_reports import Issue
from streams.engine.aiokafka_internals import refresh_metadata
from streams.engine.connection import LogConnection
from streams.engine.log_refusals import REFUSALS, SEE, AccessCheck, check, named
from streams.engine.retry import ReplyT, Retry, retried
from streams.errors import LogAbsent, LogRefused, RightMissing
from streams.limits import StreamLimits

log = structlog.get_logger("streams.engine.log_client")

# Errors that pass, though aiokafka does not count them as retriable. A batch that a network has damaged is refused by
# its checksum; the same batch sent again is whole.
PASSING = (ConcurrentTransactions, CorruptRecordException, UnknownError)
# Errors of a log that is starting or electing, not of one that refuses.
NOT_YET = (LeaderNotAvailableError, NotLeaderForPartitionError, UnknownTopicOrPartitionError)
EARLIEST = -2
LATEST = -1


class LogClient:
    """aiokafka's client plus patience. All requests of one worker's writers go through it."""

    def __init__(self, connection: LogConnection, limits: StreamLimits) -> None:
        self.connection = connection
        self.limits = limits
        self._options = connection.client_options()
        self._client: AIOKafkaClient = None
        self._access = AccessCheck(self._options)
        # Why requests are repeated just now, by request.
        self.issues: dict[str, Issue] = {}

    async def start(self) -> None:
        """Connect; waits while the log is away."""
        self._client = AIOKafkaClient(
            client_id="bopis-stream",
            request_timeout_ms=self.limits.request_timeout_ms,
            retry_backoff_ms=self.limits.retry_backoff_ms,
            **self._options,
        )
        await self.patiently("connect", self._client.bootstrap)

    async def watch(self, topics: tuple[str, ...]) -> None:
        """Fetch the metadata of these topics. They exist by now: asking for absent ones might create them wrongly."""
        await self.patiently("metadata", lambda: self._client.set_topics(topics))

    async def stop(self) -> None:
        """Disconnect."""
        if self._client is not None:
            await self._client.close()

    async def patiently(self, request: str, attempt: Callable[[], Awaitable[ReplyT]]) -> ReplyT:
        """The reply of `attempt`, repeated while the log is away; `request` names it in logs and issues.

        Raises `LogAbsent` after `absence_s_max`, `LogRefused` for an error that retrying does not mend, and its kinds
        `RightMissing` and `AccessRefused`. Absence is logged once, not with every attempt.
        """
        began, failures = time.monotonic(), 0

        def failed(error: Exception, seconds: float) -> None:
            nonlocal failures
            failures += 1
            self._raise_unless_passing(request, error, seconds)
            self._access.refresh()
            self._note(request, error)
            if self._client is not None:
                refresh_metadata(self._client)

        try:
            reply = await retried(attempt, self.limits, failed)
        finally:
            self.issues.pop(request, None)
        if failures:
            log.info("log.back", request=request, seconds=round(time.monotonic() - began, 3))
        return reply

    def _raise_unless_passing(self, request: str, error: Exception, seconds: float) -> None:
        """Return for an error that may pass while there is patience left; raise for every other one."""
        if not isinstance(error, TimeoutError | KafkaError | OSError | Retry):
            raise error
        if isinstance(error, REFUSALS):
            raise named(error) or error from error
        if isinstance(error, KafkaError) and not (error.retriable or isinstance(error, PASSING)):
            raise LogRefused(request=request, error=repr(error)) from error
        if seconds > self.limits.absence_s_max:
            raise LogAbsent(request=request, error=repr(error)) from error

    def _note(self, request: str, error: Exception) -> None:
        """Log once why a request is repeated: the log does not answer, or it answers with an error, by name."""
        refused = isinstance(error, BrokerResponseError) and not isinstance(error, NOT_YET)
        issue = Issue(name="log.refuses" if refused else "log.absent", text=f"{request}: {error!r}")
        before = self.issues.get(request)
        if before is None or before.name != issue.name:
            log.warning(issue.name, request=request, error=repr(error))
        self.issues[request] = issue

    def by_leader(self, tps: Iterable[TopicPartition]) -> list[list[TopicPartition]]:
        """Partitions grouped by their leader; one whose leader is not known yet is a group of its own."""
        groups: dict[Any, list[TopicPartition]] = defaultdict(list)
        for tp in tps:
            node = self._client.cluster.leader_for_partition(tp)
            groups[tp if node is None or node == -1 else node].append(tp)
        return list(groups.values())

    async def to_leader(self, tp: TopicPartition, request: Any) -> Any:
        """The reply of the partition's leader to a request, sent once. Raises `Retry` while no leader is known."""
        node = self._client.cluster.leader_for_partition(tp)
        if node is None or node == -1:
            self._add(tp.topic)
            raise Retry(f"no leader of {tp.topic}/{tp.partition} known yet")
        return await self._client.send(node, request)

    def _add(self, topic: str) -> None:
        """Fetch the metadata of a topic from now on. Raises `RightMissing` when this user may not see it."""
        if topic in self._client.cluster.unauthorized_topics:
            raise RightMissing(right=f"{SEE} on topic {topic}")
        self._client.add_topic(topic)

    async def to_coordinator(self, transactional_id: str, request: Any) -> Any:
        """The reply of the coordinator of a writer's identity to a request, sent once. Raises `RightMissing`."""
        try:
            node = await self._client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)
        except TransactionalIdAuthorizationFailed:
            raise RightMissing(right=f"WRITE on transactional id {transactional_id}") from None
        if not await self._client.ready(node, group=ConnectionGroup.COORDINATION):
            raise Retry("the coordinator is not ready")
        return await self._client.send(node, request, group=ConnectionGroup.COORDINATION)

    async def may_join(self, group: str) -> None:
        """Check that this user may read in a group, before a library asks and hides why not. Raises `RightMissing`."""

        async def attempt() -> None:
            try:
                await self._client.coordinator_lookup(CoordinationType.GROUP, group)
            except GroupAuthorizationFailedError:
                raise RightMissing(right=f"READ on group {group}") from None

        await self.patiently("group", attempt)

    async def partitions(self, topic: str) -> int:
        """The number of partitions of a topic; waits while the topic is not known yet."""

        async def attempt() -> int:
            partitions = self._client.cluster.partitions_for_topic(topic)
            if not partitions:
                self._add(topic)
                raise Retry(f"topic {topic} is not known yet")
            return len(partitions)

        return await self.patiently("partitions", attempt)

    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset after the last record of each partition, asked once; those that do not answer are left out."""
        by_node: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for tp in tps:
            node = self._client.cluster.leader_for_partition(tp)
            if node is not None and node != -1:
                by_node[node][tp.topic].append((tp.partition, LATEST))
        ends: dict[TopicPartition, int] = {}
        for node, topics in by_node.items():
            with suppress(TimeoutError, KafkaError, OSError):
                async with asyncio.timeout(self.limits.watch_s):
                    reply = await self._client.send(node, OffsetRequest(-1, 0, [*topics.items()]))
                for topic, partitions in reply.topics:
                    ends |= {TopicPartition(topic, it[0]): int(it[-1]) for it in partitions if not it[1]}
        return ends

    async def answers(self) -> bool:
        """Whether the log replies to a request now."""
        try:
            async with asyncio.timeout(self.limits.watch_s):
                return bool(await self._client.fetch_all_metadata())
        except (TimeoutError, KafkaError, OSError):
            return False

    async def offset(self, tp: TopicPartition, which: int) -> int:
        """The earliest offset of a partition (`which` = EARLIEST), or the one after its last record (LATEST)."""

        async def attempt() -> int:
            request = OffsetRequest(-1, 0, [(tp.topic, [(tp.partition, which)])])
            reply = await self.to_leader(tp, request)
            [(_, [(_, code, *offsets)])] = reply.topics
            check(code, f"{SEE} on topic {tp.topic}")
            return int(offsets[-1])

        return await self.patiently("offset", attempt)
