"""The server: sockets on the loopback address, dispatch of requests, and the end of idle or stuck connections."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any

from kafka.protocol.api_key import ApiKey

from bopis.broker.apis import API_VERSIONS_MAX, APIS, HOT, is_flexible, refusal_of, served
from bopis.broker.clock import RecordClock, system_ms
from bopis.broker.connection import ClientConnection, PendingRequest
from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import BrokerError, MalformedFrame
from bopis.broker.frames import peek_api, read_request_header
from bopis.broker.handlers.cluster import api_versions
from bopis.broker.limits import BrokerLimits
from bopis.broker.node import BrokerNode

log = logging.getLogger(__name__)

_BACKLOG = 128
_WATCH_SECONDS = 1.0


class EmbeddedBroker:
    """A Kafka-protocol server over one SQLite file, for one machine."""

    def __init__(
        self,
        path: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: BrokerLimits | None = None,
        now_ms: RecordClock = system_ms,
    ) -> None:
        self.limits = limits or BrokerLimits()
        self.ingress_bytes = 0
        self._path = path
        self._host = host
        self._wanted_port = port
        self._now_ms = now_ms
        self._node: BrokerNode | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[ClientConnection] = set()
        self._stalled: set[ClientConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._served = served()

    @property
    def port(self) -> int:
        """The port that is sent to clients; known after the start."""
        assert self._node is not None
        return self._node.port

    async def start(self) -> None:
        """Open the log, check it, and listen. Raises a `BrokerError` for the file and an `OSError` for the port."""
        loop = asyncio.get_running_loop()
        self._node = BrokerNode(self._path, self.limits, self._now_ms)
        try:
            self._server = await loop.create_server(
                lambda: ClientConnection(self), self._host, self._wanted_port, backlog=_BACKLOG
            )
        except OSError:
            await self._node.close()
            raise
        self._node.host = self._host
        self._node.port = self.limits.advertised_port or self._server.sockets[0].getsockname()[1]
        self._spawn(self._watch())
        self._node.start_housekeeping()

    async def stop(self) -> None:
        """Accept nothing more, finish the commit under way, and close everything."""
        if self._node is None:
            return
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        for connection in tuple(self._connections):
            connection.close()
        await self._node.close()
        for connection in tuple(self._connections):
            connection.abort()

    async def failed(self) -> BrokerError:
        """Wait until the disk fails; returns the error with which the process must end."""
        assert self._node is not None
        return await asyncio.shield(self._node.writer.failed)

    @property
    def has_failed(self) -> bool:
        """Whether the disk has failed."""
        return self._node is not None and self._node.writer.failed.done()

    # Called by connections.

    def admit(self, connection: ClientConnection) -> bool:
        """Register a connection; False when there are too many."""
        if len(self._connections) >= self.limits.connections_max:
            log.warning("broker.too_many_connections", extra={"limit": self.limits.connections_max})
            return False
        self._connections.add(connection)
        return True

    def leave(self, connection: ClientConnection) -> None:
        """Remove a closed connection."""
        self._connections.discard(connection)
        self._stalled.discard(connection)

    def stalled(self, connection: ClientConnection) -> None:
        """Count the unsent bytes of a client that does not read."""
        self._stalled.add(connection)
        self._measure_egress()

    def frame_limit(self, api_key: int, version: int) -> int:
        """The largest frame accepted for a request, in bytes."""
        if api_key == ApiKey.Produce:
            return self.limits.frame_bytes_max
        if is_flexible(api_key, version):
            return self.limits.flexible_frame_bytes_max
        return self.limits.control_frame_bytes_max

    def dispatch(self, connection: ClientConnection, frame: memoryview) -> None:
        """Pass a request to its handler. Raises `MalformedFrame`, upon which the connection is closed."""
        assert self._node is not None
        key, version = peek_api(frame, 0)
        header = read_request_header(frame, is_flexible(key, version))
        request = PendingRequest(connection, header, frame[header.body_at :])
        connection.begin(request)
        if key == ApiKey.ApiVersions:
            self._answer_versions(request)
        elif key in HOT:
            api = HOT[key]
            if not api.lowest <= version <= api.highest:
                raise MalformedFrame(f"Version {version} of request {key} is not served.")
            api.handler(self._node, request)
        else:
            self._dispatch_common(request)

    def _answer_versions(self, request: PendingRequest) -> None:
        version = request.header.version
        if 0 <= version <= API_VERSIONS_MAX:
            request.answer([api_versions(ErrorCode.NONE, version, self._served)])
        else:
            # KIP-511: version 0 is the one form that every client can read, and it lists the versions to use.
            request.answer([api_versions(ErrorCode.UNSUPPORTED_VERSION, 0, self._served)])

    def _dispatch_common(self, pending: PendingRequest) -> None:
        header = pending.header
        api = APIS.get(header.api_key)
        if api is None or not api.lowest <= header.version <= api.highest:
            body = refusal_of(header.api_key, header.version)
            if body is None:
                raise MalformedFrame(f"Request {header.api_key} in version {header.version} is not served.")
            pending.answer([body])
            return
        pending.flexible = api.flexible_from <= header.version
        try:
            request = api.request.decode(pending.body, version=header.version)
        except Exception as error:
            # The library decodes responses of a server it trusts; on arbitrary bytes it may raise anything.
            raise MalformedFrame(f"Request {header.api_key} cannot be decoded: {error}") from error
        assert self._node is not None
        response = api.handler(self._node, request, header)
        if inspect.isawaitable(response):
            self._spawn(self._answer_later(pending, response))
        else:
            pending.answer([bytes(response.encode(version=header.version))])

    async def _answer_later(self, pending: PendingRequest, response: Awaitable[Any]) -> None:
        try:
            answer = await response
            pending.answer([bytes(answer.encode(version=pending.header.version))])
        except Exception:
            log.exception("broker.request_failed", extra={"api": pending.header.api_key})
            pending.abort()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        """Close stuck connections, again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            now = loop.time()
            for connection in tuple(self._connections):
                if self._is_stuck(connection, now):
                    connection.abort()
            self._measure_egress()

    def _is_stuck(self, connection: ClientConnection, now: float) -> bool:
        limits = self.limits
        if connection.stalled_since is not None:
            return now - connection.stalled_since > limits.write_stall_seconds
        if connection.partial_since is not None and not connection.waiting:
            return now - connection.partial_since > limits.frame_timeout_seconds
        return not connection.waiting and now - connection.active_at > limits.connection_idle_seconds

    def _measure_egress(self) -> None:
        """Sum the unsent bytes of stalled clients; above the limit, close the one that has stalled longest."""
        assert self._node is not None
        self._stalled = {c for c in self._stalled if c.stalled_since is not None}
        unsent = sum(connection.unsent_bytes for connection in self._stalled)
        self._node.egress_room = self.limits.egress_bytes_max - unsent
        if self._node.egress_room <= 0 and self._stalled:
            min(self._stalled, key=lambda c: c.stalled_since or 0.0).abort()
