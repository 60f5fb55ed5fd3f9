"""Faust's aiokafka transport, one message per fetch and partition instead of one per record.

Chosen by the URL scheme `batched://` (entry point `faust.transports`). Everything else of Faust stays: the group,
the rebalance protocol, flow control, streams and agents. Where a stock consumer would seek to committed offsets,
this one asks the app's `owned_partitions`, because only the changelog knows the position.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog
from aiokafka.errors import IllegalStateError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import Service

from streams.engine.aiokafka_internals import fetch_chunks, leave_for_good, raise_group_error, watch_routines
from streams.engine.batches import Chunk
from streams.engine.event_loop import loop_factory
from streams.engine.retry import retried

log = structlog.get_logger("streams.engine.faust_transport")

NO_CHECKSUM = None
LOG_APPEND_TIME = 1
GROUP_CHECK_S = 1.0


class _NoReadOffsets(dict[Any, None]):
    """Remembers nothing. Faust drops messages below the offset that it read last; after a seek back that would drop the
    very records that are read again. Skipping is the exact step's work."""

    def __getitem__(self, tp: Any) -> None:
        return None

    def __setitem__(self, tp: Any, offset: Any) -> None:
        return None


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust ships no types
    """The consumer's own thread and loop: heartbeats go on while the other thread decides."""

    async def on_start(self) -> None:
        """Start the consumer; the log may have gone away since the worker's first connection."""
        self.time_started = monotonic()

        async def attempt() -> None:
            self._consumer = self._create_consumer(loop=self.thread_loop)
            try:
                await self._consumer.start()
            except (KafkaError, OSError):
                await self._consumer.stop()
                raise
            self.app.group_consumer = self._consumer

        def failed(error: Exception, seconds: float) -> None:
            passing = isinstance(error, KafkaError | OSError) and not self.should_stop
            if not passing or seconds > self.app.limits.absence_s_max:
                raise error

        await retried(attempt, self.app.limits, failed)

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,
        max_records: int | None = None,  # noqa: ARG002  (Faust's; a fetch is bounded by bytes)
    ) -> dict[Any, list[Chunk]]:
        if not self.consumer.flow_active:
            return {}
        chunks = await fetch_chunks(consumer, active_partitions, timeout or 0.0)
        return {tp: [chunk] for tp, chunk in chunks.items()}

    def check_group(self) -> None:
        """Raise the error for which the group's coordination has stopped, if there is one."""
        if self._consumer is not None:
            raise_group_error(self._consumer)

    async def _commit(self, offsets: Any) -> bool:
        """Commit offsets in the group. Only its lag is read from them, so a failure is no reason to stop."""
        consumer = self._ensure_consumer()
        now = monotonic()
        try:
            owned = {driver.ensure_aiokafka_TP(tp): offset for tp, offset in offsets.items()}
            assigned = consumer.assignment()
            owned = {tp: offset for tp, offset in owned.items() if tp in assigned}
            if owned:
                await consumer.commit(owned)
        except Exception as error:
            log.debug("group_offsets.failed", error=repr(error))
            return False
        self.tp_last_committed_at.update({TP(tp.topic, tp.partition): now for tp in owned})
        return True

    async def place(self, offsets: dict[Any, int], paused: Iterable[Any]) -> None:
        """Seek and resume some partitions, pause others. Runs in the consumer's thread."""
        consumer = self._ensure_consumer()
        for tp in paused:
            consumer.pause(driver.ensure_aiokafka_TP(tp))
        for tp, offset in offsets.items():
            consumer.seek(driver.ensure_aiokafka_TP(tp), offset)
            consumer.resume(driver.ensure_aiokafka_TP(tp))

    async def on_thread_stop(self) -> None:
        if self.app.limits.leave_on_stop and self._consumer is not None:
            leave_for_good(self._consumer)
        await super().on_thread_stop()


class Consumer(driver.Consumer):  # type: ignore[misc]  # Faust ships no types
    """Hands chunks to the app's stream and rebalances to the app's owned partitions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _NoReadOffsets()
        self._ahead = 0
        self._room = asyncio.Event()
        self._room.set()
        self._placed = asyncio.Event()

    @Service.task  # type: ignore[untyped-decorator]  # mode ships no types
    async def _watch_group(self) -> None:
        """Notice a group that refuses its member: reading does not, because there may be nothing to read."""
        while not self.should_stop:
            await self.sleep(GROUP_CHECK_S)
            self._thread.check_group()

    def _new_consumer_thread(self) -> ConsumerThread:
        factory = loop_factory() or asyncio.new_event_loop
        thread_loop = factory()
        watch_routines(thread_loop, self.app.failed)
        return ConsumerThread(self, loop=self.loop, thread_loop=thread_loop, beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> Any:
        """Wait for records. With no partition to read Faust sleeps for a second; here the first `place` ends it."""
        while self.flow_active and not self.should_stop and not self._get_active_partitions():
            self._placed.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._placed.wait(), timeout)
        return await super()._wait_next_records(timeout)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        """Fetch only while few chunks wait to be decided: this is the memory bound of the worker."""
        try:
            await asyncio.wait_for(self._room.wait(), timeout)
        except TimeoutError:
            return {}
        return await super()._getmany(active_partitions, timeout)

    def _to_message(self, tp: Any, record: Chunk) -> Any:
        self._ahead += 1
        if self._ahead >= self.app.limits.chunks_ahead_max:
            self._room.clear()
        return ConsumerMessage(
            tp.topic, tp.partition, record.next - 1, 0.0, LOG_APPEND_TIME, (), None, record,
            NO_CHECKSUM, 0, 0, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    @property
    def ahead(self) -> int:
        """Chunks that were handed over and are not decided."""
        return self._ahead

    def taken(self) -> None:
        """Note that one chunk was decided."""
        self._ahead = max(self._ahead - 1, 0)
        if self._ahead < self.app.limits.chunks_ahead_max:
            self._room.set()

    def ack(self, message: Any) -> bool:
        """Do nothing: acknowledging is the changelog's work, and Faust would keep every offset a second time."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Do nothing: Faust's watchdog reads offsets that are not kept here, and would call idle partitions stuck."""

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self.app.owned_partitions.revoked()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        self._ahead = 0
        self._room.set()
        self.app.owned_partitions.assigned(assigned, self)
        await super().on_partitions_assigned(assigned, generation_id)

    def standbys(self) -> list[int]:
        """The partitions of which this worker keeps standby tables, by the group's assignment."""
        return sorted({tp.partition for tp in self.app.assignor.assigned_standbys()})

    async def perform_seek(self) -> None:
        """Seek each partition to its position; one that is still recovering is not read at all."""
        ready = self.app.owned_partitions.next_offsets()
        paused = {tp for tp in self.assignment() if tp not in ready}
        self.pause_partitions(paused)
        await self._place(ready, paused)

    async def place(self, offsets: dict[Any, int]) -> None:
        """Read these partitions from these offsets on."""
        await self._place(offsets, ())
        self.resume_partitions({TP(tp.topic, tp.partition) for tp in offsets})
        self._placed.set()

    async def _place(self, offsets: dict[Any, int], paused: Iterable[Any]) -> None:
        loop = self._thread.thread_loop
        moved = asyncio.run_coroutine_threadsafe(self._thread.place(offsets, paused), loop)
        try:
            await asyncio.wrap_future(moved)
        except IllegalStateError:
            log.info("place.overtaken", cause="another rebalance has begun")

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002  (Faust's)
        """Commit the changelog's positions in the group."""
        offsets = self.app.owned_partitions.durable_offsets()
        return bool(offsets) and bool(await self._commit(offsets))


class Producer(driver.Producer):  # type: ignore[misc]  # Faust ships no types
    """Faust's producer, never connected: all outputs leave with a commit, under the writer's fence."""

    async def on_start(self) -> None:
        return


class Transport(driver.Transport):  # type: ignore[misc]  # Faust ships no types
    Consumer = Consumer
    Producer = Producer
