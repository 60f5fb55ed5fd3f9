"""How one partition of a worker stands: what the watchdog judges and the worker's report tells."""

import msgspec

OWNER, STANDBY = "owner", "standby"
OPENING, READY = "opening", "ready"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A partition that is owned, or the copy of one that somebody else owns.

    `recovered` is how far a recovery has come in the changelog; `lag` and `age_s` are known of copies: how many
    records of the changelog are missing, and how long ago none was.
    """

    topic: str
    partition: int
    role: str
    state: str
    # None: not known yet.
    position: int | None
    rows: int = 0
    epoch: int = -1
    recovered: int = 0
    commits: int = 0
    committing: bool = False
    lag: int | None = None
    age_s: float | None = None
