"""One client's socket: frames in, answers out in the order of the requests, everything bounded."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from bopis.broker.errors import MalformedFrame
from bopis.broker.frames import FRAME_LENGTH, RequestHeader, framed, peek
from bopis.broker.limits import BrokerLimits

log = logging.getLogger(__name__)

_SMALL_RESPONSE_BYTES = 16_384
_HEAD_BYTES = 8


class Hub(Protocol):
    """What a connection needs from the server it belongs to."""

    limits: BrokerLimits
    ingress_bytes: int

    def admit(self, connection: Connection) -> bool: ...

    def leave(self, connection: Connection) -> None: ...

    def frame_limit(self, api_key: int, version: int) -> int: ...

    def dispatch(self, connection: Connection, frame: memoryview) -> None: ...

    def stalled(self, connection: Connection) -> None: ...


class Exchange:
    """One request and the place of its answer."""

    __slots__ = ("answered", "body", "connection", "flexible", "header", "on_lost", "parts", "size")

    def __init__(self, connection: Connection, header: RequestHeader, body: memoryview) -> None:
        self.connection = connection
        self.header = header
        self.body = body
        self.size = len(body)
        self.answered = False
        self.flexible = False
        self.parts: list[bytes] | None = None
        self.on_lost: Callable[[], None] | None = None

    def answer(self, parts: list[bytes] | None) -> None:
        """Send this when its turn comes; None means that the request wants no answer."""
        if self.answered:
            return
        self.answered = True
        self.on_lost = None
        # The frame's memory goes as soon as it is of no more use.
        self.body = _NOTHING
        if parts is not None:
            self.parts = framed(self.header.correlation_id, parts, self.flexible)
        self.connection.flush()

    def abort(self) -> None:
        """Close the connection: the protocol has no other way to answer this."""
        self.connection.abort()


_NOTHING = memoryview(b"")


class Connection(asyncio.Protocol):
    """Bytes to frames to exchanges and back."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._limits = hub.limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._pending: deque[Exchange] = deque()
        self._pending_bytes = 0
        self._reading = True
        self.stalled_since: float | None = None
        self.partial_since: float | None = None
        self.active_at = self._loop.time()

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are their own class with the same methods.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes_high)
        if not self._hub.admit(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self.active_at = self._loop.time()
        self._buffer += data
        self._hub.ingress_bytes += len(data)
        self._advance()
        if self._hub.ingress_bytes > self._limits.ingress_bytes_max and not self._pending:
            # Too much is held for clients that send without ending; this one just added to it.
            self.abort()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._drop_buffer()
        pending, self._pending = self._pending, deque()
        self._hub.ingress_bytes -= self._pending_bytes
        self._pending_bytes = 0
        for exchange in pending:
            exchange.answered = True
            if exchange.on_lost is not None:
                exchange.on_lost()
        self._hub.leave(self)

    def pause_writing(self) -> None:
        self.stalled_since = self._loop.time()
        self._hub.stalled(self)

    def resume_writing(self) -> None:
        self.stalled_since = None
        self._advance()

    # The server calls these.

    @property
    def unsent_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def waiting(self) -> bool:
        """Whether an answer is still owed."""
        return bool(self._pending)

    def begin(self, exchange: Exchange) -> None:
        """Keep the place of this exchange's answer."""
        self._pending.append(exchange)
        self._pending_bytes += exchange.size
        self._hub.ingress_bytes += exchange.size

    def abort(self) -> None:
        """Drop the connection at once, with what is unsent."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Send what is ready, then close."""
        if self._transport is not None:
            self._transport.close()

    def flush(self) -> None:
        """Send the answers that are ready, in the order of their requests."""
        ready: list[bytes] = []
        while self._pending and self._pending[0].answered:
            exchange = self._pending.popleft()
            self._pending_bytes -= exchange.size
            self._hub.ingress_bytes -= exchange.size
            if exchange.parts is not None:
                ready += exchange.parts
        if ready and self._transport is not None:
            self._write(ready)
        if not self._reading:
            self._loop.call_soon(self._advance)

    def _write(self, parts: list[bytes]) -> None:
        assert self._transport is not None
        if sum(map(len, parts)) <= _SMALL_RESPONSE_BYTES:
            self._transport.write(b"".join(parts))
        else:
            self._transport.writelines(parts)

    def _advance(self) -> None:
        """Take whole frames while this client may have more under way."""
        if self._transport is None or self._transport.is_closing():
            return
        try:
            while self._may_take() and (frame := self._next_frame()) is not None:
                self._hub.dispatch(self, frame)
        except MalformedFrame as error:
            log.info("broker.malformed_frame", extra={"reason": str(error)})
            self.abort()
            return
        self._set_reading(self._may_take())
        if not self._buffer:
            self.partial_since = None
        elif self.partial_since is None and self._reading:
            self.partial_since = self._loop.time()

    def _may_take(self) -> bool:
        return (
            self.stalled_since is None
            and len(self._pending) < self._limits.requests_in_flight_max
            and (not self._pending or self._pending_bytes < self._limits.frame_bytes_max)
            and (not self._pending or self._hub.ingress_bytes < self._limits.ingress_bytes_max)
        )

    def _next_frame(self) -> memoryview | None:
        buffer = self._buffer
        if len(buffer) < _HEAD_BYTES:
            return None
        (length,) = FRAME_LENGTH.unpack_from(buffer)
        if not _HEAD_BYTES <= length <= self._hub.frame_limit(*peek(buffer, FRAME_LENGTH.size)):
            raise MalformedFrame(f"A frame of {length} bytes is not taken.")
        end = FRAME_LENGTH.size + length
        if len(buffer) < end:
            return None
        if len(buffer) == end:
            # A frame that ends where the bytes end is handed on as it lies: the large ones are not copied.
            self._buffer = bytearray()
            frame = memoryview(buffer)[FRAME_LENGTH.size :]
        else:
            frame = memoryview(bytes(memoryview(buffer)[FRAME_LENGTH.size : end]))
            del buffer[:end]
        self._hub.ingress_bytes -= end
        self.partial_since = None
        return frame

    def _set_reading(self, wanted: bool) -> None:
        if self._transport is None or wanted == self._reading:
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _drop_buffer(self) -> None:
        self._hub.ingress_bytes -= len(self._buffer)
        self._buffer = bytearray()
