"""Limits of a journal."""

from msgspec import Struct

MEBIBYTE = 1 << 20


class JournalLimits(Struct, frozen=True, kw_only=True):
    """How much a journal takes and keeps. `warn_share` of `bytes_max` in use is reported as a warning; at `bytes_max`
    the journal takes no more messages."""

    bytes_max: int = 1024 * MEBIBYTE
    warn_share: float = 0.5
    disk_free_bytes_min: int = 256 * MEBIBYTE
    # Acknowledged messages stay so long, so that they can be sent again.
    kept_days: int = 7
    # A basket that comes again later than this is taken for a new one.
    remembered_days: int = 400
    rejects_max: int = 100_000
    deleted_per_turn_max: int = 5_000
    deleted_when_short_max: int = 100
    busy_seconds: float = 10.0
