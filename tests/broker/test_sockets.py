"""Whatever comes over a socket, the log goes on and its memory stays where it was."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from bopis.broker.apis import served
from tests.contract.reading import read_all, until
from tests.engines import EmbeddedEngine
from tests.engines.wire import Wire, batch

GROWTH_BYTES_MAX = 40 * 1024 * 1024
SEED = 20_260_217
OwnLog = Callable[..., EmbeddedEngine]


@pytest.fixture
def log(own_log: OwnLog) -> Iterator[EmbeddedEngine]:
    """A log with a topic; afterwards it still serves a normal client and has not grown."""
    engine = own_log(None, "frame_timeout_seconds=1", "write_stall_seconds=1", "connections_max=40")
    with Wire(engine.address) as wire:
        assert wire.create_topic("t", 1, {}) == 0
        for _ in range(50):
            assert wire.produce("t", batch((b"k", b"v" * 1_000))).error_code == 0
    before = resident(engine)
    yield engine
    with Wire(engine.address) as wire:
        assert wire.produce("t", batch((b"k", b"still here"))).error_code == 0
        assert read_all(wire, "t")[-1].value == b"still here"
    assert resident(engine) - before < GROWTH_BYTES_MAX


def resident(engine: EmbeddedEngine) -> int:
    return int(psutil.Process(engine.pid).memory_info().rss)


def throw(engine: EmbeddedEngine, data: bytes, wait_seconds: float = 0.02) -> bytes:
    """Send bytes, wait a little for an answer, hang up."""
    with socket.create_connection(engine.address, 5) as client:
        client.settimeout(wait_seconds)
        with contextlib.suppress(OSError):
            client.sendall(data)
            return client.recv(65_536)
    return b""


def header(key: int, version: int) -> bytes:
    return struct.pack(">hhih", key, version, 1, 4) + b"fuzz"


def framed(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def test_random_bytes(log: EmbeddedEngine) -> None:
    chance = random.Random(SEED)
    for _ in range(150):
        throw(log, chance.randbytes(chance.choice([1, 3, 4, 8, 50, 5_000])), 0.005)


def test_random_bodies_for_every_request_and_version(log: EmbeddedEngine) -> None:
    chance = random.Random(SEED + 1)
    every = [(key, version) for key, lowest, highest in served() for version in range(lowest, highest + 1)]
    every += [(key, version) for key in (4, 24, 25, 26, 28, 36, 68, 999, -1) for version in (0, 3)]
    for key, version in every:
        for size in (0, 1, 7, 40, 900):
            throw(log, framed(header(key, version) + chance.randbytes(size)), 0.002)


def test_bodies_of_all_ones_and_zeros_and_lengths_that_lie(log: EmbeddedEngine) -> None:
    for key, _, version in served():
        for filler in (b"\x00", b"\xff", b"\x7f", b"\x80", struct.pack(">i", 2**31 - 1), struct.pack(">h", 2**15 - 1)):
            throw(log, framed(header(key, version) + filler * 200), 0.002)


def test_long_numbers_do_not_hold_the_loop(log: EmbeddedEngine) -> None:
    """A variable-length number of a whole frame's length takes quadratic time to decode."""
    for key in (60, 61):
        for size in (15_000, 900_000):
            started = time.monotonic()
            throw(log, framed(header(key, 0) + b"\x00" + b"\xff" * size), 0.01)
            with Wire(log.address) as wire:
                wire.offset("t", -1)
            assert time.monotonic() - started < 1.0


def test_valid_requests_cut_at_every_length(log: EmbeddedEngine) -> None:
    with Wire(log.address) as wire:
        request = wire.fetch_request([("t", 0, 0)])
    request.with_header(correlation_id=1, client_id="cut")
    whole = bytes(request.encode(header=True, framed=False))
    for length in range(len(whole)):
        throw(log, framed(whole[:length]), 0.001)


def test_valid_requests_with_single_bytes_changed(log: EmbeddedEngine) -> None:
    from kafka.protocol.producer import ProduceRequest

    data = ProduceRequest.TopicProduceData
    part = data.PartitionProduceData(index=0, records=batch((b"k", b"v")))
    request = ProduceRequest(
        version=8, transactional_id=None, acks=-1, timeout_ms=1, topic_data=[data(name="t", partition_data=[part])]
    )
    request.with_header(correlation_id=1, client_id="bent")
    whole = bytes(request.encode(header=True, framed=False))
    chance = random.Random(SEED + 2)
    for place in range(len(whole)):
        bent = bytearray(whole)
        bent[place] = chance.randrange(256)
        throw(log, framed(bytes(bent)), 0.002)


def test_lengths_that_promise_too_much_are_refused_at_once(log: EmbeddedEngine) -> None:
    for length in (2**31 - 1, 2**30, -1, 0, 5, 41 * 1024 * 1024):
        started = time.monotonic()
        answer = throw(log, struct.pack(">i", length) + header(0, 8) + b"\x00" * 100, 2.0)
        assert answer == b""
        assert time.monotonic() - started < 1.5
    started = time.monotonic()
    assert throw(log, struct.pack(">i", 2 * 1024 * 1024) + header(3, 8) + b"\x00" * 100, 2.0) == b""
    assert time.monotonic() - started < 1.5


def test_frames_that_never_end_are_given_up(log: EmbeddedEngine) -> None:
    clients = [socket.create_connection(log.address, 5) for _ in range(20)]
    for client in clients:
        client.sendall(struct.pack(">i", 10_000_000) + header(0, 8) + b"\x00" * 10_000)

    assert until(lambda: all(closed(client) for client in clients), 6)
    for client in clients:
        client.close()


def closed(client: socket.socket) -> bool:
    client.settimeout(0.01)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_many_unfinished_large_frames_together_stay_within_their_budget(log: EmbeddedEngine) -> None:
    before = resident(log)
    clients = [socket.create_connection(log.address, 5) for _ in range(20)]
    for client in clients:
        client.settimeout(0.5)
        with contextlib.suppress(OSError):
            client.sendall(struct.pack(">i", 15_000_000) + header(0, 8) + b"\x00" * 10_000_000)
    grown = resident(log) - before
    for client in clients:
        client.close()

    assert grown < 120 * 1024 * 1024


def test_a_client_that_does_not_read_is_hung_up_on(log: EmbeddedEngine) -> None:
    with Wire(log.address) as wire:
        for _ in range(30):
            assert wire.produce("t", batch((b"k", b"x" * 500_000))).error_code == 0
        request = wire.fetch_request([("t", 0, 0)])
    before = resident(log)
    request.with_header(correlation_id=1, client_id="deaf")
    frame = bytes(request.encode(header=True, framed=True))
    clients = [socket.create_connection(log.address, 5) for _ in range(10)]
    for client in clients:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.sendall(frame * 50)
    time.sleep(0.5)
    grown = resident(log) - before
    hung_up = until(lambda: open_sockets(log) <= 1, 6)
    for client in clients:
        client.close()

    assert hung_up
    assert grown < 100 * 1024 * 1024


def open_sockets(engine: EmbeddedEngine) -> int:
    return sum(c.status == psutil.CONN_ESTABLISHED for c in psutil.Process(engine.pid).net_connections("tcp"))


def test_more_connections_than_allowed_are_turned_away_and_the_rest_go_on(log: EmbeddedEngine) -> None:
    clients = [socket.create_connection(log.address, 5) for _ in range(60)]

    assert until(lambda: sum(closed(client) for client in clients) >= 20, 5)
    for client in clients:
        client.close()
    assert until(lambda: open_sockets(log) == 0, 5)


def test_half_closed_connections_are_let_go(log: EmbeddedEngine) -> None:
    for _ in range(30):
        with socket.create_connection(log.address, 5) as client:
            client.sendall(b"\x00\x00")
            client.shutdown(socket.SHUT_WR)

    assert until(lambda: open_sockets(log) == 0, 5)


def test_a_pipeline_of_many_requests_is_answered_whole(log: EmbeddedEngine) -> None:
    frame = framed(struct.pack(">hhih", 18, 0, 9, 0))
    with socket.create_connection(log.address, 5) as client:
        client.sendall(frame * 1_000)
        received = 0
        while received < 1_000:
            (length,) = struct.unpack(">i", read(client, 4))
            assert read(client, length)[:4] == struct.pack(">i", 9)
            received += 1


def read(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = client.recv(count - len(data))
        assert part
        data += part
    return data
