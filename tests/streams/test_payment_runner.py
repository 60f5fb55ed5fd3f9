"""The payment runner's worker over a real log, with a gateway that does what a test says."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka.partitioner.default import murmur2

from bopis.domain.message import Message
from bopis.domain.payments.events import CallRequested
from bopis.domain.payments.gateway import CallOutcome, Capabilities, GatewayAnswer, GatewayCall
from bopis.domain.payments.messages import CallAnswered
from bopis.errors import CONFIGURATION
from bopis.services.payments.lanes import LaneLimits
from bopis.services.payments.runner import PaymentRunner
from bopis.settings import Settings
from bopis.topics.definitions import plans
from bopis.wire.payments import PAYMENT_CALLS, PAYMENTS
from streams.engine.connection import LogConnection
from streams.limits import StreamLimits
from streams.process.compose import payment_runner
from streams.process.errors import GatewaysUnsound
from streams.workers.payment_runner import OpenRecords, PaymentRunnerWorker
from tests.engines import Engine
from tests.engines.wire import Wire
from tests.services.payments.requests import request

PARTITIONS = 2
PATIENCE_S = 40.0
APPROVED = GatewayAnswer(outcome=CallOutcome.APPROVED)
BUSY = GatewayAnswer(outcome=CallOutcome.NOT_SENT, code="lock_timeout", wait_ms=1_000)
AWAY = GatewayAnswer(outcome=CallOutcome.NOT_SENT, code="not_connected", wait_ms=1_000)
# Nothing is committed unless the worker leaves in order.
NEVER_S = 3_600.0


class Gateway:
    """Notes calls. Answers what the script has for an order, else approves; a closed gate keeps it waiting."""

    def __init__(self) -> None:
        self.capabilities = Capabilities()
        self.calls: list[tuple[float, GatewayCall]] = []
        self.script: dict[str, list[GatewayAnswer]] = {}
        self.answer = APPROVED
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def orders(self) -> list[str]:
        return [call.order for _, call in self.calls]

    def times(self, order: str) -> list[float]:
        return [at for at, call in self.calls if call.order == order]

    async def call(self, call: GatewayCall) -> GatewayAnswer:
        self.calls.append((time.monotonic(), call))
        await self.gate.wait()
        scripted = self.script.get(call.order)
        return scripted.pop(0) if scripted else self.answer

    async def close(self) -> None: ...


class Book:
    """One gateway."""

    names = ("fake",)

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def named(self, _: str) -> Gateway:
        return self._gateway

    async def close(self) -> None: ...


class DrivenWorker(PaymentRunnerWorker):
    """A worker in the process of the test, which it must not end."""

    def _leave_by_force(self, cause: BaseException | None) -> None:
        """The test does it."""

    async def begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._end = loop.create_future()
        self._work = loop.create_task(self._run_work())
        await until(lambda: self.is_ready or self._end.done())
        assert not self._end.done(), self._end.result()

    async def stop(self) -> None:
        """Leave in order, as after SIGTERM."""
        await self.drain(None)
        await self._go()

    async def kill(self) -> None:
        """Leave as a process does that is killed: nothing more is published or committed."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self.stop_work()
        await self._go()

    async def _go(self) -> None:
        await asyncio.gather(self._monitor.end(None), self.leave())
        await self.stop_work()
        await self.client.stop()


class Floor:
    """The topics of one test, a gateway, and the workers in front of it."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self.engine = engine
        self.gateway = Gateway()
        prefix = f"r{uuid.uuid4().hex[:8]}."
        settings = Settings(
            data_dir=home, broker=f"kafka://{engine.bootstrap}", topic_prefix=prefix, partitions=PARTITIONS
        )
        self.connection = LogConnection(
            bootstrap=engine.bootstrap, prefix=prefix, partitions=PARTITIONS, data_dir=home, plans=plans(settings)
        )
        self.producer = AIOKafkaProducer(bootstrap_servers=engine.bootstrap)
        self.workers: list[DrivenWorker] = []

    async def worker(self, commit_s: float = NEVER_S, **limits: int) -> DrivenWorker:
        runner = PaymentRunner(Book(self.gateway), "fake", LaneLimits(**limits))  # type: ignore[arg-type]  # a fake
        worker = DrivenWorker(self.connection, StreamLimits(group_offsets_s=commit_s), runner)
        self.workers.append(worker)
        await worker.begin()
        return worker

    async def write(self, *requests: CallRequested) -> None:
        for it in requests:
            message = Message(
                id=f"m-{it.call.key}-{it.request}",
                source="payments",
                time=datetime.now(UTC),
                subject=it.call.order,
                data=it,
            )
            await self.write_bytes(it.call.order, PAYMENT_CALLS.encode(message))

    async def write_bytes(self, key: str, value: bytes) -> None:
        await self.producer.send_and_wait(self.connection.topic("payment-calls"), key=key.encode(), value=value)

    async def read(self, name: str, partitions: int = PARTITIONS) -> list[Any]:
        """All records that a topic has now."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.engine.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            tps = [TopicPartition(self.connection.topic(name), it) for it in range(partitions)]
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
            ends, found = await consumer.end_offsets(tps), []
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
            return found
        finally:
            await consumer.stop()

    async def messages(self) -> list[Message]:
        return [PAYMENTS.decode(it.value) for it in await self.read("payments")]

    async def answers(self) -> list[tuple[str, int, CallOutcome]]:
        """Order, number of the request and outcome of every answer."""
        bodies: list[tuple[str, CallAnswered]] = [(it.subject, it.data) for it in await self.messages()]
        return [(order, it.request, it.answer.outcome) for order, it in bodies]

    async def until_answered(self, count: int) -> list[tuple[str, int, CallOutcome]]:
        found: list[tuple[str, int, CallOutcome]] = []

        async def enough() -> bool:
            found[:] = await self.answers()
            return len(found) >= count

        await until(enough)
        return found

    async def committed(self) -> int:
        """The sum of the committed offsets."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.engine.bootstrap,
            group_id=self.connection.group("payment-runner"),
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            tps = [TopicPartition(self.connection.topic("payment-calls"), it) for it in range(PARTITIONS)]
            consumer.assign(tps)
            return sum([await consumer.committed(tp) or 0 for tp in tps])
        finally:
            await consumer.stop()


async def until(enough: Callable[[], bool | Awaitable[bool]]) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        result = enough()
        if result if isinstance(result, bool) else await result:
            return
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


def partition_of(order: str) -> int:
    return int(murmur2(order.encode()) & 0x7FFFFFFF) % PARTITIONS


@pytest.fixture
async def floor(any_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    monkeypatch.setattr("gc.freeze", lambda: None)  # this process goes on with other tests
    floor = Floor(any_engine, tmp_path)
    await floor.producer.start()
    yield floor
    await floor.producer.stop()
    for worker in floor.workers:
        if not worker._work.done():
            await worker.kill()
    with Wire(any_engine.address) as wire:
        wire.delete_topics_of(floor.connection.prefix)


async def test_a_request_is_called_and_answered_and_its_offset_committed(floor: Floor) -> None:
    worker = await floor.worker()
    await floor.write(request("A"), request("B"))

    answers = await floor.until_answered(2)
    await worker.stop()

    assert sorted(answers) == [("A", 1, CallOutcome.APPROVED), ("B", 1, CallOutcome.APPROVED)]
    assert sorted(floor.gateway.orders) == ["A", "B"]
    assert await floor.committed() == 2


async def test_the_nearest_hold_end_goes_first(floor: Floor) -> None:
    await floor.worker(concurrency=1)
    floor.gateway.gate.clear()
    await floor.write(request("busy", urgent_ms=0))
    await until(lambda: floor.gateway.orders == ["busy"])
    await floor.write(*(request(f"O-{number}", urgent_ms=1_000 - number) for number in range(6)))
    await asyncio.sleep(1.0)

    floor.gateway.gate.set()
    await floor.until_answered(7)

    assert floor.gateway.orders == ["busy", *(f"O-{number}" for number in (5, 4, 3, 2, 1, 0))]


async def test_retry_after_is_obeyed(floor: Floor) -> None:
    await floor.worker(concurrency=1)
    floor.gateway.script["A"] = [GatewayAnswer(outcome=CallOutcome.NOT_SENT, code="http_429", wait_ms=1_500)]
    await floor.write(request("A", urgent_ms=0))
    await floor.write(request("B"))

    await floor.until_answered(2)

    assert floor.gateway.times("B")[0] - floor.gateway.times("A")[0] >= 1.4


async def test_an_open_circuit_lets_one_probe_through_and_then_all(floor: Floor) -> None:
    await floor.worker()
    floor.gateway.answer = AWAY
    await floor.write(request("first", urgent_ms=1))
    await until(lambda: len(floor.gateway.calls) == 8)
    failed_at = time.monotonic()

    floor.gateway.answer = APPROVED
    await floor.write(*(request(f"O-{number}") for number in range(5)))
    answers = await floor.until_answered(6)

    assert Counter(it[2] for it in answers) == {CallOutcome.APPROVED: 6}, "a call that found no connection waits on"
    assert [call.order for _, call in floor.gateway.calls][:9] == ["first"] * 9
    assert floor.gateway.calls[8][0] - failed_at > 0.3


async def test_a_kill_between_answer_and_commit_repeats_the_call_with_the_same_key(floor: Floor) -> None:
    first = await floor.worker()
    await floor.write(request("A"))
    await floor.until_answered(1)
    await first.kill()

    second = await floor.worker()
    await until(lambda: len(floor.gateway.calls) == 2)
    await floor.until_answered(2)
    await second.stop()

    calls = [call for _, call in floor.gateway.calls]
    assert calls[0] == calls[1]
    # The same answer has the same id: the payment takes it once.
    assert len({it.id for it in await floor.messages()}) == 1
    assert await floor.committed() == 1


async def test_a_kill_before_the_answer_repeats_the_call_and_never_says_that_it_was_not_sent(floor: Floor) -> None:
    first = await floor.worker()
    floor.gateway.gate.clear()
    await floor.write(request("A"))
    await until(lambda: floor.gateway.orders == ["A"])
    await first.kill()
    nothing = await floor.answers()

    floor.gateway.gate.set()
    floor.gateway.answer = BUSY
    await floor.worker()
    await floor.write(request("B"))

    assert nothing == []
    assert sorted(await floor.until_answered(2)) == [("A", 1, CallOutcome.UNKNOWN), ("B", 1, CallOutcome.NOT_SENT)]


async def test_offsets_stay_behind_the_oldest_call_without_an_answer(floor: Floor) -> None:
    worker = await floor.worker(commit_s=0.1)
    floor.gateway.gate.clear()
    orders = [order for order in map("O-{}".format, range(50)) if partition_of(order) == 0][:4]
    await floor.write(*(request(order) for order in orders[:1]))
    await until(lambda: len(floor.gateway.calls) == 1)
    # Later ones are answered at once, without a call.
    await floor.write(*(request(order, not_after_ms=1) for order in orders[1:]))
    await floor.until_answered(3)
    await asyncio.sleep(0.5)
    before = await floor.committed()

    floor.gateway.gate.set()
    await floor.until_answered(4)
    await asyncio.sleep(0.5)

    assert (before, await floor.committed()) == (0, 4)
    await worker.stop()


async def test_a_clean_stop_finishes_calls_under_way_and_leaves_the_others_to_the_next(floor: Floor) -> None:
    first = await floor.worker(concurrency=1)
    floor.gateway.gate.clear()
    await floor.write(request("A", urgent_ms=0))
    await until(lambda: floor.gateway.orders == ["A"])
    await floor.write(request("B"))
    await asyncio.sleep(0.5)
    asyncio.get_running_loop().call_later(0.5, floor.gateway.gate.set)

    await first.stop()
    by_first = await floor.answers()
    await floor.worker()
    await floor.until_answered(2)

    assert by_first == [("A", 1, CallOutcome.APPROVED)]
    assert floor.gateway.orders == ["A", "B"]


async def test_waiting_calls_of_a_revoked_partition_are_made_by_its_new_owner_only(floor: Floor) -> None:
    first = await floor.worker(concurrency=1)
    floor.gateway.gate.clear()
    await floor.write(request("busy", urgent_ms=0))
    await until(lambda: floor.gateway.orders == ["busy"])
    await floor.write(*(request(f"O-{number}") for number in range(20)))
    await asyncio.sleep(0.5)

    second = await floor.worker()
    await until(lambda: bool(first.owned) and bool(second.owned))
    floor.gateway.gate.set()
    await until(lambda: len(set(floor.gateway.orders)) == 21)
    await asyncio.sleep(1.0)

    calls = Counter(floor.gateway.orders)
    assert {order for order, count in calls.items() if count > 1} <= {"busy"}
    await floor.until_answered(21)


async def test_an_unreadable_request_is_parked_and_does_not_hold_up_the_others(floor: Floor) -> None:
    worker = await floor.worker()
    await floor.write_bytes("A", b"nonsense")
    await floor.write(request("A"))

    await floor.until_answered(1)
    await worker.stop()
    (letter,) = await floor.read("dead-letters", 1)

    assert letter.value == b"nonsense"
    assert dict(letter.headers)["processor"] == b"payment-runner"
    assert await floor.committed() == 2


async def test_a_gateway_that_is_not_set_up_is_answered_as_unsupported(floor: Floor) -> None:
    await floor.worker()
    await floor.write(request("A", gateway="stripe"))

    assert await floor.until_answered(1) == [("A", 1, CallOutcome.UNSUPPORTED)]
    assert floor.gateway.calls == []


async def test_one_line_is_logged_per_call_and_no_token(floor: Floor, capsys: pytest.CaptureFixture[str]) -> None:
    await floor.worker()
    await floor.write(request("A"))
    await floor.until_answered(1)

    lines = [line for line in capsys.readouterr().out.splitlines() if "payment.call" in line]

    assert len(lines) == 1
    assert "tok_secret" not in lines[0]


def test_the_offset_to_commit_is_that_of_the_oldest_open_record() -> None:
    records = OpenRecords(5)
    firsts = [records.first]
    for offset in (5, 6, 8):
        records.open(offset)
    records.following = 9
    for offset in (6, 7, 5, 8):
        records.close(offset)
        firsts.append(records.first)

    assert firsts == [5, 5, 5, 8, 9]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"payment_gateway": "fake"}, "payment_gateway_url"),
        ({"payment_gateway": "stripe"}, "stripe_key_file"),
        ({"payment_gateway": "stripe", "stripe_key_file": "/nowhere/key"}, "stripe_key"),
    ],
)
def test_a_worker_whose_gateway_cannot_be_used_ends_with_the_setting_to_mend(
    settings: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(GatewaysUnsound) as caught:
        payment_runner(Settings(data_dir=tmp_path, **settings))

    assert words in str(caught.value)
    assert caught.value.exit_code == CONFIGURATION


async def test_without_settings_only_payment_in_the_store_has_a_gateway(tmp_path: Path) -> None:
    runner = payment_runner(Settings(data_dir=tmp_path))

    assert sorted(runner.lanes.circuits()) == ["in_store"]
    await runner.close()


async def test_the_default_gateway_is_set_up_by_its_address(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, payment_gateway="fake", payment_gateway_url="http://127.0.0.1:1")
    runner = payment_runner(settings)

    assert sorted(runner.lanes.circuits()) == ["fake", "in_store"]
    await runner.close()
