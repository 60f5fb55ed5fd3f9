"""A small HTTP/1.1 client for load: one request at a time on each connection, nothing decoded that is not needed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

HEAD_END = b"\r\n\r\n"
STREAM_BYTES = 1 << 16


class Answer(NamedTuple):
    """Status, body, and milliseconds from the first byte sent to the last one received."""

    status: int
    body: bytes
    ms: float


class Connection:
    """One kept connection. Use it as an asynchronous context manager."""

    def __init__(self, host: str, port: int, key: str) -> None:
        self._place = host, port
        self._head = f"Host: {host}:{port}\r\nAuthorization: Bearer {key}\r\n"

    async def __aenter__(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection(*self._place)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def request(self, method: str, path: str, body: bytes = b"", headers: str = "") -> Answer:
        """Send one request and read its answer. Raises `EOFError` when the server closes the connection."""
        began = time.perf_counter()
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{self._head}{headers}{length}\r\n".encode() + body)
        head = await self._reader.readuntil(HEAD_END)
        found = await self._reader.readexactly(_length(head))
        return Answer(int(head[9:12]), found, (time.perf_counter() - began) * 1000)

    async def stream(self, path: str, take: Callable[[bytes], None]) -> None:
        """Open a stream of events, and pass on what arrives until the server or the caller ends it."""
        self._writer.write(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())
        await self._reader.readuntil(HEAD_END)
        while data := await self._reader.read(STREAM_BYTES):
            take(data)


class Load(NamedTuple):
    """Milliseconds of the answers in ascending order, the seconds of the load, and answers that were no success."""

    ms: list[float]
    seconds: float
    failed: int

    def figures(self) -> dict[str, float | int]:
        """Requests per second and percentiles."""
        shares = {"p50_ms": 0.50, "p99_ms": 0.99}
        waits = {name: self.ms[min(len(self.ms) - 1, int(len(self.ms) * share))] for name, share in shares.items()}
        return {"per_s": len(self.ms) / self.seconds, **waits, "requests": len(self.ms), "failed": self.failed}


Send = Callable[[Connection, int], Awaitable[Answer]]


async def closed_loop(connections: Sequence[Connection], send: Send, seconds: float) -> Load:
    """Each connection sends its next request when it has an answer: the most that the server does."""
    answers: list[Answer] = []
    began = time.perf_counter()

    async def one(connection: Connection, number: int) -> None:
        while time.perf_counter() < began + seconds:
            answers.append(await send(connection, number))
            number += len(connections)

    await asyncio.gather(*(one(it, number) for number, it in enumerate(connections)))
    return _load(answers, time.perf_counter() - began)


async def at_rate(connections: Sequence[Connection], send: Send, rate: float, seconds: float) -> Load:
    """Requests at a constant rate, whether or not earlier ones are answered. The wait for a free connection counts."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)
    answers: list[Answer] = []
    began = time.perf_counter()

    async def one(number: int) -> None:
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        connection = await free.get()
        answer = await send(connection, number)
        free.put_nowait(connection)
        answers.append(answer._replace(ms=(time.perf_counter() - due) * 1000))

    await asyncio.gather(*(one(number) for number in range(int(rate * seconds))))
    return _load(answers, time.perf_counter() - began)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


def _load(answers: Sequence[Answer], seconds: float) -> Load:
    return Load(sorted(it.ms for it in answers), seconds, sum(not 200 <= it.status < 300 for it in answers))
