"""Disk space kept back so that the log can start on a full disk.

To open its file SQLite needs some space: for the index of its write-ahead log, and for whatever the last process freed
and other programs have taken since. The reserve is released for that alone, and restored once there is space.
"""

from __future__ import annotations

import os
from pathlib import Path

from bopis.broker.files import RESERVE_FILE

# The index takes 32 KiB for each 4,062 pages of the write-ahead log. On a nearly full disk a smaller reserve still
# serves most starts.
RESERVE_BYTES = (256 * 1024, 128 * 1024, 64 * 1024)


def keep(directory: Path) -> bool:
    """Create the reserve unless it exists. Returns whether it exists now; on a full disk it may not."""
    return (directory / RESERVE_FILE).exists() or any(_create(directory, size) for size in RESERVE_BYTES)


def release(directory: Path) -> bool:
    """Free the reserve's space. Returns whether there was a reserve."""
    try:
        (directory / RESERVE_FILE).unlink()
    except FileNotFoundError:
        return False
    return True


def _create(directory: Path, size: int) -> bool:
    draft = directory / (RESERVE_FILE + ".new")
    try:
        with draft.open("wb") as file:
            # Random bytes: some file systems allocate nothing for zeros or for a file that was only extended.
            file.write(os.urandom(size))
        draft.replace(directory / RESERVE_FILE)
    except OSError:
        draft.unlink(missing_ok=True)
        return False
    return True
