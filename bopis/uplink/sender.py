"""Sends the journal to the centre, in a thread of its own: batches, pauses after problems, heartbeats, compaction, and
comparisons of the journal with the centre's books."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from bopis.domain.inventory.ledger import LedgerComparison
from bopis.domain.inventory.messages import AgentHeartbeat
from bopis.journal.entries import Basket, fingerprint_of
from bopis.journal.errors import JournalFull
from bopis.journal.journal import Journal
from bopis.journal.ledger import compare
from bopis.journal.status import COMPARISON, STATE, UplinkState, put_state
from bopis.uplink.errors import UplinkError
from bopis.uplink.loop import CentreLoop, OnEvent
from bopis.uplink.protocol import Sent, Uplink

ENTRIES_MAX = 1_000
BATCH_BYTES_MAX = 1 << 20
LOOK_SECONDS = 1.0
COMPACT_SECONDS = 600.0
# The books of the centre follow its log by seconds; until then the journal cannot be compared with them.
LEDGER_WAIT_SECONDS = 30.0
CLOCK_WARN_MS = 60_000
AGENT = "agent"


class SenderOptions(Struct, frozen=True, kw_only=True):
    """How a sender works: the source and the version of its heartbeats, seconds between them (0: none), its longest
    pause, and seconds between comparisons of the journal with the centre's books (0: none)."""

    source: str = AGENT
    version: str = ""
    heartbeat_seconds: float = 60.0
    pause_seconds_max: float = 60.0
    ledger_seconds: float = 0.0


class Sender(CentreLoop[UplinkState]):
    """Drains the journal into an uplink until it is stopped. `on_sent` gets the last acknowledged position."""

    def __init__(
        self,
        options: SenderOptions,
        journal: Journal,
        uplink: Uplink,
        on_event: OnEvent,
        on_sent: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__("uplink", journal, on_event, options.pause_seconds_max)
        self._options, self._uplink, self._on_sent = options, uplink, on_sent
        self._state = UplinkState(version=options.version, since_ms=journal.now_ms())
        self._heartbeat_at = self._compact_at = self._compare_at = 0.0
        self._comparison: LedgerComparison | None = None
        self._compare_problem = ""

    def _close(self) -> None:
        self._uplink.close()

    def _turn(self) -> None:
        self._wake.clear()
        entries = self._journal.waiting(ENTRIES_MAX, BATCH_BYTES_MAX)
        if not entries:
            self._rest()
            return
        sent = self._uplink.send(entries)
        if sent.position >= entries[0].position:
            self._journal.acknowledge(sent.position, sent.refused)
            self._on_sent(sent.position)
        for it in sent.refused:
            self._on_event("uplink.refused", "warning", place=it.place, cause=it.cause)
        if sent.problem is not None:
            self._failed(sent.problem)
            return
        self._worked(sent)

    def _rest(self) -> None:
        """Nothing waits: report that the store is connected, tidy up, and wait for messages."""
        now = time.monotonic()
        if self._options.heartbeat_seconds and now >= self._heartbeat_at:
            self._heartbeat_at = now + self._options.heartbeat_seconds
            self._heartbeat()
            return
        if self._options.ledger_seconds and now >= self._compare_at:
            # Set first: a journal that fails is not read again and again.
            self._compare_at = now + self._options.ledger_seconds
            self._compare_at = now + min(self._compare(), self._options.ledger_seconds)
            return
        if now >= self._compact_at:
            self._compact_at = now + COMPACT_SECONDS
            self._tidy()
        # Other programs write into the journal too (`bopis agent count`), and wake nobody.
        self._wake.wait(LOOK_SECONDS)

    def _tidy(self) -> None:
        try:
            while self._journal.compact() and not self._stopped.is_set():
                pass
        except JournalFull as error:
            self._on_event("journal.warning", "warning", warning=str(error))
        for warning in self._journal.usage().warnings:
            self._on_event("journal.warning", "warning", warning=warning)

    def _heartbeat(self) -> None:
        usage = self._journal.usage()
        now = datetime.now(UTC)
        body = AgentHeartbeat(
            version=self._options.version,
            clock_ahead_ms=self._state.clock_ahead_ms,
            depth=usage.depth,
            rejects=usage.rejects,
            changed=usage.changed,
            ledger=self._comparison,
        )
        key = f"heartbeat/{now.isoformat()}"
        self._journal.take(
            self._options.source, [Basket(key=key, fingerprint=fingerprint_of(body, now), bodies=(body,), time=now)]
        )
        self._comparison = None

    def _compare(self) -> float:
        """Compare the journal with the centre's books; returns the seconds until the next time. The next heartbeat has
        the result, so the centre has it where it has everything else about the store."""
        centre = self._uplink.centre()
        if centre is None:
            return self._options.ledger_seconds
        try:
            found = compare(self._journal, centre)
        except UplinkError as error:
            if str(error) != self._compare_problem:
                self._on_event("ledger.failed", "warning", problem=str(error))
            self._compare_problem = str(error)
            return self._options.ledger_seconds
        if found is None:
            return LEDGER_WAIT_SECONDS
        self._compare_problem = ""
        put_state(self._journal, COMPARISON, found)
        if not found.is_clean:
            first = found.differences[0] if found.differences else None
            self._on_event("ledger.differs", "warning", found=found.found, more=found.more, first=first and first.name)
        self._comparison, self._heartbeat_at = found, 0.0
        return self._options.ledger_seconds

    def _worked(self, sent: Sent) -> None:
        now = self._journal.now_ms()
        if self._failures or not self._state.connected:
            self._on_event("uplink.connected", clock_ahead_ms=sent.clock_ahead_ms)
            if self._failures:
                self._heartbeat_at = 0.0
            since = now
        else:
            since = self._state.since_ms
        self._failures = 0
        ahead = self._state.clock_ahead_ms if sent.clock_ahead_ms is None else sent.clock_ahead_ms
        if ahead is not None and abs(ahead) >= CLOCK_WARN_MS and ahead != self._state.clock_ahead_ms:
            self._on_event("clock.wrong", "warning", ahead_ms=ahead)
        self._note(
            msgspec.structs.replace(self._state, connected=True, since_ms=since, problem="", clock_ahead_ms=ahead)
        )

    def _note_problem(self, since_ms: int, problem: str) -> None:
        self._note(msgspec.structs.replace(self._state, connected=False, since_ms=since_ms, problem=problem))

    def _note(self, state: UplinkState) -> None:
        """Store the state for `bopis agent status` when it changed; a second more or less of the clock is no change."""
        known = msgspec.structs.replace(state, clock_ahead_ms=self._state.clock_ahead_ms)
        is_news = known != self._state or _differs(state.clock_ahead_ms, self._state.clock_ahead_ms)
        if is_news:
            put_state(self._journal, STATE, state)
            self._state = state


def _differs(ahead: int | None, before: int | None) -> bool:
    if ahead is None or before is None:
        return ahead != before
    return abs(ahead - before) >= LOOK_SECONDS * 1000
