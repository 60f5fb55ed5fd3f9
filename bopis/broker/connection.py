"""One client's socket: frames in, responses out in the order of their requests, every buffer limited."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from bopis.broker.errors import MalformedFrame
from bopis.broker.frames import FRAME_LENGTH, RequestHeader, frame_response, peek_api
from bopis.broker.limits import BrokerLimits

log = logging.getLogger(__name__)

# Up to this size parts are joined into one write; larger ones are not copied once more.
_JOINED_RESPONSE_BYTES_MAX = 16_384
# A frame's length, API key and version: enough to check its size before it is buffered.
_HEAD_BYTES = 8
_EMPTY = memoryview(b"")


class ConnectionHost(Protocol):
    """The server, as its connections use it."""

    limits: BrokerLimits
    ingress_bytes: int

    def admit(self, connection: ClientConnection) -> bool: ...

    def leave(self, connection: ClientConnection) -> None: ...

    def frame_limit(self, api_key: int, version: int) -> int: ...

    def dispatch(self, connection: ClientConnection, frame: memoryview) -> None: ...

    def stalled(self, connection: ClientConnection) -> None: ...


class PendingRequest:
    """One request from its arrival to its response."""

    __slots__ = ("answered", "body", "connection", "flexible", "header", "on_lost", "parts", "size")

    def __init__(self, connection: ClientConnection, header: RequestHeader, body: memoryview) -> None:
        self.connection = connection
        self.header = header
        self.body = body
        self.size = len(body)
        self.answered = False
        self.flexible = False
        self.parts: list[bytes] | None = None
        self.on_lost: Callable[[], None] | None = None

    def answer(self, parts: list[bytes] | None) -> None:
        """Send these parts after the responses to all earlier requests; None sends nothing (produce with acks=0).

        A second call has no effect.
        """
        if self.answered:
            return
        self.answered = True
        self.on_lost = None
        # A produce request may be 40 MiB, and earlier requests may still be waiting: release its memory now.
        self.body = _EMPTY
        if parts is not None:
            self.parts = frame_response(self.header.correlation_id, parts, self.flexible)
        self.connection.flush()

    def abort(self) -> None:
        """Close the connection, where the protocol has no error response for this case."""
        self.connection.abort()


class ClientConnection(asyncio.Protocol):
    """Splits bytes into frames, keeps the requests under way, and writes their responses in order."""

    def __init__(self, host: ConnectionHost) -> None:
        self._host = host
        self._limits = host.limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._pending: deque[PendingRequest] = deque()
        self._pending_bytes = 0
        self._reading = True
        self.stalled_since: float | None = None
        self.partial_since: float | None = None
        self.active_at = self._loop.time()

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are a class of their own with the same methods.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes_high)
        if not self._host.admit(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self.active_at = self._loop.time()
        self._buffer += data
        self._host.ingress_bytes += len(data)
        self._advance()
        if self._host.ingress_bytes > self._limits.ingress_bytes_max and not self._pending:
            # The buffers of all clients exceed their budget with frames that are not complete; this client just
            # added to them, and has no request under way that would release memory.
            self.abort()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._drop_buffer()
        pending, self._pending = self._pending, deque()
        self._host.ingress_bytes -= self._pending_bytes
        self._pending_bytes = 0
        for request in pending:
            request.answered = True
            if request.on_lost is not None:
                request.on_lost()
        self._host.leave(self)

    def pause_writing(self) -> None:
        self.stalled_since = self._loop.time()
        self._host.stalled(self)

    def resume_writing(self) -> None:
        self.stalled_since = None
        self._advance()

    # Called by the server.

    @property
    def unsent_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def waiting(self) -> bool:
        """Whether a request has no response yet."""
        return bool(self._pending)

    def begin(self, request: PendingRequest) -> None:
        """Queue a request; its response is sent in this order."""
        self._pending.append(request)
        self._pending_bytes += request.size
        self._host.ingress_bytes += request.size

    def abort(self) -> None:
        """Close the connection at once and discard unsent bytes."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Send the responses that are ready, then close."""
        if self._transport is not None:
            self._transport.close()

    def flush(self) -> None:
        """Send the responses that are ready, up to the first request without one."""
        ready: list[bytes] = []
        while self._pending and self._pending[0].answered:
            request = self._pending.popleft()
            self._pending_bytes -= request.size
            self._host.ingress_bytes -= request.size
            if request.parts is not None:
                ready += request.parts
        if ready and self._transport is not None:
            self._write(ready)
        if not self._reading:
            # Not at once: a handler that answers immediately would recurse through the frames that are buffered.
            self._loop.call_soon(self._advance)

    def _write(self, parts: list[bytes]) -> None:
        assert self._transport is not None
        if sum(map(len, parts)) <= _JOINED_RESPONSE_BYTES_MAX:
            self._transport.write(b"".join(parts))
        else:
            self._transport.writelines(parts)

    def _advance(self) -> None:
        """Dispatch whole frames while this client may have more requests under way."""
        if self._transport is None or self._transport.is_closing():
            return
        try:
            while self._may_take() and (frame := self._next_frame()) is not None:
                self._host.dispatch(self, frame)
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
        # One request is always taken, whatever the buffers of others: otherwise all could wait for each other.
        return (
            self.stalled_since is None
            and len(self._pending) < self._limits.requests_in_flight_max
            and (not self._pending or self._pending_bytes < self._limits.frame_bytes_max)
            and (not self._pending or self._host.ingress_bytes < self._limits.ingress_bytes_max)
        )

    def _next_frame(self) -> memoryview | None:
        buffer = self._buffer
        if len(buffer) < _HEAD_BYTES:
            return None
        (length,) = FRAME_LENGTH.unpack_from(buffer)
        if not _HEAD_BYTES <= length <= self._host.frame_limit(*peek_api(buffer, FRAME_LENGTH.size)):
            raise MalformedFrame(f"A frame of {length} bytes is not accepted.")
        end = FRAME_LENGTH.size + length
        if len(buffer) < end:
            return None
        if len(buffer) == end:
            # The usual case for large frames: hand the buffer itself over instead of a copy.
            self._buffer = bytearray()
            frame = memoryview(buffer)[FRAME_LENGTH.size :]
        else:
            frame = memoryview(bytes(memoryview(buffer)[FRAME_LENGTH.size : end]))
            del buffer[:end]
        self._host.ingress_bytes -= end
        self.partial_since = None
        return frame

    def _set_reading(self, reading: bool) -> None:
        if self._transport is None or reading == self._reading:
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _drop_buffer(self) -> None:
        self._host.ingress_bytes -= len(self._buffer)
        self._buffer = bytearray()
