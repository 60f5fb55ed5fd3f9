"""How the projection reads the log: one consumer of a group, on the loop of the worker itself.

A sink needs nothing of a stream processor but its share of the partitions and chunks in order, so there is no
Faust here (decision 9): no second thread, no second loop, no message per partition and fetch.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError

from streams.batches import fetched_chunks
from streams.connection import Connection
from streams.limits import StreamLimits
from streams.projection_reading import Reading

log = structlog.get_logger("streams.projection")

RETRY_S = 0.5
# A reader that waits for its database is not idle; the database's own patience ends first.
POLL_INTERVAL_MS_MAX = 3_600_000
GATHER_MS_MAX = 20


class GroupReader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """The worker's member of the group: hands chunks to `Reading`, and moves where it says."""

    def __init__(self, group: str, connection: Connection, limits: StreamLimits, reading: Reading) -> None:
        self._limits = limits
        self._reading = reading
        self._idle_wait_ms = int(limits.fetch_wait_s * 1000)
        self._options: dict[str, Any] = {
            **connection.client_options(),
            "group_id": group,
            "group_instance_id": f"{group}-{connection.instance}" if connection.instance else None,
            "client_id": f"bopis-{group}",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            # Stock and levels have the same partitions: whoever folds a store also writes its levels.
            "partition_assignment_strategy": (RangePartitionAssignor,),
            "session_timeout_ms": limits.session_timeout_ms,
            "heartbeat_interval_ms": limits.heartbeat_ms,
            "rebalance_timeout_ms": limits.rebalance_timeout_ms,
            "request_timeout_ms": max(limits.request_timeout_ms, limits.session_timeout_ms),
            "retry_backoff_ms": limits.retry_backoff_ms,
            "max_poll_interval_ms": POLL_INTERVAL_MS_MAX,
            "max_partition_fetch_bytes": limits.fetch_bytes_max,
            "fetch_max_wait_ms": self._idle_wait_ms,
        }
        self._consumer: Any = None

    async def start(self, topics: Iterable[str]) -> None:
        """Join the group. The log may go away just now: try again instead of falling."""
        began = time.monotonic()
        while True:
            self._consumer = AIOKafkaConsumer(**self._options)
            self._consumer.subscribe(list(topics), listener=self)
            try:
                await self._consumer.start()
                return
            except (KafkaError, OSError):
                await self._consumer.stop()
                if time.monotonic() - began > self._limits.absence_s_max:
                    raise
                await asyncio.sleep(RETRY_S)

    async def read(self) -> None:
        """Hand chunks over until cancelled; raises what the group or the log cannot mend."""
        consumer = self._consumer
        fetcher, subscription = consumer._fetcher, consumer._subscription
        while True:
            consumer._coordinator.check_errors()
            with subscription.fetch_context():
                chunks = await fetched_chunks(fetcher, self._reading.wanted, self._limits.fetch_wait_s)
            for chunk in chunks.values():
                await self._reading.take(chunk)

    def gather(self, seconds: float) -> None:
        """Let the next fetches wait so long for more to come; 0 is at once.

        The log does the waiting, so whatever comes meanwhile, in whatever partition, costs one wake-up.
        """
        fetcher = self._consumer._fetcher
        wait_ms = min(int(seconds * 1000), GATHER_MS_MAX)
        if wait_ms > 0:
            fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = self._limits.fetch_bytes_max, wait_ms
        else:
            fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = 1, self._idle_wait_ms

    async def place(self, offsets: dict[Any, int]) -> None:
        """Read these partitions from these offsets on."""
        consumer = self._consumer
        try:
            for tp, offset in offsets.items():
                consumer.seek(tp, offset)
                consumer.resume(tp)
        except IllegalStateError:
            log.info("place.overtaken", cause="another rebalance has begun")

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002  (aiokafka's signature)
        """Everything is given back at once, so everything is written first."""
        await self._reading.revoked()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Nothing is fetched until the database has said where to read on."""
        self._consumer.pause(*assigned)
        self._reading.assigned(assigned, self)

    async def tell_lag(self) -> None:
        """Commit now and then, until cancelled."""
        while True:
            await asyncio.sleep(self._limits.group_offsets_s)
            await self.commit()

    async def commit(self) -> None:
        """Tell the group how far the database is: for watching its lag, so failing is no reason to stop."""
        try:
            mine = self._consumer.assignment()
            offsets = {tp: offset for tp, offset in self._reading.durable_offsets().items() if tp in mine}
            if offsets:
                await asyncio.wait_for(self._consumer.commit(offsets), self._limits.stop_s_max)
        except Exception as error:
            log.debug("group_offsets.failed", error=repr(error))

    async def stop(self) -> None:
        """Leave the group at once, so that others need not wait for the session to time out."""
        # A named member that leaves for good says so; aiokafka would let its session time out.
        if self._consumer is None:
            return
        if self._limits.leave_on_stop and self._consumer._coordinator is not None:
            self._consumer._coordinator._group_instance_id = None
        await self._consumer.stop()
