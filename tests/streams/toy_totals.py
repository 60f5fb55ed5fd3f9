"""A toy processor with every habit of a real one: rows per key, outputs, timed rows, poison and bugs on demand.

Messages are JSON: {"add": n}, {"hold": n, "until": ms}, {"tick": ms}, {"bug": true}, {"sleep": seconds}.
A row is a running total; a hold adds to `held` until its deadline, when it expires with an output.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog

from streams.engine.connection import LogConnection
from streams.engine.processor import LogRecord, Output, Poison
from streams.engine.rows import PartitionRows
from streams.limits import StreamLimits


class Message(msgspec.Struct):
    add: int | None = None
    hold: int | None = None
    until: int = 0
    tick: int | None = None
    bug: bool = False
    sleep: float = 0.0
    key: str = ""


class Total(msgspec.Struct, array_like=True):
    count: int = 0
    total: int = 0
    held: int = 0
    until: int = 0
    ticks: int = 0


_decode = msgspec.json.Decoder(Message).decode
_encode_row = msgspec.json.Encoder().encode
_decode_row = msgspec.json.Decoder(Total).decode


class Totals:
    """Adds up numbers per key."""

    name = "totals"
    source = "numbers"
    changelog = "totals"
    outputs: tuple[str, ...] = ("sums",)

    def __init__(self, every: int = 1) -> None:
        self._every = every

    def handle(self, rows: PartitionRows, record: LogRecord) -> Sequence[Output]:
        try:
            message = _decode(record.value or b"")
        except msgspec.MsgspecError as error:
            raise Poison(f"not a message: {error}") from error
        if message.bug:
            raise RuntimeError("a bug in the processor")
        if message.sleep:
            time.sleep(message.sleep)
        if message.tick is not None:
            return self._expire(rows, message.tick, record)
        key = (record.key or b"").decode()
        row: Total = rows.get(key) or Total()
        if message.hold is not None:
            row.held += message.hold
            row.until = message.until
            rows.put_timed(key, row, message.until)
            return ()
        row.count += 1
        row.total += message.add or 0
        rows.put(key, row)
        if row.count % self._every:
            return ()
        return [Output("sums", key.encode(), b'{"id":"%s-%d","total":%d}' % (key.encode(), row.count, row.total))]

    def _expire(self, rows: PartitionRows, at_ms: int, record: LogRecord) -> Sequence[Output]:
        outputs = []
        for key in rows.due(at_ms):
            row: Total = rows.get(key)
            value = b'{"id":"%s@%d#%d","expired":%d}' % (key.encode(), row.until, row.ticks + 1, row.held)
            outputs.append(Output("sums", key.encode(), value))
            rows.drop(key)
            rows.put(key, Total(row.count, row.total, 0, 0, row.ticks + 1))
        return outputs

    def encode(self, key: str, row: Any) -> bytes:
        return _encode_row(row)

    def decode(self, key: str, value: bytes) -> Any:
        return _decode_row(value)

    def deadline(self, key: str, value: bytes) -> int | None:
        return None if value.endswith(b",0,0,0]") else (_decode_row(value).until or None)

    def tick(self, rows: PartitionRows, at_ms: int) -> Sequence[tuple[bytes, bytes]]:
        return [(b"", b'{"tick":%d}' % at_ms)]


def _become_deaf() -> None:
    """A library that fetches and hands nothing over, with its heartbeats as ever."""
    from streams.engine.faust_transport import ConsumerThread

    async def nothing(*_: Any, **__: Any) -> dict[Any, Any]:
        await asyncio.sleep(0.2)
        return {}

    ConsumerThread._fetch_records = nothing  # type: ignore[method-assign]  # a fault, planted


def _lose_the_clock() -> None:
    """A worker that does not notice for how long it slept: the log alone can keep it from writing."""
    endless = property(lambda _: float("inf"))
    StreamLimits.sleep_s_max = endless  # type: ignore[assignment,method-assign]  # a fault, planted


def _tear_last_words() -> None:
    """A library whose own call is cancelled while offsets are committed: a cancellation, and none of ours."""
    from streams.engine.faust_transport import Consumer

    whole = Consumer.commit

    async def torn(*_: Any) -> bool:
        Consumer.commit = whole  # type: ignore[method-assign]  # only once
        raise asyncio.CancelledError

    Consumer.commit = torn  # type: ignore[method-assign,assignment]  # a fault, planted


def _break_membership(fault: str) -> None:
    """A join that never ends, a coordination or a metadata routine that dies."""
    from aiokafka.client import AIOKafkaClient
    from aiokafka.consumer.group_coordinator import GroupCoordinator

    async def forever(*_: Any) -> None:
        await asyncio.sleep(3600)

    async def bug(*_: Any) -> None:
        raise ValueError("planted")

    if fault == "outcast":
        GroupCoordinator._do_rejoin_group = forever
    elif fault == "heartless":
        GroupCoordinator._do_rejoin_group = bug
    elif fault == "lost":
        AIOKafkaClient._metadata_update = bug


def main(bootstrap: str, prefix: str, partitions: str, data_dir: str, options: str) -> int:
    from streams.workers.exact_worker import ExactWorker

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    given = msgspec.json.decode(options)
    connection = LogConnection(
        bootstrap=bootstrap,
        prefix=prefix,
        partitions=int(partitions),
        data_dir=Path(data_dir),
        instance=given.pop("instance", ""),
    )
    processor = Totals(given.pop("every", 1))
    if given.pop("deaf", False):
        _become_deaf()
    if given.pop("torn", False):
        _tear_last_words()
    if given.pop("timeless", False):
        _lose_the_clock()
    _break_membership(given.pop("fault", ""))
    limits = msgspec.structs.replace(StreamLimits(), **given)
    worker = ExactWorker(processor, connection, limits, lambda ready: print("ready", ready.rows, flush=True))
    return worker.run_until_stopped()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
