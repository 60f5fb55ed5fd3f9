"""The agent's process: sources, journal and uplink together, until a signal ends it."""

import importlib
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from types import FrameType
from typing import Any

from bopis.adapters.agent_process import AgentOptions, HttpsOptions, KafkaOptions
from bopis.broker.errors import AlreadyRunning
from bopis.broker.storage.directory_lock import DirectoryLock
from bopis.errors import INTERNAL_FAULT, OK
from bopis.journal.entries import Reader
from bopis.journal.errors import JournalError
from bopis.journal.journal import Journal
from bopis.journal.shop_copy import ShopCopyFile
from bopis.journal.status import PROCESS, AgentProcess, put_state, put_warnings
from bopis.uplink.connection import CentreConnection
from bopis.uplink.protocol import Uplink
from bopis.uplink.sender import Sender, SenderOptions
from store_agent.errors import AgentRuns
from store_agent.event_lines import write
from store_agent.offline.counter import Counter
from store_agent.offline.downlink import Downlink, DownlinkOptions, Parts
from store_agent.sources.folder import DropFolder
from store_agent.sources.growing_file import LineReader, OwnLines, Tail
from store_agent.sources.own_messages import OwnMessages
from store_agent.sources.tills import TillServer

STOP_SECONDS_MAX = 20.0
# Imported when it is chosen: each library that is not loaded is memory of the shop's small machine.
MAPPED_FILES = "store_agent.sources.mapped_files:MappedFiles"
MAPPED_LINES = "store_agent.sources.mapped_files:MappedLines"
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
            sources = sources_of(options, journal)
            sender = self._sender(outgoing)
            counter, downlink = self._offline(stack, outgoing)
            server = stack.enter_context(TillServer(options.port, journal, sender.wake, counter))
            port = server.server_address[1]
            put_state(journal, PROCESS, AgentProcess(pid=pid, port=port, started_ms=journal.now_ms()))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._signalled)
            sending = self._start(sender.run, "sender")
            threads = [sending, self._start(server.serve_forever, "tills", 0.5)]
            if downlink is not None:
                threads.append(self._start(downlink.run, "downlink"))
            write("agent.ready", store=options.store, port=port, identity=journal.identity)
            print(f'{{"event":"ready","port":{port},"pid":{pid}}}', flush=True)
            self._watch_sources(sources, sender)
            server.shutdown()
            sender.stop()
            if downlink is not None:
                downlink.stop()
            for thread in threads:
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
            ledger_seconds=options.ledger_seconds,
        )
        return Sender(sending, journal, uplink_of(options), write)

    def _offline(self, stack: ExitStack, journal: Journal) -> tuple[Counter | None, Downlink | None]:
        """The copy of the shop's orders and the thread that keeps it current; none without a centre over HTTPS."""
        options = self._options
        if options.https is None or not options.copy_seconds:
            return None, None
        copy = stack.enter_context(ShopCopyFile(options.directory, options.store))
        centre = CentreConnection(options.https, options.timeout_seconds)
        fetching = DownlinkOptions(
            url=options.https.url,
            store=options.store,
            copy_seconds=options.copy_seconds,
            pause_seconds_max=options.pause_seconds_max,
        )
        downlink = Downlink(fetching, Parts(journal, copy, centre, write))
        return Counter(journal, copy, options.offline_hours, downlink.wake), downlink

    def _watch_sources(self, sources: Sequence[DropFolder | Tail], sender: Sender) -> None:
        options = self._options
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
    uplink: Uplink = _imported(UPLINKS[type(chosen)])(chosen, options.store, options.timeout_seconds)
    return uplink


def sources_of(options: AgentOptions, journal: Journal) -> list[DropFolder | Tail]:
    """The drop folders and growing files of the options. Raises `MappingInvalid` or `MappingUnknown`."""
    store = options.store
    found: list[DropFolder | Tail] = []
    for folder in options.sources.folder:
        reader: Reader = OwnMessages(store)
        index = ""
        if folder.mapping:
            reader = _imported(MAPPED_FILES)(folder.mapping, store, partial(put_warnings, journal, folder.name))
            index = getattr(reader, "index", "")
        found.append(DropFolder(folder, reader, journal, options.settle_seconds, index))
    for file in options.sources.file:
        lines: LineReader = OwnLines(store)
        if file.mapping:
            lines = _imported(MAPPED_LINES)(file.mapping, store, partial(put_warnings, journal, file.name))
        found.append(Tail(file, lines, journal))
    return found


def _imported(place: str) -> Any:
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)
