"""State of the agent's process and of its uplink, kept in the journal for whoever looks."""

import msgspec
from msgspec import Struct

from bopis.domain.inventory.ledger import LedgerComparison
from bopis.domain.values import DAY_MS
from bopis.journal.actions import Actions
from bopis.journal.journal import Journal, Usage
from bopis.journal.shop_copy import read_state

STATE = "uplink"
PROCESS = "process"
DOWNLINK = "downlink"
COMPARISON = "comparison"
WARNINGS = "warnings"
WARNINGS_MAX = 20
WARNING_DAYS = 7
CONFLICTS_MAX = 1_000


class UplinkState(Struct, frozen=True, kw_only=True):
    """State of the uplink since an instant (epoch milliseconds): connected, or the problem. `clock_ahead_ms` is how far
    this machine's clock is ahead of the other side's, if it is known."""

    version: str = ""
    connected: bool = False
    since_ms: int = 0
    problem: str = ""
    clock_ahead_ms: int | None = None


class AgentProcess(Struct, frozen=True, kw_only=True):
    """The process that runs, and the port of the loopback that tills send to."""

    pid: int = 0
    port: int = 0
    started_ms: int = 0


class DownlinkState(Struct, frozen=True, kw_only=True):
    """State of the way down since an instant (epoch milliseconds): connected, or the problem."""

    connected: bool = False
    since_ms: int = 0
    problem: str = ""


class OfflineStatus(Struct, frozen=True, kw_only=True):
    """The shop's copy, and what was done without the centre. `current_ms` is the instant that the copy is true of
    (epoch milliseconds, 0 without a copy), `open_actions` wait to be sent, `conflicts` did not fit."""

    downlink: DownlinkState
    current_ms: int = 0
    open_actions: int = 0
    conflicts: int = 0


class SourceWarning(Struct, frozen=True, kw_only=True):
    """A sentence about a file of a source: a number of the till that is missing, or a row to look at."""

    source: str
    text: str
    found_ms: int


class AgentStatus(Struct, frozen=True, kw_only=True):
    """Everything that is known of an agent from its journal."""

    journal: Usage
    uplink: UplinkState
    process: AgentProcess
    offline: OfflineStatus
    warnings: tuple[SourceWarning, ...] = ()
    comparison: LedgerComparison | None = None


def put_state(
    journal: Journal, name: str, state: UplinkState | DownlinkState | AgentProcess | LedgerComparison
) -> None:
    """Keep a state in the journal."""
    journal.set_meta(name, msgspec.json.encode(state).decode())


def put_warnings(journal: Journal, source: str, texts: list[str]) -> None:
    """Keep sentences about files of a source that need a person; the newest stay, and each for a while."""
    now = journal.now_ms()
    known = [it for it in _warnings(journal, now) if it.text not in texts or it.source != source]
    new = [SourceWarning(source=source, text=it, found_ms=now) for it in texts]
    journal.set_meta(WARNINGS, msgspec.json.encode([*known, *new][-WARNINGS_MAX:]).decode())


def _warnings(journal: Journal, now_ms: int) -> list[SourceWarning]:
    found = msgspec.json.decode(journal.meta(WARNINGS) or "[]", type=list[SourceWarning])
    return [it for it in found if it.found_ms > now_ms - WARNING_DAYS * DAY_MS]


def status_of(journal: Journal) -> AgentStatus:
    """The state of the agent, as its journal has it; whether the process still runs, the caller asks."""
    return AgentStatus(
        journal=journal.usage(),
        uplink=msgspec.json.decode(journal.meta(STATE) or "{}", type=UplinkState),
        process=msgspec.json.decode(journal.meta(PROCESS) or "{}", type=AgentProcess),
        offline=_offline(journal),
        warnings=tuple(_warnings(journal, journal.now_ms())),
        comparison=msgspec.json.decode(journal.meta(COMPARISON) or "null", type=LedgerComparison | None),
    )


def _offline(journal: Journal) -> OfflineStatus:
    actions, copy = Actions(journal), read_state(journal.path.parent)
    return OfflineStatus(
        downlink=msgspec.json.decode(journal.meta(DOWNLINK) or "{}", type=DownlinkState),
        current_ms=copy.current_ms if copy is not None else 0,
        open_actions=actions.open_count(),
        conflicts=len(actions.unfit(CONFLICTS_MAX)),
    )
