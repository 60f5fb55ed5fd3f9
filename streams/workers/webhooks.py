"""The worker of webhooks: events of the log in, requests to subscribers out.

Deliveries and the position in the log are written in one transaction, so each event is read once, whatever is killed.
A subscription belongs to the owner of one partition of the order events: the group decides who sends, and no
subscription is sent by two workers for longer than a rebalance takes.
"""

import asyncio
from collections.abc import Awaitable, Collection, Coroutine, Mapping, Sequence
from typing import Any

import structlog
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.structs import TopicPartition

from bopis.adapters.webhooks.table import WebhookTable
from bopis.names import (
    DEAD_LETTERS_TOPIC,
    INVENTORY_EVENTS_TOPIC,
    ORDER_EVENTS_TOPIC,
    PAYMENT_EVENTS_TOPIC,
    WEBHOOKS_PROCESSOR,
)
from bopis.webhooks.records import EventDelivery, EventSubscription, SubscriptionState, fan_out
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS
from bopis.wire.payments import PAYMENT_EVENTS
from bopis.wire.stock import INVENTORY_EVENTS
from streams.engine.batches import Chunk
from streams.engine.connection import LogConnection
from streams.engine.dead_letters import ParkedRecord, dead_letter
from streams.engine.log_client import EARLIEST, LATEST
from streams.limits import StreamLimits
from streams.workers.acked_producer import AckedProducer
from streams.workers.consumer_worker import ConsumerWorker
from streams.workers.webhook_sender import SenderOptions, WebhookSender
from streams.workers.worker import ReadyCallback

log = structlog.get_logger("streams.workers.webhooks")

FAMILIES = {
    ORDER_EVENTS_TOPIC: ORDER_EVENTS,
    PAYMENT_EVENTS_TOPIC: PAYMENT_EVENTS,
    INVENTORY_EVENTS_TOPIC: INVENTORY_EVENTS,
}
# Without a subscription nobody waits: fetches are rare and large, and positions are written now and then.
IDLE_PAUSE_S = 0.5
IDLE_POSITIONS_S = 10.0


class WebhookWorker(ConsumerWorker):
    """Reads events into deliveries, and sends the deliveries of its subscriptions."""

    sources = tuple(FAMILIES)
    other_topics = (DEAD_LETTERS_TOPIC,)
    consumer_options: Mapping[str, Any] = {
        "partition_assignment_strategy": (RangePartitionAssignor,),
        "fetch_max_wait_ms": 1_000,
    }

    def __init__(
        self,
        connection: LogConnection,
        limits: StreamLimits,
        table: WebhookTable,
        options: SenderOptions,
        ready: ReadyCallback | None = None,
    ) -> None:
        super().__init__(WEBHOOKS_PROCESSOR, connection, limits, ready)
        self._table = table
        self._sender = WebhookSender(table, options, self._is_mine, self.fail)
        self._producer = AckedProducer(connection, limits)
        self._opening: asyncio.Task[None] | None = None
        self._written: dict[TopicPartition, int] = {}
        self._written_at = 0.0
        # Counts rebalances: positions that were read before one may have moved on under another owner.
        self._rebalances = 0

    async def load(self) -> None:
        self._sender.issues = self.client.issues
        await self._producer.start(self.client)

    def routines(self) -> Sequence[Coroutine[Any, Any, None]]:
        return (self._read(), self._sender.run(), self.commit_forever())

    async def drain(self, cause: BaseException | None) -> None:
        """Finish the attempts that run, and note how far the log was read."""
        await super().drain(cause)
        await self._sender.drain(self.limits.drain_s_max)
        if cause is None and self.owned:
            await self._write([])
            await self.commit()

    def resources(self) -> Sequence[Awaitable[None]]:
        return (self._producer.stop(), self._sender.close())

    def _is_mine(self, subscription: EventSubscription) -> bool:
        return subscription.shared_by(self.connection.partitions) in self._order_partitions()

    def _order_partitions(self) -> frozenset[int]:
        topic = self.connection.topic(ORDER_EVENTS_TOPIC)
        return frozenset(tp.partition for tp in self.owned if tp.topic == topic)

    # Where reading begins

    def assigned(self, tps: Collection[TopicPartition]) -> None:
        super().assigned(tps)
        # Nothing is fetched until the positions are known.
        self.group.pause(tps)
        self._opening = asyncio.get_running_loop().create_task(self._open(sorted(tps), self._rebalances))

    async def _open(self, tps: Sequence[TopicPartition], rebalances: int) -> None:
        try:
            known = await self._sender.asked(self._table.positions)
            subscriptions = await self._sender.load()
            since_ms = min((it.since_ms for it in subscriptions), default=None)
            first = {tp: await self._first(tp, known.get((tp.topic, tp.partition)), since_ms) for tp in tps}
            # Before the first subscription is made: what happens from now on is read, whoever is killed.
            read = {(tp.topic, tp.partition): offset for tp, offset in first.items()}
            if rebalances != self._rebalances:
                return
            await self._sender.asked(self._table.take, [], read)
            self.next_offsets |= first
            self._written = dict(first)
            await self.group.seek(first)
            self._sender.wake(self._sender.subscriptions)
            self.report_ready({})
        except Exception as error:
            self.fail(error)

    async def _first(self, tp: TopicPartition, known: int | None, since_ms: int | None) -> int:
        """The offset to read a partition from: the position, else the first event of the oldest subscription, else the
        end. A position that the log does not have is of another log, or its records are gone."""
        begin, end = await self.client.offset(tp, EARLIEST), await self.client.offset(tp, LATEST)
        if known is not None and begin <= known <= end:
            return known
        if known is not None:
            facts = {"topic": tp.topic, "partition": tp.partition, "position": known, "begin": begin, "end": end}
            log.error("webhooks.position_lost", **facts)
        found = -1 if since_ms is None else await self.client.offset(tp, since_ms)
        return end if found < 0 else found

    async def revoked(self) -> None:
        """A rebalance begins. Events that were read and not written are read again by whoever owns them now."""
        await super().revoked()
        self._rebalances += 1
        if self._opening is not None:
            self._opening.cancel()
        self.next_offsets.clear()
        self._written.clear()

    # Events to deliveries

    async def _read(self) -> None:
        while True:
            fetched = await self._without_gaps(await self.group.chunks(self.next_offsets.keys()))
            if not fetched:
                continue
            rebalances = self._rebalances
            # After the fetch: who subscribed before an event was appended is among them.
            subscriptions = [it for it in await self._sender.load() if it.state is not SubscriptionState.DISABLED]
            new = [it for chunk in fetched.values() for it in self._deliveries(chunk, subscriptions)]
            # Dead letters leave before the position moves past their records.
            await self._producer.publish(())
            if rebalances != self._rebalances:
                continue
            self.next_offsets |= {tp: chunk.next for tp, chunk in fetched.items() if tp in self.next_offsets}
            if new or subscriptions or self._is_time_to_write():
                await self._write(new)
            if not subscriptions:
                await asyncio.sleep(IDLE_PAUSE_S)

    async def _without_gaps(self, fetched: Mapping[TopicPartition, Chunk]) -> dict[TopicPartition, Chunk]:
        """The chunks that follow on what was read. Records that were fetched while their partition was not read are
        missing before the others, which are read again with them."""
        wanted = {tp: chunk for tp, chunk in fetched.items() if tp in self.next_offsets}
        late = {tp: self.next_offsets[tp] for tp, chunk in wanted.items() if chunk.start > self.next_offsets[tp]}
        if late:
            log.warning("webhooks.gap", partitions=[f"{tp.topic}/{tp.partition}" for tp in late])
            await self.group.seek(late)
        return {tp: chunk for tp, chunk in wanted.items() if tp not in late}

    def _deliveries(self, chunk: Chunk, subscriptions: Sequence[EventSubscription]) -> list[EventDelivery]:
        if not subscriptions:
            return []
        family = FAMILIES[chunk.tp.topic.removeprefix(self.connection.prefix)]
        found: list[EventDelivery] = []
        for record in chunk.records:
            try:
                message = family.decode(record.value or b"")
            except WireError as error:
                parked = ParkedRecord(f"{type(error).__name__}: {error}", record)
                self._producer.park(dead_letter(parked, self.name, chunk.tp))
                continue
            found += fan_out(message, record.timestamp, record.offset, subscriptions)
        return found

    def _is_time_to_write(self) -> bool:
        return asyncio.get_running_loop().time() - self._written_at >= IDLE_POSITIONS_S

    async def _write(self, new: Sequence[EventDelivery]) -> None:
        """Write deliveries and positions in one transaction."""
        read = {tp: following for tp, following in self.next_offsets.items() if self._written.get(tp) != following}
        if not new and not read:
            return
        await self._sender.asked(self._table.take, new, {(tp.topic, tp.partition): it for tp, it in read.items()})
        self._written |= read
        self._written_at = asyncio.get_running_loop().time()
        self._sender.wake({it.subscription for it in new})
