"""The routing worker: asks of orders in, answers out, over live tables of three compacted topics.

Its tables are whole in every worker (group-less, from the beginning); only the questions are shared out by the
group. Nothing is kept: where the group stands tells where to go on, and an answer that is said twice is told from
the first one by the order's own state.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import structlog
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.structs import TopicPartition

from bopis import clock
from bopis.services.routing.live import OUTPUT_TOPICS, REQUESTS_TOPIC, TABLE_TOPICS, LiveRouting
from bopis.topics.plans import TopicPlan
from bopis.wire.errors import WireError
from streams.batches import Chunk, fetched_chunks
from streams.client import LogClient
from streams.connection import Connection
from streams.dead_letters import DEAD_LETTERS, dead_letter
from streams.limits import StreamLimits
from streams.live_tables import LiveTables
from streams.loops import loop_factory
from streams.member import member
from streams.routing_sending import Sending
from streams.rules import Parked
from streams.standing import OPENING, OWNER, READY, Standing
from streams.topics import COMPACT, KEEP, planned
from streams.worker import EXIT_CLEAN, Ready, Worker, prepare_process

log = structlog.get_logger("streams.routing")

NAME = "routing"
STORES, LEVELS, STATE = TABLE_TOPICS


class Feed:
    """What the worker's frame asks of a processor: a name, and the topic that it is read from first."""

    name = NAME
    source = REQUESTS_TOPIC


def run(
    connection: Connection,
    limits: StreamLimits,
    routing: LiveRouting,
    ready: Callable[[Ready], None] | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; the exit code of the process is the answer."""
    prepare_process(limits)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(RoutingWorker(connection, limits, routing, ready).run())


def plans(connection: Connection, limits: StreamLimits) -> tuple[TopicPlan, ...]:
    """Every topic that routing reads or writes, as its writers declare it."""
    shapes = (
        (LEVELS, COMPACT, limits.commit_bytes_max, True),
        (STATE, COMPACT, limits.commit_bytes_max, True),
        (STORES, COMPACT, limits.record_bytes_max, False),
        (REQUESTS_TOPIC, KEEP, limits.source_bytes_max, True),
        *((name, KEEP, limits.source_bytes_max, True) for name in OUTPUT_TOPICS),
        (DEAD_LETTERS, KEEP, limits.dead_letter_bytes_max, False),
    )
    return planned(connection, shapes)


class RoutingWorker(Worker, ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """The frame of every worker around routing: load the tables, then answer and follow until told to stop."""

    def __init__(
        self,
        connection: Connection,
        limits: StreamLimits,
        routing: LiveRouting,
        ready: Callable[[Ready], None] | None,
    ) -> None:
        feed: Any = Feed
        super().__init__(feed, connection, limits, ready)
        self._routing = routing
        self._tables: LiveTables | None = None
        self._done: dict[TopicPartition, int] = {}
        self._mine: list[TopicPartition] = []
        self._is_ready = False

    async def _own(self, client: LogClient) -> int:
        sending = Sending(self._connection, self._limits)
        self._vigil = self.vigil(client)
        running = asyncio.ensure_future(self._work(client, sending))
        cause = await self._end
        running.cancel()
        await asyncio.gather(running, self._vigil.end(cause), return_exceptions=True)
        log.info("worker.stopped", processor=NAME, clean=cause is None)
        return EXIT_CLEAN if cause is None else self._fell(cause)

    async def _work(self, client: LogClient, sending: Sending) -> None:
        """Everything until cancelled. If one part falls, the worker falls: a supervisor starts it anew."""
        tables = self._tables = LiveTables(self._connection, self._limits, TABLE_TOPICS, self._routing.take)
        requests = member(self._connection, self._limits, NAME)
        try:
            await self._prepare(client, plans(self._connection, self._limits))
            self._vigil.begin(self._standings, self._finish)
            await tables.load(client)
            await client.patiently("sending", sending.start)
            await client.patiently("group", requests.start)
            requests.subscribe([self._connection.topic(REQUESTS_TOPIC)], listener=self)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(tables, sending))
                tasks.create_task(self._answer(requests, sending))
                tasks.create_task(sending.acknowledge())
        except* Exception as errors:
            self._finish(errors.exceptions[0])
        finally:
            await self._commit(requests)
            await asyncio.gather(*(it.stop() for it in (requests, tables, sending)), return_exceptions=True)

    async def _follow(self, tables: LiveTables, sending: Sending) -> None:
        while True:
            if await tables.fold() and self._is_ready:
                await sending.send(self._routing.follow_up(_now_ms()))

    async def _answer(self, requests: Any, sending: Sending) -> None:
        """Answer what is asked, fetch after fetch; the group is told of what the log has acknowledged."""
        told = time.monotonic()
        while True:
            for tp, chunk in (await self._asked(requests)).items():
                said = [it for record in chunk.records for it in self._answers(record, tp, sending)]
                await sending.answer(said, partial(self._answered, tp, chunk.next))
            if not self._is_ready and requests.assignment():
                self._become_ready()
                await sending.send(self._routing.follow_up(_now_ms()))
            if time.monotonic() - told >= self._limits.group_offsets_s:
                await self._commit(requests)
                told = time.monotonic()

    def _answered(self, tp: TopicPartition, following: int) -> None:
        """What was acknowledged for a partition that somebody else has by now is not for this worker to tell."""
        if tp in self._mine:
            self._done[tp] = following

    async def _asked(self, requests: Any) -> dict[TopicPartition, Chunk]:
        """What one fetch brought. Raises what the group refused, as asking in the library's own way does."""
        requests._coordinator.check_errors()
        with requests._subscription.fetch_context():
            chunks = await fetched_chunks(requests._fetcher, None, self._limits.fetch_wait_s)
        # The tables go on being followed, also while there is always something to answer.
        await asyncio.sleep(0)
        return chunks

    def _answers(self, record: Any, tp: TopicPartition, sending: Sending) -> list[Any]:
        try:
            return self._routing.hear(record.value or b"", max(_now_ms(), record.timestamp))
        except WireError as error:
            parked = Parked(f"{type(error).__name__}: {error}", record)
            sending.park(dead_letter(parked, NAME, tp))
            return []

    def _standings(self) -> list[Standing]:
        """How each partition of the requests stands; what was never answered here has no position yet."""
        return [
            Standing(
                topic=tp.topic,
                partition=tp.partition,
                role=OWNER,
                state=READY if self._is_ready else OPENING,
                position=self._done[tp] - 1 if tp in self._done else None,
                recovered=0 if self._tables is None else self._tables.records,
            )
            for tp in self._mine
        ]

    def _become_ready(self) -> None:
        self._is_ready = True
        self._tell_ready({})

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002  (aiokafka's)
        self._mine = []
        self._routing.own(())

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        mine = sorted(tp.partition for tp in assigned)
        self._done = {tp: offset for tp, offset in self._done.items() if tp.partition in mine}
        self._routing.own(mine)
        self._mine = sorted(assigned)
        log.info("partitions.assigned", processor=NAME, partitions=mine)

    async def _commit(self, requests: Any) -> None:
        """Tell the group what is answered; failing only means that it is answered again."""
        try:
            mine = requests.assignment()
            offsets = {tp: offset for tp, offset in self._done.items() if tp in mine}
            if offsets:
                await requests.commit(offsets)
        except Exception as error:
            log.debug("group_offsets.failed", error=repr(error))


def _now_ms() -> int:
    return clock.now_ms()
