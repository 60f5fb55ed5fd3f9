"""The clocks of the log: one that records are dated by, which a caller may hand in, and this machine's."""

from __future__ import annotations

import time
from collections.abc import Callable

# Milliseconds since 1970. Dates records under log-append time and measures their age (retention.ms,
# min.compaction.lag.ms). How long tombstones and silent producers are kept is always this machine's time: they are
# kept for readers and writers that exist in it.
RecordClock = Callable[[], int]


def system_ms() -> int:
    """Milliseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000_000
