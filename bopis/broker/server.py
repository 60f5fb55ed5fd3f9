"""The server: sockets on the loopback address, requests to their handlers, and the clock that ends idle clients."""

from __future__ import annotations

import asyncio
import inspect
import logging
from pathlib import Path
from typing import Any

from bopis.broker.apis import API_VERSIONS, API_VERSIONS_MAX, APIS, HOT, is_flexible, refusal_of, served
from bopis.broker.codes import Code
from bopis.broker.connection import Connection, Exchange
from bopis.broker.errors import BrokerError, MalformedFrame
from bopis.broker.frames import peek, read_request_header
from bopis.broker.handlers.cluster import api_versions
from bopis.broker.limits import BrokerLimits
from bopis.broker.node import Node

log = logging.getLogger(__name__)

_BACKLOG = 128
_PRODUCE = 0


class EmbeddedBroker:
    """A Kafka-protocol server over one SQLite file, for one machine."""

    def __init__(
        self, path: Path, *, host: str = "127.0.0.1", port: int = 0, limits: BrokerLimits | None = None
    ) -> None:
        self.limits = limits or BrokerLimits()
        self.ingress_bytes = 0
        self._path = path
        self._host = host
        self._wanted_port = port
        self._node: Node | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._stalled: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._served = served()

    @property
    def port(self) -> int:
        """Where clients find it; known after the start."""
        assert self._node is not None
        return self._node.port

    async def start(self) -> None:
        """Open the log, check it, and listen."""
        loop = asyncio.get_running_loop()
        self._node = Node(self._path, self.limits)
        try:
            self._server = await loop.create_server(
                lambda: Connection(self), self._host, self._wanted_port, backlog=_BACKLOG
            )
        except OSError:
            await self._node.close()
            raise
        self._node.host = self._host
        self._node.port = self.limits.advertised_port or self._server.sockets[0].getsockname()[1]
        self._spawn(self._watch())
        self._node.start_housekeeping()

    async def stop(self) -> None:
        """Take nothing more, finish what was begun, close everything."""
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
        """Returns when the disk broke its promise: the process must end, and say why."""
        assert self._node is not None
        return await asyncio.shield(self._node.writer.failed)

    @property
    def has_failed(self) -> bool:
        """Whether the disk has broken its promise."""
        return self._node is not None and self._node.writer.failed.done()

    # Connections call these.

    def admit(self, connection: Connection) -> bool:
        if len(self._connections) >= self.limits.connections_max:
            log.warning("broker.too_many_connections", extra={"limit": self.limits.connections_max})
            return False
        self._connections.add(connection)
        return True

    def leave(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._stalled.discard(connection)

    def stalled(self, connection: Connection) -> None:
        self._stalled.add(connection)
        self._measure_egress()

    def frame_limit(self, api_key: int, version: int) -> int:
        if api_key == _PRODUCE:
            return self.limits.frame_bytes_max
        if is_flexible(api_key, version):
            return self.limits.flexible_frame_bytes_max
        return self.limits.control_frame_bytes_max

    def dispatch(self, connection: Connection, frame: memoryview) -> None:
        """Hand one request to whoever answers it."""
        assert self._node is not None
        key, version = peek(frame, 0)
        header = read_request_header(frame, is_flexible(key, version))
        exchange = Exchange(connection, header, frame[header.body_at :])
        connection.begin(exchange)
        if key == API_VERSIONS:
            self._answer_versions(exchange)
        elif key in HOT:
            lowest, highest, serve = HOT[key]
            if not lowest <= version <= highest:
                raise MalformedFrame(f"Version {version} of request {key} is not served.")
            serve(self._node, exchange)
        else:
            self._dispatch_common(exchange)

    def _answer_versions(self, exchange: Exchange) -> None:
        version = exchange.header.version
        if 0 <= version <= API_VERSIONS_MAX:
            exchange.answer([api_versions(Code.NONE, version, self._served)])
        else:
            # The client learns what it may ask from the oldest form of the answer.
            exchange.answer([api_versions(Code.UNSUPPORTED_VERSION, 0, self._served)])

    def _dispatch_common(self, exchange: Exchange) -> None:
        header = exchange.header
        api = APIS.get(header.api_key)
        if api is None or not api.lowest <= header.version <= api.highest:
            body = refusal_of(header.api_key, header.version)
            if body is None:
                raise MalformedFrame(f"Request {header.api_key} in version {header.version} is not served.")
            exchange.answer([body])
            return
        exchange.flexible = api.flexible_from <= header.version
        try:
            request = api.request.decode(exchange.body, version=header.version)
        except Exception as error:
            # The decoder is made for answers of a server; on arbitrary bytes it raises what it meets.
            raise MalformedFrame(f"Request {header.api_key} cannot be read: {error}") from error
        assert self._node is not None
        response = api.handler(self._node, request, header)
        if inspect.isawaitable(response):
            self._spawn(self._answer_later(exchange, response))
        else:
            exchange.answer([bytes(response.encode(version=header.version))])

    async def _answer_later(self, exchange: Exchange, response: Any) -> None:
        try:
            answer = await response
            exchange.answer([bytes(answer.encode(version=exchange.header.version))])
        except Exception:
            log.exception("broker.request_failed", extra={"api": exchange.header.api_key})
            exchange.abort()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        """Once a second: end what is stuck."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1.0)
            now = loop.time()
            for connection in tuple(self._connections):
                if self._is_stuck(connection, now):
                    connection.abort()
            self._measure_egress()

    def _is_stuck(self, connection: Connection, now: float) -> bool:
        limits = self.limits
        if connection.stalled_since is not None:
            return now - connection.stalled_since > limits.write_stall_seconds
        if connection.partial_since is not None and not connection.waiting:
            return now - connection.partial_since > limits.frame_timeout_seconds
        return not connection.waiting and now - connection.active_at > limits.connection_idle_seconds

    def _measure_egress(self) -> None:
        """What stalled clients hold; when it is too much, the one that holds longest goes."""
        assert self._node is not None
        self._stalled = {c for c in self._stalled if c.stalled_since is not None}
        held = sum(connection.unsent_bytes for connection in self._stalled)
        self._node.egress_room = self.limits.egress_bytes_max - held
        if self._node.egress_room <= 0 and self._stalled:
            min(self._stalled, key=lambda c: c.stalled_since or 0.0).abort()
