"""The notifier's worker: deliveries that are due in, one attempt each, what became of it out.

At most once at the provider: the group is told that a delivery was taken before the provider hears of it, as a member
that the log refuses once it is no longer the owner. Who is killed in between leaves a delivery without an answer, and
the notices processor tells it as unknown. A delivery that stands twice in the log is known by its id.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import TopicPartition

from bopis.clock import now_ms
from bopis.domain.message import Message
from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.letter import Letter, Verdict
from bopis.domain.notices.messages import DeliveryAnswered, DeliveryRef
from bopis.domain.notices.terms import Outcome
from bopis.services.notifier.memory import Memory
from bopis.services.notifier.notifier import ANSWERS_TOPIC, EVENTS_TOPIC, TABLE_TOPICS, Notifier
from bopis.topics.plans import TopicPlan
from bopis.wire.errors import WireError
from bopis.wire.notices import NOTICE_EVENTS, NOTICES
from streams.client import LogClient
from streams.connection import Connection
from streams.dead_letters import DEAD_LETTERS, dead_letter
from streams.limits import StreamLimits
from streams.live_tables import LiveTables
from streams.loops import loop_factory
from streams.member import member
from streams.notifier_past import remembered, withdrawn_in
from streams.processor import Record
from streams.routing_sending import Sending
from streams.rules import Parked
from streams.standing import OPENING, OWNER, READY, Standing
from streams.topics import COMPACT, KEEP, planned
from streams.worker import EXIT_CLEAN, Ready, Worker, prepare_process

log = structlog.get_logger("streams.notifier")

NAME = "notifier"
AHEAD_RECORDS = 500  # so far is read ahead, to see what is taken back before it was sent


class Feed:
    """What the worker's frame asks of a processor: a name, and the topic that it is read from first."""

    name = NAME
    source = EVENTS_TOPIC


class Taken(NamedTuple):
    """A delivery that this worker has taken; `verdict` is there when nothing is to be sent."""

    order: str
    due: DeliveryDue
    verdict: Verdict | None = None


def run(
    connection: Connection,
    limits: StreamLimits,
    notifier: Notifier,
    concurrency: int,
    ready: Callable[[Ready], None] | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; the exit code of the process is the answer."""
    prepare_process(limits)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        worker = NotifierWorker(connection, limits, notifier, ready)
        worker.concurrency = concurrency
        return runner.run(worker.run())


def plans(connection: Connection, limits: StreamLimits) -> tuple[TopicPlan, ...]:
    """Every topic that the notifier reads or writes, as its writers declare it."""
    shapes = (
        (EVENTS_TOPIC, KEEP, limits.source_bytes_max, True),
        (ANSWERS_TOPIC, KEEP, limits.source_bytes_max, True),
        *((name, COMPACT, limits.record_bytes_max, False) for name in TABLE_TOPICS),
        (DEAD_LETTERS, KEEP, limits.dead_letter_bytes_max, False),
    )
    return planned(connection, shapes)


class NotifierWorker(Worker, ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Takes, sends, answers. Slow providers hold up only as much as runs at a time."""

    concurrency: int = 16

    def __init__(
        self,
        connection: Connection,
        limits: StreamLimits,
        notifier: Notifier,
        ready: Callable[[Ready], None] | None,
    ) -> None:
        feed: Any = Feed
        super().__init__(feed, connection, limits, ready)
        self._notifier = notifier
        self._memories: dict[TopicPartition, Memory] = {}
        self._done: dict[TopicPartition, int] = {}
        self._mine: list[TopicPartition] = []
        self._running: set[asyncio.Task[None]] = set()
        self._last_of: dict[str, asyncio.Task[None]] = {}
        self._is_ready = False
        self._turn = 0  # counts how often partitions were given out

    async def _own(self, client: LogClient) -> int:
        sending = Sending(self._connection, self._limits)
        self._vigil = self.vigil(client)
        working = asyncio.ensure_future(self._work(client, sending))
        cause = await self._end
        working.cancel()
        await asyncio.gather(working, self._vigil.end(cause), return_exceptions=True)
        log.info("worker.stopped", processor=NAME, clean=cause is None)
        return EXIT_CLEAN if cause is None else self._fell(cause)

    async def _work(self, client: LogClient, sending: Sending) -> None:
        """Everything until cancelled. If one part falls, the worker falls: a supervisor starts it anew."""
        tables = LiveTables(self._connection, self._limits, TABLE_TOPICS, self._take_row)
        events = member(self._connection, self._limits, NAME)
        try:
            await self._prepare(client, plans(self._connection, self._limits))
            self._vigil.begin(self._standings, self._finish)
            await tables.load(client)
            await client.patiently("sending", sending.start)
            await client.patiently("group", events.start)
            events.subscribe([self._connection.topic(EVENTS_TOPIC)], listener=self)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(tables))
                tasks.create_task(self._deliver(events, sending))
        except* Exception as errors:
            self._finish(errors.exceptions[0])
        finally:
            await self._drain()
            waiting = (events.stop(), tables.stop(), sending.stop(), self._notifier.close())
            await asyncio.gather(*waiting, return_exceptions=True)

    def _take_row(self, topic: str, row: Record, _: int) -> None:
        self._notifier.take(topic, (row.key or b"").decode(), row.value)

    @staticmethod
    async def _follow(tables: LiveTables) -> None:
        while True:
            await tables.fold()

    async def _drain(self) -> None:
        """What was taken is brought to its end: whatever is given up here would be told as unknown."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._limits.drain_s_max)

    async def _deliver(self, events: Any, sending: Sending) -> None:
        while True:
            found = await events.getmany(timeout_ms=int(self._limits.fetch_wait_s * 1000), max_records=AHEAD_RECORDS)
            turn = self._turn
            for tp, records in found.items():
                if tp not in self._memories:
                    self._memories[tp] = await remembered(self._connection, tp, records[0].offset)
                withdrawn = withdrawn_in(records)
                for start in range(0, len(records), self.concurrency):
                    await self._room()
                    some = records[start : start + self.concurrency]
                    if turn != self._turn or not await self._told(events, {tp: some[-1].offset + 1}, turn):
                        self._memories.pop(tp, None)
                        break
                    for it in self._taken(tp, some, withdrawn, sending):
                        self._begin(it, sending)
            await sending.send(())
            if not self._is_ready and events.assignment():
                self._is_ready = True
                self._tell_ready({})

    async def _room(self) -> None:
        """Wait until a full hand may be taken: no more than twice as many run at a time."""
        while len(self._running) > self.concurrency:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _told(self, events: Any, offsets: dict[TopicPartition, int], turn: int) -> bool:
        """Tell the group that these are taken. Who is no longer the owner is refused, and may send nothing."""
        try:
            await events.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            log.warning("delivery.not_mine", processor=NAME, error=repr(error))
            for tp in offsets:
                self._memories.pop(tp, None)
            return False
        if turn != self._turn:
            return False  # The partitions were given out anew meanwhile: whose these are is open.
        self._done |= offsets
        return True

    def _taken(
        self, tp: TopicPartition, records: list[Any], withdrawn: set[tuple[str, DeliveryRef, int]], sending: Sending
    ) -> list[Taken]:
        """The deliveries among records; what stands there twice, or is taken back further on, is left out."""
        found, memory = [], self._memories[tp]
        for it in (self._read(tp, record, sending) for record in records):
            if it is None:
                continue
            due = it.data
            if not isinstance(due, DeliveryDue) or not memory.is_new(it.id, due.at_ms):
                continue
            if (it.subject, due.delivery, due.attempt) in withdrawn:
                continue
            known = memory.covers(due.at_ms)
            doubt = None if known else Verdict(outcome=Outcome.UNKNOWN, cause="may have been tried before")
            found.append(Taken(it.subject, due, doubt))
        return found

    def _read(self, tp: TopicPartition, record: Any, sending: Sending) -> Message | None:
        try:
            return NOTICE_EVENTS.decode(record.value or b"")
        except WireError as error:
            sending.park(dead_letter(Parked(f"{type(error).__name__}: {error}", record), NAME, tp))
            return None

    def _begin(self, taken: Taken, sending: Sending) -> None:
        """Deliver beside the others; what concerns one order keeps its order."""
        before = self._last_of.get(taken.order)
        task = asyncio.get_running_loop().create_task(self._one(taken, before, sending))
        self._last_of[taken.order] = task
        self._running.add(task)

        def end(done: asyncio.Task[None]) -> None:
            self._running.discard(done)
            if self._last_of.get(taken.order) is done:
                del self._last_of[taken.order]
            if not done.cancelled() and (error := done.exception()) is not None:
                self._finish(error)

        task.add_done_callback(end)

    async def _one(self, taken: Taken, before: "asyncio.Task[None] | None", sending: Sending) -> None:
        if before is not None:
            await asyncio.wait((before,))
        verdict = taken.verdict or await self._attempt(taken)
        due, key = taken.due, taken.due.delivery.key(taken.order)
        log.info("notice.attempt", key=key, attempt=due.attempt, outcome=verdict.outcome.value, cause=verdict.cause)
        answer = DeliveryAnswered(
            delivery=due.delivery,
            attempt=due.attempt,
            outcome=verdict.outcome,
            cause=verdict.cause,
            provider_id=verdict.provider_id,
            not_before_ms=verdict.not_before_ms,
        )
        said = Message(
            id=f"{key}/{due.attempt}/{verdict.outcome.value}",
            source=NAME,
            time=datetime.fromtimestamp(now_ms() / 1000, UTC),
            subject=taken.order,
            data=answer,
            correlation=taken.order,
        )
        await sending.send([(ANSWERS_TOPIC, taken.order, NOTICES.encode(said))])

    async def _attempt(self, taken: Taken) -> Verdict:
        try:
            # Opening what is sealed asks a database, and templates are files: beside the loop.
            made = await asyncio.to_thread(self._notifier.prepare, taken.order, taken.due, now_ms())
        except Exception as error:
            # Nothing has left yet, so it may be tried again; the words of the fault could name the customer.
            log.error("notice.not_made", order=taken.order, error=type(error).__name__)
            return Verdict(outcome=Outcome.FAILED, cause=f"the notice could not be made: {type(error).__name__}")
        return await self._notifier.send(made) if isinstance(made, Letter) else made

    def _standings(self) -> list[Standing]:
        """How each partition stands; what was never delivered here has no position yet."""
        return [
            Standing(
                topic=tp.topic,
                partition=tp.partition,
                role=OWNER,
                state=READY if self._is_ready else OPENING,
                position=self._done[tp] - 1 if tp in self._done else None,
            )
            for tp in self._mine
        ]

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002  (aiokafka's)
        self._mine, self._turn = [], self._turn + 1
        self._memories.clear()
        self._done.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._mine = sorted(assigned)
        self._memories.clear()
        log.info("partitions.assigned", processor=NAME, partitions=[tp.partition for tp in self._mine])
