"""A process that starts others by forking: it imports the libraries once, and each process begins with them.

Importing takes a worker one to two seconds of a core, so nine of them start several times faster together, and share
the memory of their code. The server has one thread and no event loop, which makes forking safe. It is asked over a
socket: a request brings the descriptors of the new process, replies tell its pid and later its exit code.
"""

import gc
import importlib
import os
import runpy
import select
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence

import msgspec
from setproctitle import setproctitle

from bopis.adapters.supervision import end_with_parent

MESSAGE_BYTES_MAX = 1 << 17
DESCRIPTORS = 3
# What every worker imports, and what each kind of it imports beside that.
WORKER_MODULES = (
    "streams.__main__",
    "streams.process.compose",
    "streams.workers.exact_worker",
    "streams.workers.routing",
    "streams.workers.notifier",
    "streams.workers.payment_runner",
    "streams.workers.projection",
    "streams.workers.projection_database",
    "streams.workers.webhooks",
    "streams.processors.inventory",
    "streams.processors.orders",
    "streams.processors.payments",
    "streams.processors.notices",
    "streams.processors.catalogue_feed",
    "bopis.services.routing.live",
    "bopis.adapters.opening_hours",
    "bopis.broker.main",
)


class Request(msgspec.Struct, frozen=True, tag="fork"):
    """A module to run as a program, with its arguments. Without an environment the process has the server's."""

    number: int
    module: str
    arguments: tuple[str, ...]
    directory: str
    environment: dict[str, str] | None = None


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The process of a request; with an error there is none."""

    number: int
    pid: int
    error: str = ""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The exit code of a process; below zero it was ended by a signal."""

    pid: int
    code: int


_decode_request = msgspec.json.Decoder(Request).decode
decode_reply = msgspec.json.Decoder(Started | Ended).decode


def pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a connection: the client's, and the server's."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def server_command(descriptor: int, modules: Sequence[str] = WORKER_MODULES) -> list[str]:
    """The command line of a server that listens on a descriptor, and has imported modules."""
    return [sys.executable, "-m", "streams.process.fork_server", str(descriptor), *modules]


def request_of(
    number: int, words: Sequence[str], environment: Mapping[str, str] | None = None, directory: object = None
) -> Request:
    """The request for a process that runs ``python -m WORDS``, by default in the directory of this one, and with the
    server's environment."""
    module, *arguments = words
    given = None if environment is None else dict(environment)
    return Request(number, module, tuple(arguments), str(directory or os.getcwd()), given)


def send_request(connection: socket.socket, request: Request, descriptors: tuple[int, int, int]) -> None:
    """Ask for a process with these descriptors as its standard input, output and error."""
    socket.send_fds(connection, [msgspec.json.encode(request)], list(descriptors))


class ForkServer:
    """The server's side: takes requests and reports ends until its client closes the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._signals, self._wake = os.pipe()
        os.set_blocking(self._signals, False)
        os.set_blocking(self._wake, False)
        # Called in the new process: it ends when this one does.
        self._bind = end_with_parent()

    def serve(self) -> Request | None:
        """Serve. Returns None at the end, and in each new process its request, which it has to carry out."""
        # An interrupt at a terminal is for the client, which then ends the processes in order.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        while True:
            readable, _, _ = select.select([self._connection.fileno(), self._signals], [], [])
            if self._signals in readable:
                os.read(self._signals, MESSAGE_BYTES_MAX)
                self._report_ends()
            if self._connection.fileno() in readable:
                data, descriptors, _, _ = socket.recv_fds(self._connection, MESSAGE_BYTES_MAX, DESCRIPTORS)
                if not data:
                    return None
                request = _decode_request(data)
                if self._fork(request, descriptors):
                    return request

    def _fork(self, request: Request, descriptors: list[int]) -> bool:
        """Start the process of a request. Returns whether this is the new process."""
        try:
            pid = os.fork()
        except OSError as error:
            self._reply(Started(request.number, 0, error.strerror or str(error)))
        else:
            if pid == 0:
                self._become(request, descriptors)
                return True
            self._reply(Started(request.number, pid))
        for descriptor in descriptors:
            os.close(descriptor)
        return False

    def _become(self, request: Request, descriptors: list[int]) -> None:
        """Make a forked process what a newly started one would be."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._connection.close()
        os.close(self._signals)
        os.close(self._wake)
        os.setsid()
        if self._bind is not None:
            self._bind()
        for place, descriptor in enumerate(descriptors):
            os.dup2(descriptor, place)
            os.close(descriptor)
        # The standard streams of the server have no buffered text; only their line buffering may differ.
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  (open as long as the process)
        sys.stdout = open(1, "w", buffering=1 if os.isatty(1) else -1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
        os.chdir(request.directory)
        # What people and tools see of it is what it does. The library needs the environment as it was at the start.
        setproctitle(shlex.join([sys.executable, "-m", request.module, *request.arguments]))
        if request.environment is not None:
            os.environ.clear()
            os.environ.update(request.environment)
        sys.argv = [request.module, *request.arguments]

    def _report_ends(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._reply(Ended(pid, os.waitstatus_to_exitcode(status)))

    def _reply(self, reply: Started | Ended) -> None:
        try:
            self._connection.send(msgspec.json.encode(reply))
        except OSError:
            pass  # The client is gone, and this process ends with its next read.


def main(arguments: Sequence[str]) -> None:
    """Import modules, serve, and run in each new process the program that it was started for."""
    descriptor, *modules = arguments
    for module in modules:
        importlib.import_module(module)
    assert threading.active_count() == 1, "a module that is imported started a thread: forking would not be safe"
    # Objects of the imports are never collected, so their pages stay shared.
    gc.collect()
    gc.freeze()
    request = ForkServer(socket.socket(fileno=int(descriptor))).serve()
    if request is not None:
        runpy.run_module(request.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
