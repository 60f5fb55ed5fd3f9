"""A log, some worker processes and a judge that adds up on its own."""

import asyncio
import os
import re
import signal
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from tests.engines import Engine
from tests.engines.forks import fork

PARTITIONS = 2
WAIT_S_MAX = 240.0
ROOT = Path(__file__).parents[2]
TOY = "tests.streams.toy_totals"


class WorkerProcess:
    """One worker of the toy processor in a process of its own."""

    def __init__(self, world: "World", name: str, options: dict[str, Any]) -> None:
        self.log = world.home / f"{name}-{uuid.uuid4().hex[:6]}.log"
        encoded = msgspec.json.encode(options).decode()
        place = [world.engine.bootstrap, world.prefix, str(PARTITIONS), str(world.home / name), encoded]
        with self.log.open("wb") as sink:
            self.process = fork([TOY, *place], stdout=sink, stderr=sink, cwd=ROOT)
        self.began = time.monotonic()

    @property
    def text(self) -> str:
        return self.log.read_text()

    def wait_ready(self) -> float:
        """Seconds from start to ready."""
        self.wait_for('"worker.ready"')
        return time.monotonic() - self.began

    def wait_for(self, words: str, seconds: float = WAIT_S_MAX) -> None:
        end = time.monotonic() + seconds
        while words not in self.text:
            if self.process.poll() is not None and words not in self.text:
                raise AssertionError(f"worker ended with {self.process.returncode}:\n{self.text[-3000:]}")
            if time.monotonic() > end:
                raise AssertionError(f"no {words!r} within {seconds} s:\n{self.text[-3000:]}")
            time.sleep(0.02)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def count(self, pattern: str) -> int:
        return len(re.findall(pattern, self.text))


class World:
    """Topics of one test, and the workers on them."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self.engine = engine
        self.home = home
        self.prefix = f"t{uuid.uuid4().hex[:8]}."
        self.workers: list[WorkerProcess] = []

    def worker(self, name: str = "one", **options: Any) -> WorkerProcess:
        worker = WorkerProcess(self, name, {"instance": name, **options})
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                os.kill(worker.process.pid, signal.SIGCONT)
            worker.kill()

    def topic(self, name: str) -> str:
        return self.prefix + name

    async def producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.engine.bootstrap, enable_idempotence=True, max_request_size=8 << 20, linger_ms=2
        )
        await self._start(producer)
        return producer

    async def _start(self, client: Any) -> None:
        """The log may be away just now: that is what some tests are about."""
        end = time.monotonic() + WAIT_S_MAX
        while True:
            try:
                return await client.start()
            except KafkaConnectionError:
                if time.monotonic() > end:
                    await client.stop()
                    raise
                await asyncio.sleep(0.2)

    async def read(self, name: str) -> dict[int, list[Any]]:
        """All records that a topic has now, by partition."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.engine.bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=8 << 20
        )
        await self._start(consumer)
        try:
            tps = [TopicPartition(self.topic(name), number) for number in range(PARTITIONS)]
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
            ends = await consumer.end_offsets(tps)
            found: dict[int, list[Any]] = defaultdict(list)
            left = {tp for tp in tps if ends[tp] > 0}
            while left:
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp.partition] += records
                left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
            return found
        finally:
            await consumer.stop()

    async def rows(self) -> dict[str, list[int]]:
        """The rows of the changelog: the last value of every key."""
        rows: dict[str, list[int]] = {}
        for records in (await self.read("totals")).values():
            for record in records:
                if record.key[0] == 0:
                    continue
                if record.value is None:
                    rows.pop(record.key.decode(), None)
                else:
                    rows[record.key.decode()] = msgspec.json.decode(record.value)
        return rows

    async def positions(self) -> dict[int, int]:
        found = {}
        for number, records in (await self.read("totals")).items():
            for record in records:
                if record.key == b"\x00position":
                    found[number] = msgspec.json.decode(record.value)["position"]
        return found

    async def outputs(self) -> dict[str, Any]:
        """Outputs by id; the same id never has two different values."""
        found: dict[str, Any] = {}
        for records in (await self.read("sums")).values():
            for record in records:
                value = msgspec.json.decode(record.value)
                assert found.setdefault(value["id"], value) == value
        return found

    async def until_decided(
        self, seconds: float = WAIT_S_MAX, start: Callable[[], WorkerProcess] | None = None
    ) -> None:
        """Wait until the position of every partition is the end of the source. `start` starts a worker, now and
        whenever it ended, as a supervisor does."""
        end = time.monotonic() + seconds
        worker = start() if start else None
        while True:
            if start and worker and worker.process.poll() is not None:
                worker = start()
            ends = {number: records[-1].offset for number, records in (await self.read("numbers")).items() if records}
            positions = await self.positions()
            if all(positions.get(number, -1) >= offset for number, offset in ends.items()):
                return
            assert time.monotonic() < end, f"decided {positions} of {ends}: {[w.text[-800:] for w in self.workers]}"
            await asyncio.sleep(0.2)


class Load:
    """Sends numbers at a pace and remembers, apart from everything under test, what was acknowledged."""

    def __init__(self, world: World, keys: int = 50) -> None:
        self._world = world
        self._keys = keys
        self.sums: dict[str, int] = defaultdict(int)
        self.counts: dict[str, int] = defaultdict(int)
        self._number = 0

    async def run(self, seconds: float, per_second: int) -> None:
        producer = await self._world.producer()
        began, sent = time.monotonic(), 0
        try:
            while (gone := time.monotonic() - began) < seconds:
                waiting = []
                while sent < gone * per_second:
                    waiting.append(await self._send(producer))
                    sent += 1
                await asyncio.gather(*waiting)
                await asyncio.sleep(0.02)
        finally:
            await producer.stop()

    async def send(self, count: int) -> None:
        producer = await self._world.producer()
        try:
            await asyncio.gather(*[await self._send(producer) for _ in range(count)])
        finally:
            await producer.stop()

    async def _send(self, producer: AIOKafkaProducer) -> Any:
        self._number += 1
        key = f"k{self._number * 7919 % self._keys}"
        self.sums[key] += self._number
        self.counts[key] += 1
        return await producer.send(self._world.topic("numbers"), b'{"add":%d}' % self._number, key=key.encode())

    async def check(self) -> None:
        """The rows and outputs are those of one straight addition."""
        await self._world.until_decided()
        rows = await self._world.rows()

        assert {key: row[1] for key, row in rows.items()} == dict(self.sums)
        assert {key: row[0] for key, row in rows.items()} == dict(self.counts)

        outputs = await self._world.outputs()

        assert set(outputs) == {f"{key}-{n}" for key, count in self.counts.items() for n in range(1, count + 1)}
        assert all(outputs[f"{key}-{self.counts[key]}"]["total"] == total for key, total in self.sums.items())
