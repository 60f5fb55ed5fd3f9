"""A little space kept back on the log's disk, so that the log can start on one that is full.

To open its file SQLite needs some: the index of its write-ahead log, and whatever was given back when the process
before ended and others have taken since. The space is given up only for that, and kept back anew when there is some.
"""

from __future__ import annotations

import os
from pathlib import Path

RESERVE_FILE = "log.reserve"
# The index takes 32 KiB for each 4,062 pages of the write-ahead log. What is left of the largest serves again.
RESERVE_BYTES = (256 * 1024, 128 * 1024, 64 * 1024)


def keep(directory: Path) -> bool:
    """Keep space back, unless that was done already. Returns whether it is kept; on a full disk it is not."""
    return (directory / RESERVE_FILE).exists() or any(_kept(directory, it) for it in RESERVE_BYTES)


def give_up(directory: Path) -> bool:
    """Give the space to whoever needs it. Returns whether there was any."""
    try:
        (directory / RESERVE_FILE).unlink()
    except FileNotFoundError:
        return False
    return True


def _kept(directory: Path, size: int) -> bool:
    draft = directory / (RESERVE_FILE + ".new")
    try:
        with draft.open("wb") as file:
            # Written, not allocated: there are file systems that allocate nothing for what reads as zeros.
            file.write(os.urandom(size))
        draft.replace(directory / RESERVE_FILE)
    except OSError:
        draft.unlink(missing_ok=True)
        return False
    return True
