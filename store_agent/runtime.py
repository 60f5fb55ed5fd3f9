"""The agent's process: sources, journal and uplink together, until a signal ends it."""

import importlib
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Any

from bopis.adapters.agent_process import AgentOptions, HttpsOptions, KafkaOptions
from bopis.broker.errors import AlreadyRunning
from bopis.broker.storage.directory_lock import DirectoryLock
from bopis.errors import INTERNAL_FAULT, OK
from bopis.journal.errors import JournalError
from bopis.journal.journal import Journal
from bopis.journal.status import PROCESS, AgentProcess, put_state
from bopis.uplink.protocol import Uplink
from bopis.uplink.sender import Sender, SenderOptions
from store_agent.errors import AgentRuns
from store_agent.event_lines import write
from store_agent.sources.folder import DropFolder
from store_agent.sources.growing_file import Tail
from store_agent.sources.own_messages import OwnMessages
from store_agent.sources.tills import TillServer

STOP_SECONDS_MAX = 20.0
# Imported when it is chosen: each library that is not loaded is memory of the shop's small machine.
UPLINKS = {KafkaOptions: "bopis.uplink.kafka:KafkaUplink", HttpsOptions: "bopis.uplink.https:HttpsUplink"}


class Agent:
    """One store's agent. `run` returns when the process was asked to stop, or a part of it ended by a fault."""

    def __init__(self, options: AgentOptions) -> None:
        self._options = options
        self._stop = threading.Event()
        self._fault: BaseException | None = None

    def run(self, pid: int) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit code. Raises `BopisError` when it cannot start."""
        options = self._options
        with ExitStack() as stack:
            try:
                stack.enter_context(DirectoryLock(options.directory))
            except AlreadyRunning as error:
                raise AgentRuns(directory=options.directory, owner=error.owner) from error
            journal = stack.enter_context(Journal(options.directory, options.store, options.limits))
            journal.check()
            # A connection of its own: what waits for the disk in one does not wait for the other.
            outgoing = stack.enter_context(Journal(options.directory, options.store, options.limits))
            sender = self._sender(outgoing)
            server = stack.enter_context(TillServer(options.port, journal, sender.wake))
            port = server.server_address[1]
            put_state(journal, PROCESS, AgentProcess(pid=pid, port=port, started_ms=journal.now_ms()))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._signalled)
            sending = self._start(sender.run, "sender")
            serving = self._start(server.serve_forever, "tills", 0.5)
            write("agent.ready", store=options.store, port=port, identity=journal.identity)
            print(f'{{"event":"ready","port":{port},"pid":{pid}}}', flush=True)
            self._watch_sources(journal, sender)
            server.shutdown()
            sender.stop()
            for thread in (serving, sending):
                thread.join(STOP_SECONDS_MAX)
        if self._fault is not None:
            write("agent.fault", "error", error=repr(self._fault))
            return INTERNAL_FAULT
        write("agent.stopped", store=options.store)
        return OK

    def _sender(self, journal: Journal) -> Sender:
        options = self._options
        sending = SenderOptions(
            version=options.version,
            heartbeat_seconds=options.heartbeat_seconds,
            pause_seconds_max=options.pause_seconds_max,
        )
        return Sender(sending, journal, uplink_of(options), write)

    def _watch_sources(self, journal: Journal, sender: Sender) -> None:
        options = self._options
        reader = OwnMessages(options.store)
        sources: list[DropFolder | Tail] = [
            DropFolder(it, reader, journal, options.settle_seconds) for it in options.sources.folder
        ]
        sources += [Tail(it, options.store, journal) for it in options.sources.file]
        while not self._stop.wait(options.poll_seconds if sources else None):
            for source in sources:
                try:
                    if source.poll():
                        sender.wake()
                except JournalError as error:
                    write("journal.failed", "warning", problem=str(error), source=source.name)

    def _start(self, target: Callable[..., None], name: str, *arguments: Any) -> threading.Thread:
        """Run a part in a thread; when it ends by a fault, the whole process ends, and is started again."""

        def run() -> None:
            try:
                target(*arguments)
            except BaseException as error:
                self._fault = error
                self._stop.set()

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread

    def _signalled(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (the signature of a handler)
        self._stop.set()


def uplink_of(options: AgentOptions) -> Uplink:
    """The uplink that the options choose."""
    chosen = options.kafka or options.https
    assert chosen is not None, "one of the two is set"
    module, name = UPLINKS[type(chosen)].split(":")
    factory = getattr(importlib.import_module(module), name)
    uplink: Uplink = factory(chosen, options.store, options.timeout_seconds)
    return uplink
