"""Processes of a fork server, for a supervisor: what `asyncio.subprocess.Process` offers of it."""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence

from bopis.adapters.supervision import end_with_parent
from streams.process.fork_server import (
    MESSAGE_BYTES_MAX,
    WORKER_MODULES,
    Started,
    decode_reply,
    pair,
    request_of,
    send_request,
    server_command,
)


class ForkedProcess:
    """One process, with its standard output."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    async def wait(self) -> int:
        """The exit code, when the process has ended."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)

    def end(self, code: int) -> None:
        """Note its end."""
        self.returncode = code
        self._ended.set()

    def _signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass


class ForkClient:
    """Starts processes through a server of its own, which is started again when it has ended."""

    def __init__(self, modules: Sequence[str] = WORKER_MODULES) -> None:
        """The server imports `modules` before it starts a process."""
        self._modules = modules
        self._connection: socket.socket | None = None
        self._server: asyncio.subprocess.Process | None = None
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Started]] = {}
        self._running: dict[int, ForkedProcess] = {}
        self._starting = asyncio.Lock()

    async def spawn(self, words: Sequence[str], line_bytes_max: int) -> ForkedProcess:
        """Run ``python -m WORDS``. Raises `OSError` when no process can be started."""
        loop = asyncio.get_running_loop()
        async with self._starting:
            connection = self._connection or await self._start()
        reading, writing = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        self._number += 1
        started: asyncio.Future[Started] = loop.create_future()
        self._waiting[self._number] = started
        try:
            send_request(connection, request_of(self._number, words), (nothing, writing, 2))
        finally:
            os.close(writing)
            os.close(nothing)
        stdout = asyncio.StreamReader(limit=line_bytes_max)
        pipe = os.fdopen(reading, "rb")
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdout), pipe)
        reply = await started
        if reply.error:
            raise OSError(reply.error)
        process = self._running.get(reply.pid)
        assert process is not None
        process.stdout = stdout
        return process

    async def close(self) -> None:
        """End the server. Its processes have ended before."""
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection)
            self._connection.close()
            self._connection = None
        if self._server is not None:
            await self._server.wait()
            self._server = None

    async def _start(self) -> socket.socket:
        ours, theirs = pair()
        with theirs:
            self._server = await asyncio.create_subprocess_exec(
                *server_command(theirs.fileno(), self._modules),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                preexec_fn=end_with_parent(),
            )
        ours.setblocking(False)
        self._connection = ours
        asyncio.get_running_loop().add_reader(ours, self._take, ours)
        return ours

    def _take(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(MESSAGE_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose(connection)
            return
        reply = decode_reply(data)
        if isinstance(reply, Started):
            if not reply.error:
                # Known before its end can be reported.
                self._running[reply.pid] = ForkedProcess(reply.pid, asyncio.StreamReader())
            self._waiting.pop(reply.number).set_result(reply)
            return
        process = self._running.pop(reply.pid, None)
        if process is not None:
            process.end(reply.code)

    def _lose(self, connection: socket.socket) -> None:
        """The server has ended, and its processes with it."""
        asyncio.get_running_loop().remove_reader(connection)
        connection.close()
        self._connection = None
        for process in self._running.values():
            process.kill()
            process.end(-signal.SIGKILL)
        self._running.clear()
        for number, waiting in list(self._waiting.items()):
            waiting.set_result(Started(number, 0, "the process that starts others has ended"))
        self._waiting.clear()
