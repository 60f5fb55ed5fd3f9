"""The routing worker: questions of orders in, answers out, over live tables of three compacted topics.

Its tables are whole in every worker (group-less, from the beginning); only the questions are shared out by the group.
Nothing is kept: reading continues at the group's offsets, and the order's own state makes a repeated answer harmless.
"""

import asyncio
from collections.abc import Awaitable, Collection, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from aiokafka.structs import TopicPartition

from bopis.names import DEAD_LETTERS_TOPIC, ORDER_EVENTS_TOPIC
from bopis.services.routing.live import OUTPUT_TOPICS, TABLE_TOPICS, LiveRouting
from bopis.services.routing.router import RoutingMessage
from bopis.wire.errors import WireError
from streams.engine.connection import LogConnection
from streams.engine.dead_letters import ParkedRecord, dead_letter
from streams.engine.processor import LogRecord, Output
from streams.limits import StreamLimits
from streams.workers.acked_producer import AckedProducer
from streams.workers.consumer_worker import ConsumerWorker
from streams.workers.live_tables import LiveTables
from streams.workers.worker import ReadyCallback

NAME = "routing"


class RoutingWorker(ConsumerWorker):
    """Loads the tables, then answers questions and follows the tables until stopped."""

    sources = (ORDER_EVENTS_TOPIC,)
    other_topics = (*TABLE_TOPICS, *OUTPUT_TOPICS, DEAD_LETTERS_TOPIC)

    def __init__(
        self,
        connection: LogConnection,
        limits: StreamLimits,
        routing: LiveRouting,
        ready: ReadyCallback | None = None,
    ) -> None:
        super().__init__(NAME, connection, limits, ready)
        self._routing = routing
        self._tables = LiveTables(connection, limits, TABLE_TOPICS, routing.take)
        self._producer = AckedProducer(connection, limits)

    async def load(self) -> None:
        await self._tables.load(self.client)
        await self._producer.start(self.client)

    def routines(self) -> Sequence[Coroutine[Any, Any, None]]:
        return (self._follow(), self._answer(), self._producer.acknowledge(), self.commit_forever())

    def recovered(self) -> int:
        return self._tables.records

    async def drain(self, cause: BaseException | None) -> None:
        await super().drain(cause)
        await self.commit()

    def resources(self) -> Sequence[Awaitable[None]]:
        return (self._tables.stop(), self._producer.stop())

    async def _follow(self) -> None:
        """Take changes of the tables, and publish what they mean for the orders of this worker."""
        while True:
            if await self._tables.fold() and self.is_ready:
                await self._producer.publish(_outputs(self._routing.follow_up(self.connection.now_ms())))

    async def _answer(self) -> None:
        """Answer questions, fetch after fetch; a fetch is done once the log has acknowledged its answers."""
        while True:
            for tp, chunk in (await self.group.chunks()).items():
                answers = [it for record in chunk.records for it in self._answers(record, tp)]
                await self._producer.publish_later(_outputs(answers), partial(self._note_done, tp, chunk.next))
            if not self.is_ready and self.group.assignment():
                self.report_ready({})
                await self._producer.publish(_outputs(self._routing.follow_up(self.connection.now_ms())))
            # The tables are followed also while there is always a question to answer.
            await asyncio.sleep(0)

    def _answers(self, record: LogRecord, tp: TopicPartition) -> list[RoutingMessage]:
        try:
            return self._routing.answer(record.value or b"", max(self.connection.now_ms(), record.timestamp))
        except WireError as error:
            parked = ParkedRecord(f"{type(error).__name__}: {error}", record)
            self._producer.park(dead_letter(parked, NAME, tp))
            return []

    def _note_done(self, tp: TopicPartition, following: int) -> None:
        # A partition that was given up meanwhile is another worker's to commit.
        if tp in self.owned:
            self.next_offsets[tp] = following

    async def revoked(self) -> None:
        await super().revoked()
        self._routing.assign(())

    def assigned(self, tps: Collection[TopicPartition]) -> None:
        self.next_offsets = {tp: offset for tp, offset in self.next_offsets.items() if tp in tps}
        self._routing.assign(sorted(tp.partition for tp in tps))
        super().assigned(tps)


def _outputs(messages: Iterable[RoutingMessage]) -> list[Output]:
    return [Output(topic, order.encode(), value) for topic, order, value in messages]
