"""Faust's aiokafka transport, one message per fetch and partition instead of one per record.

Chosen by the URL scheme `batched://` (entry point `faust.transports`). Everything else of Faust stays: the group,
the rebalance protocol, flow control, streams and agents. Where a stock consumer would seek to committed offsets,
this one asks the app's `ownership`, because the truth about the position stands in the changelog.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import Service

from streams.access import REFUSALS
from streams.batches import Chunk, fetched_chunks
from streams.loops import loop_factory

log = structlog.get_logger("streams.transport")

NO_CHECKSUM = None
LOG_APPEND_TIME = 1
RETRY_S = 0.5
GROUP_LOOK_S = 1.0


class _NoReadOffsets(dict[Any, None]):
    """Faust drops messages below the offset that it read last. After going back that would drop the very records
    one went back for; skipping is the exact step's work, so nothing is remembered here."""

    def __getitem__(self, tp: Any) -> None:
        return None

    def __setitem__(self, tp: Any, offset: Any) -> None:
        return None


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust ships no types
    """The consumer's own thread and loop: heartbeats go on while the other thread decides."""

    async def on_start(self) -> None:
        """The log may go away between a worker's first connection and this one: try again instead of falling."""
        self.time_started = monotonic()
        while True:
            self._consumer = self._create_consumer(loop=self.thread_loop)
            try:
                await self._consumer.start()
                return
            except (KafkaError, OSError):
                await self._consumer.stop()
                if self.should_stop or monotonic() - self.time_started > self.app.absence_s_max:
                    raise
                await asyncio.sleep(RETRY_S)

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,
        max_records: int | None = None,  # noqa: ARG002  (Faust's; a fetch is bounded by bytes)
    ) -> dict[Any, list[Chunk]]:
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            chunks = await fetched_chunks(fetcher, active_partitions, timeout or 0.0)
        return {tp: [chunk] for tp, chunk in chunks.items()}

    def check_group(self) -> None:
        """The library keeps what the group's coordinator refused for whoever polls next; raises it."""
        coordinator = self._consumer._coordinator if self._consumer is not None else None
        if coordinator is not None and isinstance(coordinator._pending_exception, REFUSALS):
            raise coordinator._pending_exception

    async def _commit(self, offsets: Any) -> bool:
        """The group's offsets are for watching its lag; failing to write them is no reason to stop."""
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
        """Runs in the thread: move and resume some partitions, pause others."""
        consumer = self._ensure_consumer()
        for tp in paused:
            consumer.pause(driver.ensure_aiokafka_TP(tp))
        for tp, offset in offsets.items():
            consumer.seek(driver.ensure_aiokafka_TP(tp), offset)
            consumer.resume(driver.ensure_aiokafka_TP(tp))

    async def on_thread_stop(self) -> None:
        # A named member that leaves for good says so; aiokafka would let its session time out.
        if self.app.leave_on_stop and self._consumer is not None and self._consumer._coordinator is not None:
            self._consumer._coordinator._group_instance_id = None
        await super().on_thread_stop()


class Consumer(driver.Consumer):  # type: ignore[misc]  # Faust ships no types
    """Hands chunks to the app's stream and rebalances to the app's ownership."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _NoReadOffsets()
        self._ahead = 0
        self._room = asyncio.Event()
        self._room.set()
        self._placed = asyncio.Event()

    @Service.task  # type: ignore[untyped-decorator]  # mode ships no types
    async def _watch_group(self) -> None:
        """A group that refuses its member, now or later, is not met by reading: there may be nothing to read."""
        while not self.should_stop:
            await self.sleep(GROUP_LOOK_S)
            self._thread.check_group()

    def _new_consumer_thread(self) -> ConsumerThread:
        factory = loop_factory() or asyncio.new_event_loop
        return ConsumerThread(self, loop=self.loop, thread_loop=factory(), beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> Any:
        """With no partition to read, Faust sleeps for a second; here the first one placed ends the wait."""
        while self.flow_active and not self.should_stop and not self._get_active_partitions():
            self._placed.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._placed.wait(), timeout)
        return await super()._wait_next_records(timeout)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        """Fetch on only while what was handed over is being worked off: this is the memory bound of the worker."""
        try:
            await asyncio.wait_for(self._room.wait(), timeout)
        except TimeoutError:
            return {}
        return await super()._getmany(active_partitions, timeout)

    def _to_message(self, tp: Any, record: Chunk) -> Any:
        self._ahead += 1
        if self._ahead >= self.app.chunks_ahead_max:
            self._room.clear()
        return ConsumerMessage(
            tp.topic, tp.partition, record.next - 1, 0.0, LOG_APPEND_TIME, (), None, record,
            NO_CHECKSUM, 0, 0, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    @property
    def ahead(self) -> int:
        """Chunks that were handed over and are not worked off."""
        return self._ahead

    def taken(self) -> None:
        """One chunk was worked off."""
        self._ahead = max(self._ahead - 1, 0)
        if self._ahead < self.app.chunks_ahead_max:
            self._room.set()

    def ack(self, message: Any) -> bool:
        """Acknowledging is the changelog's work; Faust's own books would hold every offset twice."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Faust's watchdog looks at books that are not kept here, and would call every idle partition stuck."""

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self.app.ownership.revoked()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        self._ahead = 0
        self._room.set()
        self.app.ownership.assigned(assigned, self)
        await super().on_partitions_assigned(assigned, generation_id)

    def standbys(self) -> list[int]:
        """The partitions that this worker shall keep copies of, by the group's assignment."""
        return sorted({tp.partition for tp in self.app.assignor.assigned_standbys()})

    async def perform_seek(self) -> None:
        """Read each partition from its position on; one that is still recovering is not read at all."""
        ready = self.app.ownership.next_offsets()
        paused = {tp for tp in self.assignment() if tp not in ready}
        self.pause_partitions(paused)
        await self._place(ready, paused)

    async def place(self, offsets: dict[Any, int]) -> None:
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
        """Tell the group how far the changelog is."""
        offsets = self.app.ownership.durable_offsets()
        return bool(offsets) and bool(await self._commit(offsets))


class Producer(driver.Producer):  # type: ignore[misc]  # Faust ships no types
    """Faust's producer, never connected: everything that is sent leaves with a commit, under the writer's fence."""

    async def on_start(self) -> None:
        return


class Transport(driver.Transport):  # type: ignore[misc]  # Faust ships no types
    Consumer = Consumer
    Producer = Producer
