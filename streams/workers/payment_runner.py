"""The payment runner's worker: requests for calls in, one call each, the gateway's answer out.

At least once at the gateway: the committed offset of a partition stays behind the oldest request without a published
answer. A worker that is killed makes its calls again with the same keys, by which the gateway recognises them.
"""

import asyncio
import time
from collections.abc import Awaitable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from aiokafka.structs import TopicPartition

from bopis.domain.payments.gateway import CallOutcome, GatewayAnswer
from bopis.names import DEAD_LETTERS_TOPIC, PAYMENT_CALLS_TOPIC, PAYMENTS_TOPIC
from bopis.services.payments.lanes import Verdict, truthful
from bopis.services.payments.runner import NAME, PaymentRunner, answer_record, log_facts
from bopis.services.payments.waiting import Place, WaitingCall
from bopis.wire.errors import WireError
from streams.engine.batches import Chunk
from streams.engine.connection import LogConnection
from streams.engine.dead_letters import ParkedRecord, dead_letter
from streams.engine.partition_status import PartitionStatus
from streams.engine.processor import Output
from streams.limits import StreamLimits
from streams.workers.acked_producer import AckedProducer
from streams.workers.consumer_worker import ConsumerWorker
from streams.workers.worker import ReadyCallback

log = structlog.get_logger("streams.workers.payment_runner")

# An adapter has time-outs of its own; this ends a call whose adapter keeps none.
CALL_S_MAX = 120.0
WAKE_S_MAX = 0.5


class OpenRecords:
    """Records of one partition that were read; those without a published answer are open."""

    def __init__(self, start: int) -> None:
        """``start`` is the first offset that is read."""
        self.following = start
        # In the order of their offsets.
        self._open: dict[int, None] = {}

    def open(self, offset: int) -> None:
        """Note a record that was read."""
        self._open[offset] = None

    def close(self, offset: int) -> None:
        """Note that a record's answer is published. One that another owner read is not open here."""
        self._open.pop(offset, None)

    @property
    def first(self) -> int:
        """The offset to commit: of the first record that is open, else of the next one to be read."""
        return next(iter(self._open), self.following)


class PaymentRunnerWorker(ConsumerWorker):
    """Reads requests into the runner's lanes, makes the calls that may leave, publishes their answers."""

    sources = (PAYMENT_CALLS_TOPIC,)
    other_topics = (PAYMENTS_TOPIC, DEAD_LETTERS_TOPIC)

    def __init__(
        self, connection: LogConnection, limits: StreamLimits, runner: PaymentRunner, ready: ReadyCallback | None = None
    ) -> None:
        super().__init__(NAME, connection, limits, ready)
        self._runner = runner
        self._lanes = runner.lanes
        self._producer = AckedProducer(connection, limits)
        self._records: dict[TopicPartition, OpenRecords] = {}
        # Of each partition the end of the log when it was assigned: earlier owners may have sent what is before it.
        self._ends: dict[TopicPartition, int] = {}
        # Counts rebalances: records that were read before one may belong to another worker after it.
        self._rebalances = 0
        self._running: set[asyncio.Task[None]] = set()
        # Set when there may be calls to send: one was read, or one ended.
        self._changed = asyncio.Event()
        self._circuits = self._lanes.circuits()

    async def load(self) -> None:
        await self._producer.start(self.client)

    def routines(self) -> Sequence[Coroutine[Any, Any, None]]:
        return (self._read(), self._make_calls(), self.commit_forever())

    async def drain(self, cause: BaseException | None) -> None:
        """Finish the calls that are under way. Those that wait are the next owner's."""
        await super().drain(cause)
        self._lanes.drop_waiting()
        if self._running:
            await asyncio.wait(self._running, timeout=self.limits.drain_s_max)
        await self.commit()

    def resources(self) -> Sequence[Awaitable[None]]:
        return (self._producer.stop(), self._runner.close())

    def done_offsets(self) -> Mapping[TopicPartition, int]:
        return {tp: records.first for tp, records in self._records.items()}

    def statuses(self) -> Sequence[PartitionStatus]:
        """As of all consumers; the position is what was read. While the lanes are full nothing is read, which is no
        stall: the gateway is away, and the position is not told."""
        statuses = super().statuses()
        return statuses if self._lanes.has_room else [msgspec.structs.replace(it, position=None) for it in statuses]

    async def revoked(self) -> None:
        """A rebalance begins. Waiting calls are left to the new owners; those under way end here, and are published."""
        await self.commit()
        await super().revoked()
        self._rebalances += 1
        self._lanes.drop_waiting()
        self._records.clear()
        self._ends.clear()
        self.next_offsets.clear()

    async def _read(self) -> None:
        """Read requests, fetch after fetch. While the lanes are full nothing is fetched, but the group is polled."""
        while True:
            fetched = await self.group.chunks(None if self._lanes.has_room else ())
            rebalances = self._rebalances
            await self._note_ends()
            if rebalances != self._rebalances:
                continue  # They are read again by whoever owns them now.
            letters = [letter for tp, chunk in fetched.items() for letter in self._take(tp, chunk)]
            self._changed.set()
            await self._park(letters)
            if not self.is_ready and self.owned and self._ends.keys() >= set(self.owned):
                self.report_ready({})
            # Answers are taken also while there is always a request to read.
            await asyncio.sleep(0)

    async def _note_ends(self) -> None:
        """Ask for the ends of partitions that were assigned since; asked again later where the log does not tell."""
        unknown = [tp for tp in self.owned if tp not in self._ends]
        if unknown:
            rebalances, ends = self._rebalances, await self.client.ends(unknown)
            if rebalances == self._rebalances:
                self._ends |= ends

    def _take(self, tp: TopicPartition, chunk: Chunk) -> list[tuple[Place, Output]]:
        """Take the requests of a fetch; returns dead letters of those that cannot be read."""
        records, letters, verdicts = self._records.setdefault(tp, OpenRecords(chunk.start)), [], []
        now_ms, end = self.connection.now_ms(), self._ends.get(tp)
        for record in chunk.records:
            place, perhaps_sent = Place(tp, record.offset), end is None or record.offset < end
            records.open(record.offset)
            try:
                verdict = self._runner.take(record.value or b"", place, now_ms, perhaps_sent=perhaps_sent)
            except WireError as error:
                parked = ParkedRecord(f"{type(error).__name__}: {error}", record)
                letters.append((place, dead_letter(parked, NAME, tp)))
                continue
            if verdict is not None:
                verdicts.append(verdict)
        records.following = self.next_offsets[tp] = chunk.next
        if verdicts:
            self._begin(self._publish(verdicts))
        return letters

    async def _park(self, letters: Sequence[tuple[Place, Output]]) -> None:
        await self._producer.publish([letter for _, letter in letters])
        self._close([place for place, _ in letters])

    async def _make_calls(self) -> None:
        """Begin the calls that may leave, and sleep until there may be others."""
        while True:
            self._changed.clear()
            now_ms = self.connection.now_ms()
            calls, verdicts = self._lanes.take(now_ms)
            if verdicts:
                self._begin(self._publish(verdicts))
            for waiting in calls:
                self._begin(self._call(waiting))
            wake_ms = self._lanes.wake_ms(now_ms)
            sleep_s = WAKE_S_MAX if wake_ms is None else min(max(1, wake_ms) / 1000, WAKE_S_MAX)
            try:
                async with asyncio.timeout(sleep_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)

        def end(done: asyncio.Task[None]) -> None:
            self._running.discard(done)
            if not done.cancelled() and (error := done.exception()) is not None:
                self.fail(error)

        task.add_done_callback(end)

    async def _call(self, waiting: WaitingCall) -> None:
        """Make a call, and publish its answer."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(CALL_S_MAX):
                answer = await self._runner.call(waiting)
        except TimeoutError:
            answer = GatewayAnswer(outcome=CallOutcome.UNKNOWN, code="no_answer", cause="the adapter does not return")
        is_answered = self._lanes.end(waiting, answer, self.connection.now_ms())
        self._changed.set()
        self._log_circuits()
        if not is_answered:
            return
        await self._publish([Verdict(waiting, truthful(waiting, answer))], int((time.monotonic() - began) * 1000))

    async def _publish(self, verdicts: Sequence[Verdict], ms: int = 0) -> None:
        """Publish answers; their records are done once the log has acknowledged them."""
        for verdict in verdicts:
            log.info("payment.call", **log_facts(verdict, ms))
        now_ms = self.connection.now_ms()
        await self._producer.publish(
            [Output(PAYMENTS_TOPIC, it.waiting.order.encode(), answer_record(it, now_ms)) for it in verdicts]
        )
        self._close(place for verdict in verdicts for place in verdict.waiting.places)

    def _close(self, places: Iterable[Place]) -> None:
        for place in places:
            records = self._records.get(TopicPartition(*place.partition))
            if records is not None:
                records.close(place.offset)

    def _log_circuits(self) -> None:
        """Log circuits that changed."""
        circuits = self._lanes.circuits()
        for name, circuit in circuits.items():
            if circuit.state is not self._circuits[name].state:
                facts = {"failures": circuit.failures, "openings": circuit.openings, "waiting": self._lanes.waiting}
                log.warning("payment.circuit", gateway=name, state=circuit.state.value, **facts)
        self._circuits = circuits

    def assigned(self, tps: Collection[TopicPartition]) -> None:
        super().assigned(tps)
        self._changed.set()
