"""State of the agent's process and of its uplink, kept in the journal for whoever looks."""

import msgspec
from msgspec import Struct

from bopis.journal.journal import Journal, Usage

STATE = "uplink"
PROCESS = "process"


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


class AgentStatus(Struct, frozen=True, kw_only=True):
    """Everything that is known of an agent from its journal."""

    journal: Usage
    uplink: UplinkState
    process: AgentProcess


def put_state(journal: Journal, name: str, state: UplinkState | AgentProcess) -> None:
    """Keep a state in the journal."""
    journal.set_meta(name, msgspec.json.encode(state).decode())


def status_of(journal: Journal) -> AgentStatus:
    """The state of the agent, as its journal has it; whether the process still runs, the caller asks."""
    return AgentStatus(
        journal=journal.usage(),
        uplink=msgspec.json.decode(journal.meta(STATE) or "{}", type=UplinkState),
        process=msgspec.json.decode(journal.meta(PROCESS) or "{}", type=AgentProcess),
    )
