"""Consumers of the log: a member of a group that commits its offsets itself, and a reader outside of any group."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.engine.aiokafka_internals import (
    fetch_chunks,
    is_member,
    leave_for_good,
    raise_group_error,
    set_fetch_sizes,
)
from streams.engine.batches import Chunk
from streams.engine.connection import LogConnection
from streams.engine.log_client import LogClient
from streams.limits import StreamLimits

log = structlog.get_logger("streams.engine.consumers")

# A fetch that finds nothing costs client and log 3 ms together. What a rebalance assigns is fetched after the one that
# is on its way, so it must not be long.
FETCH_WAIT_MS = 1_500
GATHER_MS_MAX = 20


def standalone_consumer(connection: LogConnection, limits: StreamLimits, **fetching: int) -> AIOKafkaConsumer:
    """A consumer outside of any group, not started; `fetching` are its fetch sizes and waits."""
    return AIOKafkaConsumer(
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=limits.request_timeout_ms,
        **fetching,
        **connection.client_options(),
    )


class AssignmentListener(Protocol):
    """The worker around a group's member: called when partitions are given up or assigned."""

    async def revoked(self) -> None:
        """A rebalance begins, so every partition is given up. The group waits until this returns."""

    def assigned(self, tps: Collection[TopicPartition]) -> None:
        """A rebalance ended with these partitions."""


class GroupConsumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """One member of a consumer group; with the name of an instance it is a static member."""

    def __init__(self, group: str, connection: LogConnection, limits: StreamLimits, **options: Any) -> None:
        self._limits = limits
        self._options: dict[str, Any] = {
            "client_id": f"bopis-{group}",
            "group_id": group,
            "group_instance_id": f"{group}-{connection.instance}" if connection.instance else None,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "session_timeout_ms": limits.session_timeout_ms,
            "heartbeat_interval_ms": limits.heartbeat_ms,
            "rebalance_timeout_ms": limits.rebalance_timeout_ms,
            # The reply to a join may take as long as a session.
            "request_timeout_ms": max(limits.request_timeout_ms, limits.session_timeout_ms),
            "retry_backoff_ms": limits.retry_backoff_ms,
            "max_partition_fetch_bytes": limits.fetch_bytes_max,
            "fetch_max_wait_ms": FETCH_WAIT_MS,
            **connection.client_options(),
            **options,
        }
        self._consumer: AIOKafkaConsumer = None
        self._listener: AssignmentListener | None = None

    async def join(self, client: LogClient, topics: Iterable[str], listener: AssignmentListener) -> None:
        """Join the group; waits while the log is away. The assignment comes to `listener` later."""
        self._listener = listener

        async def attempt() -> None:
            self._consumer = AIOKafkaConsumer(**self._options)
            try:
                await self._consumer.start()
            except BaseException:
                # A consumer that failed to start cannot be started again, and its connections would stay open.
                await self._consumer.stop()
                raise

        await client.patiently("group", attempt)
        # Only now: an attempt that failed must not have joined the group.
        self._consumer.subscribe(list(topics), listener=self)

    async def leave(self) -> None:
        """Leave the group. Under a static name, too, unless `leave_on_stop` is off: others need not wait for the
        session to time out."""
        if self._consumer is None:
            return
        if self._limits.leave_on_stop:
            leave_for_good(self._consumer)
        await self._consumer.stop()

    def is_member(self) -> bool | None:
        """Whether the group counts this member; None while it has not asked to join."""
        return None if self._consumer is None else is_member(self._consumer)

    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions that the group has given to this member."""
        return frozenset() if self._consumer is None else frozenset(self._consumer.assignment())

    async def chunks(self, partitions: Collection[TopicPartition] | None = None) -> dict[TopicPartition, Chunk]:
        """The records of one fetch by partition; of `partitions` alone where given. Raises an error of the group."""
        raise_group_error(self._consumer)
        return await fetch_chunks(self._consumer, partitions, self._limits.fetch_wait_s)

    async def records(self, count_max: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        """At most `count_max` records, by partition. Raises an error of the group."""
        timeout_ms = int(self._limits.fetch_wait_s * 1000)
        fetched: dict[TopicPartition, list[ConsumerRecord]]
        fetched = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=count_max)
        return fetched

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets: of each partition the first one that is not done. Raises what the group refuses."""
        if self._consumer is not None:
            await self._consumer.commit(dict(offsets))

    def pause(self, tps: Iterable[TopicPartition]) -> None:
        """Fetch nothing from these partitions until `seek` names them."""
        self._consumer.pause(*tps)

    async def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from these offsets on."""
        try:
            for tp, offset in offsets.items():
                self._consumer.seek(tp, offset)
                self._consumer.resume(tp)
        except IllegalStateError:
            log.info("place.overtaken", cause="another rebalance has begun")

    def gather(self, seconds: float) -> None:
        """Let the next fetches wait `seconds` for more records; 0: they return at the first byte.

        The log does the waiting, so records that arrive meanwhile, in any partition, cost one wake-up.
        """
        wait_ms = min(int(seconds * 1000), GATHER_MS_MAX)
        if wait_ms > 0:
            set_fetch_sizes(self._consumer, self._limits.fetch_bytes_max, wait_ms)
        else:
            set_fetch_sizes(self._consumer, 1, self._options["fetch_max_wait_ms"])

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002  (aiokafka's signature)
        """All partitions are given up at once, whichever are named."""
        if self._listener is not None:
            await self._listener.revoked()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        if self._listener is not None:
            self._listener.assigned(sorted(assigned))
