"""What the supervisor of `bopis up` says about itself in the data directory."""

from pathlib import Path

import msgspec

from bopis.adapters.address import is_alive

STATE_FILE = "up.json"


class ChildFacts(msgspec.Struct, frozen=True):
    """One process that is kept running."""

    name: str
    pid: int | None = None
    state: str = "unknown"
    restarts: int = 0
    exit_code: int | None = None
    cause: str = ""
    last_error: str = ""


class SupervisorFacts(msgspec.Struct, frozen=True):
    """The supervisor and its children."""

    pid: int
    children: tuple[ChildFacts, ...] = ()


def supervisor_of(data_dir: Path) -> SupervisorFacts | None:
    """The supervisor that runs on a data directory, None when none does."""
    try:
        found = msgspec.json.decode((data_dir / STATE_FILE).read_bytes(), type=SupervisorFacts)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if is_alive(found.pid) else None
