"""The status of one partition in a worker: the watchdog judges it, and the worker's report publishes it."""

import msgspec

OWNER, STANDBY = "owner", "standby"
OPENING, READY = "opening", "ready"


class PartitionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A partition that this worker owns, or the standby table of one that another worker owns.

    `position` is the newest offset of the source that is decided (None: not known yet), `recovered` the offset of the
    changelog up to which a recovery has read. `lag` and `age_s` are known of standby tables: how many records of the
    changelog are missing, and how many seconds ago none was. `committing`: a commit is in flight.
    """

    topic: str
    partition: int
    role: str
    state: str
    position: int | None
    rows: int = 0
    epoch: int = -1
    recovered: int = 0
    commits: int = 0
    committing: bool = False
    lag: int | None = None
    age_s: float | None = None
