"""A TCP proxy between clients and a log that misbehaves on demand: cut, silent, half-open, slow, corrupting."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any, Self

CHUNK_BYTES = 65_536
SLOW_SECONDS = 0.15
# One request to write in so many has a bit turned.
CORRUPT_EVERY = 10
PRODUCE = 0
# Whose requests are damaged: the workers' writers. kafka-python, which the tills of these tests are made of, gives a
# producer up for good when the log refuses a checksum, and would send nothing more.
WRITER = b"bopis-stream"


class Weather(StrEnum):
    """What the network does to everything that passes."""

    FINE = "fine"
    CUT = "cut"  # Every connection is closed and no new one is taken.
    SILENT = "silent"  # Connections stand and new ones are taken, but nothing passes: unplugged.
    HALF_OPEN = "half-open"  # What clients say passes; no answer does.
    SLOW = "slow"
    CORRUPT = "corrupt"  # Bits of what workers write are turned.


class Proxy:
    """Listens on a port of its own and passes everything on to `target`, as the weather allows."""

    def __init__(self, seed: int = 0, *, framed: bool = True) -> None:
        """``framed``: clients speak the log's protocol, each request with its length in front."""
        self.port = 0
        self._framed = framed
        self.corrupted = 0
        self._target = 0
        self._weather = Weather.FINE
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._fine = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def lead_to(self, port: int) -> None:
        """Where the log listens."""
        self._target = port

    def change(self, weather: Weather) -> None:
        """From now on it is so."""

        async def apply() -> None:
            self._weather = weather
            if weather in (Weather.SILENT, Weather.HALF_OPEN):
                self._fine.clear()
            else:
                self._fine.set()
            if weather in (Weather.CUT, Weather.FINE):
                # After silence a network forgets its connections, too: both ends have to notice by themselves.
                self._drop()

        self._call(apply)

    def _call(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(20)

    async def _listen(self) -> None:
        self._fine.set()
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        self._drop()
        tasks = [it for it in asyncio.all_tasks() if it is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather is Weather.CUT:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        await asyncio.gather(self._pass(reader, back, asked=True), self._pass(there, writer, asked=False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bool) -> None:
        try:
            while chunk := await (_frame(reader) if asked and self._framed else reader.read(CHUNK_BYTES)):
                if self._weather is Weather.SILENT or (self._weather is Weather.HALF_OPEN and not asked):
                    await self._fine.wait()
                if self._weather is Weather.SLOW:
                    await asyncio.sleep(SLOW_SECONDS)
                if self._weather is Weather.CORRUPT and asked:
                    chunk = self._turn_a_bit(chunk)
                writer.write(chunk)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    def _turn_a_bit(self, frame: bytes) -> bytes:
        """Damage the last record of a produce request: its batch carries the checksum that has to find it."""
        name_ends = 14 + int.from_bytes(frame[12:14], "big")
        is_produce = int.from_bytes(frame[4:6], "big") == PRODUCE and frame[14:name_ends] == WRITER
        if not is_produce or self._chance.randrange(CORRUPT_EVERY):
            return frame
        self.corrupted += 1
        place = len(frame) - self._chance.randrange(4, 24)
        return frame[:place] + bytes([frame[place] ^ 1 << self._chance.randrange(8)]) + frame[place + 1 :]


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """One whole request with its length in front."""
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length, "big"))
