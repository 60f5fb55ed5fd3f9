"""The notifier's worker: deliveries that are due in, one attempt each, the result of the attempt out.

At most once at the provider: the offset of a delivery is committed before the provider is asked, as a member whose
commit the log refuses once it is no longer the owner. A worker that is killed in between leaves a delivery without a
result, which the notices processor then records as unknown. A delivery that is in the log twice is known by its id.
"""

import asyncio
from collections.abc import Awaitable, Collection, Coroutine, Sequence, Set
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import TopicPartition

from bopis.domain.message import Message
from bopis.domain.notices.delivery import OutgoingMessage, SendResult
from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.messages import DeliveryAnswered
from bopis.domain.notices.vocabulary import SendOutcome
from bopis.names import DEAD_LETTERS_TOPIC, NOTICE_EVENTS_TOPIC, NOTICES_TOPIC
from bopis.services.notifier.attempts import AttemptMemory
from bopis.services.notifier.notifier import TABLE_TOPICS, Notifier
from bopis.wire.errors import WireError
from bopis.wire.notices import NOTICE_EVENTS, NOTICES
from streams.engine.connection import LogConnection
from streams.engine.dead_letters import ParkedRecord, dead_letter
from streams.engine.processor import LogRecord, Output
from streams.limits import StreamLimits
from streams.workers.acked_producer import AckedProducer
from streams.workers.consumer_worker import ConsumerWorker
from streams.workers.live_tables import LiveTables
from streams.workers.notifier_history import Attempt, attempts_before, withdrawn_in
from streams.workers.worker import ReadyCallback

log = structlog.get_logger("streams.workers.notifier")

NAME = "notifier"
CONCURRENCY = 16
RECORDS_AHEAD_MAX = 500  # read before they are sent, because a later record may withdraw an earlier delivery


class ClaimedDelivery(NamedTuple):
    """A delivery whose offset is committed, so that no other worker attempts it; with `verdict` it is not attempted
    here either."""

    order: str
    due: DeliveryDue
    verdict: SendResult | None = None


class NotifierWorker(ConsumerWorker):
    """Claims deliveries, attempts them, publishes the results. `concurrency` attempts run at a time."""

    sources = (NOTICE_EVENTS_TOPIC,)
    other_topics = (*TABLE_TOPICS, NOTICES_TOPIC, DEAD_LETTERS_TOPIC)

    def __init__(
        self,
        connection: LogConnection,
        limits: StreamLimits,
        notifier: Notifier,
        concurrency: int = CONCURRENCY,
        ready: ReadyCallback | None = None,
    ) -> None:
        super().__init__(NAME, connection, limits, ready)
        self._notifier = notifier
        self._concurrency = concurrency
        self._tables = LiveTables(connection, limits, TABLE_TOPICS, self._take_row)
        self._producer = AckedProducer(connection, limits)
        self._memories: dict[TopicPartition, AttemptMemory] = {}
        self._running: set[asyncio.Task[None]] = set()
        # The newest attempt of each order that has one: the next one of that order waits for it.
        self._last_of: dict[str, asyncio.Task[None]] = {}
        # Counts rebalances: records that were read before one may belong to another worker after it.
        self._rebalances = 0

    async def load(self) -> None:
        await self._tables.load(self.client)
        await self._producer.start(self.client)

    def routines(self) -> Sequence[Coroutine[Any, Any, None]]:
        return (self._follow(), self._deliver())

    def recovered(self) -> int:
        return self._tables.records

    async def drain(self, cause: BaseException | None) -> None:
        """Finish the attempts that run: one that is abandoned here would be recorded as unknown."""
        await super().drain(cause)
        if self._running:
            await asyncio.wait(self._running, timeout=self.limits.drain_s_max)

    def resources(self) -> Sequence[Awaitable[None]]:
        return (self._tables.stop(), self._producer.stop(), self._notifier.close())

    def _take_row(self, topic: str, row: LogRecord, _: int) -> None:
        self._notifier.take(topic, (row.key or b"").decode(), row.value)

    async def _follow(self) -> None:
        while True:
            await self._tables.fold()

    async def _deliver(self) -> None:
        """Claim and begin deliveries, fetch after fetch."""
        while True:
            fetched = await self.group.records(RECORDS_AHEAD_MAX)
            rebalances = self._rebalances
            for tp, records in fetched.items():
                if tp not in self._memories:
                    memory = await attempts_before(records[0].offset, tp, self.connection, self.limits)
                    self._memories[tp] = memory
                withdrawn = withdrawn_in(records)
                for start in range(0, len(records), self._concurrency):
                    await self._room()
                    some = records[start : start + self._concurrency]
                    if not await self._claim(tp, some[-1].offset + 1, rebalances):
                        self._memories.pop(tp, None)
                        break
                    for delivery in self._deliveries(tp, some, withdrawn):
                        self._begin(delivery)
            # Dead letters leave also when nothing is sent.
            await self._producer.publish(())
            if not self.is_ready and self.group.assignment():
                self.report_ready({})

    async def _room(self) -> None:
        """Wait until another `concurrency` deliveries may be claimed: no more than twice as many run at a time."""
        while len(self._running) > self._concurrency:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _claim(self, tp: TopicPartition, following: int, rebalances: int) -> bool:
        """Commit the offset `following`. Returns False when this worker is no longer the owner: it may send nothing."""
        if rebalances != self._rebalances:
            return False
        try:
            await self.group.commit({tp: following})
        except (CommitFailedError, IllegalStateError) as error:
            log.warning("delivery.not_mine", processor=NAME, error=repr(error))
            return False
        if rebalances != self._rebalances:
            return False  # A rebalance ended meanwhile: the owner of these records is not known.
        self.next_offsets[tp] = following
        return True

    def _deliveries(
        self, tp: TopicPartition, records: Sequence[LogRecord], withdrawn: Set[Attempt]
    ) -> list[ClaimedDelivery]:
        """The deliveries among records, without repeats and those that a later record withdraws."""
        deliveries, memory = [], self._memories[tp]
        for message in (self._read(tp, record) for record in records):
            if message is None:
                continue
            due = message.data
            if not isinstance(due, DeliveryDue) or not memory.is_new(message.id, due.at_ms):
                continue
            if Attempt(message.subject, due.delivery, due.attempt) in withdrawn:
                continue
            verdict = None
            if not memory.covers(due.at_ms):
                verdict = SendResult(outcome=SendOutcome.UNKNOWN, cause="may have been tried before")
            deliveries.append(ClaimedDelivery(message.subject, due, verdict))
        return deliveries

    def _read(self, tp: TopicPartition, record: LogRecord) -> Message | None:
        try:
            return NOTICE_EVENTS.decode(record.value or b"")
        except WireError as error:
            self._producer.park(dead_letter(ParkedRecord(f"{type(error).__name__}: {error}", record), NAME, tp))
            return None

    def _begin(self, delivery: ClaimedDelivery) -> None:
        """Attempt a delivery in a task of its own; deliveries of one order run one after the other."""
        before = self._last_of.get(delivery.order)
        task = asyncio.get_running_loop().create_task(self._complete(delivery, before))
        self._last_of[delivery.order] = task
        self._running.add(task)

        def end(done: asyncio.Task[None]) -> None:
            self._running.discard(done)
            if self._last_of.get(delivery.order) is done:
                del self._last_of[delivery.order]
            if not done.cancelled() and (error := done.exception()) is not None:
                self.fail(error)

        task.add_done_callback(end)

    async def _complete(self, delivery: ClaimedDelivery, before: "asyncio.Task[None] | None") -> None:
        """Attempt a delivery after the one `before` it, and publish the result."""
        if before is not None:
            await asyncio.wait((before,))
        verdict = delivery.verdict or await self._attempt(delivery)
        due, key = delivery.due, delivery.due.delivery.key(delivery.order)
        log.info("notice.attempt", key=key, attempt=due.attempt, outcome=verdict.outcome.value, cause=verdict.cause)
        answer = DeliveryAnswered(
            delivery=due.delivery,
            attempt=due.attempt,
            outcome=verdict.outcome,
            cause=verdict.cause,
            provider_id=verdict.provider_id,
            not_before_ms=verdict.not_before_ms,
        )
        message = Message(
            id=f"{key}/{due.attempt}/{verdict.outcome.value}",
            source=NAME,
            time=datetime.fromtimestamp(self.connection.now_ms() / 1000, UTC),
            subject=delivery.order,
            data=answer,
            correlation=delivery.order,
        )
        await self._producer.publish([Output(NOTICES_TOPIC, delivery.order.encode(), NOTICES.encode(message))])

    async def _attempt(self, delivery: ClaimedDelivery) -> SendResult:
        try:
            # In a thread: opening sealed data asks a database, and templates are files.
            made = await asyncio.to_thread(
                self._notifier.prepare, delivery.order, delivery.due, self.connection.now_ms()
            )
        except Exception as error:
            # Nothing was sent yet, so it may be tried again. Only the error's type: its text could name the customer.
            log.error("notice.not_made", order=delivery.order, error=type(error).__name__)
            return SendResult(outcome=SendOutcome.FAILED, cause=f"the notice could not be made: {type(error).__name__}")
        return await self._notifier.send(made) if isinstance(made, OutgoingMessage) else made

    async def revoked(self) -> None:
        await super().revoked()
        self._rebalances += 1
        self._memories.clear()
        self.next_offsets.clear()

    def assigned(self, tps: Collection[TopicPartition]) -> None:
        self._memories.clear()
        super().assigned(tps)
