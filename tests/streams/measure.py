"""Rates of the exact step with the toy processor, as a command.

python tests/streams/measure.py cpu                       the pure step and the encoding of commits, in one process
python tests/streams/measure.py work BOOTSTRAP [RECORDS]  a worker over a full topic: records per CPU second
python tests/streams/measure.py recover BOOTSTRAP [ROWS]  a start with that many rows in the changelog
python tests/streams/measure.py pace BOOTSTRAP [PER_S]    append -> changelog latency at a steady pace
"""

import asyncio
import subprocess
import sys
import time
import uuid
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import msgspec
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.memory_records import MemoryRecords

from streams.clock import system_ms
from streams.engine.batches import NO_HEADERS, Batches
from streams.engine.exact_step import step
from streams.engine.table import PartitionTable
from tests.streams.toy_totals import Totals

TOY = Path(__file__).parent / "toy_totals.py"
BATCH = 1_000
KEYS = 20_000


def payload(number: int) -> tuple[bytes, bytes, list[Any]]:
    return b"key-%d" % (number * 7919 % KEYS), b'{"add":%d}' % number, NO_HEADERS


def cpu() -> None:
    entries = [payload(n) for n in range(200_000)]
    blobs = []
    for first in range(0, len(entries), BATCH):
        [(builder, _)] = Batches(1 << 24, system_ms).encode(entries[first : first + BATCH])
        blobs.append(bytes(builder.build()))
    table = PartitionTable(Totals(every=10))
    spent = {"parse": 0.0, "step": 0.0, "commit": 0.0}
    position = -1
    for blob in blobs:
        mark = time.perf_counter()
        raw, records = MemoryRecords(blob), []
        while raw.has_next():
            records += raw.next_batch()
        spent["parse"] += time.perf_counter() - mark
        mark = time.perf_counter()
        done = step(Totals(every=10), table.rows, -1, records, 1 << 20)
        spent["step"] += time.perf_counter() - mark
        mark = time.perf_counter()
        position += len(records)
        changes = table.commit(position)
        Batches(1 << 24, system_ms).encode((key, value, NO_HEADERS) for key, value in changes)[0][0].build()
        spent["commit"] += time.perf_counter() - mark
        assert done.handled == len(records)
    for name, seconds in spent.items():
        print(f"{name:8} {seconds / len(entries) * 1e6:6.2f} us per record")
    print(f"together {len(entries) / sum(spent.values()):,.0f} records per CPU second")


def start(bootstrap: str, prefix: str, every: int, partitions: int = 1) -> "subprocess.Popen[str]":
    options = msgspec.json.encode({"every": every, "instance": "measured"}).decode()
    command = [sys.executable, str(TOY), bootstrap, prefix, str(partitions), mkdtemp(), options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    print("  ", process.stdout.readline().strip())
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.wait(20)


async def fill(bootstrap: str, topic: str, count: int, keys: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=10, max_batch_size=200_000)
    await producer.start()
    waiting = []
    for number in range(count):
        key = b"key-%d" % (number * 7919 % keys)
        waiting.append(await producer.send(topic, b'{"add":%d}' % number, key=key))
        if len(waiting) > 20_000:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)
    await producer.stop()


async def position(bootstrap: str, topic: str, until: int) -> None:
    """Returns when the changelog says that the source is decided up to an offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, max_partition_fetch_bytes=8 << 20)
    await consumer.start()
    tp = TopicPartition(topic, 0)
    consumer.assign([tp])
    await consumer.seek_to_beginning(tp)
    while True:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for record in records:
                if record.key == b"\x00position" and msgspec.json.decode(record.value)["position"] >= until:
                    await consumer.stop()
                    return


def work(bootstrap: str, count: int, keys: int = KEYS) -> None:
    prefix = f"m{uuid.uuid4().hex[:6]}."
    end(start(bootstrap, prefix, 10))
    asyncio.run(fill(bootstrap, f"{prefix}numbers", count, keys))
    began = time.monotonic()
    process = start(bootstrap, prefix, 10)
    busy, idle_since, last = psutil.Process(process.pid), time.monotonic(), 0.0
    first = sum(busy.cpu_times()[:2])
    while time.monotonic() - idle_since < 1.5:
        time.sleep(0.1)
        now = sum(busy.cpu_times()[:2])
        if now - last > 0.05:
            idle_since = time.monotonic()
        last = now
    seconds, spent = idle_since - began, last - first
    print(f"{count:,} records: {count / spent:,.0f} per CPU second, {count / seconds:,.0f} per second with the start")
    print(f"   {busy.memory_info().rss / 1e6:.0f} MB resident")
    asyncio.run(asyncio.wait_for(position(bootstrap, f"{prefix}totals", count - 1), 60))
    end(process)


def recover(bootstrap: str, rows: int) -> None:
    prefix = f"m{uuid.uuid4().hex[:6]}."
    process = start(bootstrap, prefix, 1_000_000_000)
    asyncio.run(fill(bootstrap, f"{prefix}numbers", rows, rows))
    asyncio.run(position(bootstrap, f"{prefix}totals", rows - 1))
    end(process)
    began = time.monotonic()
    process = start(bootstrap, prefix, 1_000_000_000)
    print(f"{rows:,} rows: ready after {time.monotonic() - began:.1f} s with the start of Python")
    print(f"   {psutil.Process(process.pid).memory_info().rss / 1e6:.0f} MB resident")
    end(process)


async def _pace(bootstrap: str, prefix: str, per_second: int, seconds: int) -> list[float]:
    sent: dict[int, float] = {}
    waits: list[float] = []
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, fetch_max_wait_ms=500)
    await consumer.start()
    tp = TopicPartition(f"{prefix}totals", 0)
    consumer.assign([tp])
    await consumer.seek_to_end(tp)

    async def watch() -> None:
        below = 0
        while True:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                now = time.perf_counter()
                for record in records:
                    if record.key == b"\x00position":
                        at = msgspec.json.decode(record.value)["position"]
                        waits.extend(now - sent.pop(n) for n in range(below, at + 1) if n in sent)
                        below = at + 1

    watching = asyncio.create_task(watch())
    began, number = time.perf_counter(), 0
    while (gone := time.perf_counter() - began) < seconds:
        while number < gone * per_second:
            sent[number] = time.perf_counter()
            await producer.send(f"{prefix}numbers", b'{"add":%d}' % number, key=b"key-%d" % (number % KEYS))
            number += 1
        await asyncio.sleep(0.0005)
    await asyncio.sleep(1)
    watching.cancel()
    await producer.stop()
    await consumer.stop()
    return sorted(waits)


def pace(bootstrap: str, per_second: int, seconds: int = 12) -> None:
    prefix = f"m{uuid.uuid4().hex[:6]}."
    process = start(bootstrap, prefix, 10)
    spent = sum(psutil.Process(process.pid).cpu_times()[:2])
    waits = asyncio.run(_pace(bootstrap, prefix, per_second, seconds))
    spent = sum(psutil.Process(process.pid).cpu_times()[:2]) - spent
    half, most = waits[len(waits) // 2] * 1000, waits[len(waits) * 99 // 100] * 1000
    print(f"{per_second:,}/s: append -> changelog p50 {half:.1f} ms, p99 {most:.1f} ms, {len(waits):,} seen")
    print(f"   {spent / seconds:.0%} of a core")
    end(process)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["cpu"]:
            cpu()
        case ["work", bootstrap, *count]:
            work(bootstrap, int(count[0]) if count else 500_000)
        case ["recover", bootstrap, *count]:
            recover(bootstrap, int(count[0]) if count else 1_000_000)
        case ["pace", bootstrap, *count]:
            pace(bootstrap, int(count[0]) if count else 2_000)
        case _:
            print(__doc__)
