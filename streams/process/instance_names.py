"""Lasting names for workers of one machine: inventory-1, inventory-2, ..., each leased by one process at a time.

A worker with a lasting name gets its partitions back at once after a crash. On one machine the names need no
configuration: a worker takes the lowest number that no other one has. Each name is a file with a lock, which the
operating system releases when the process ends, whatever ends it.
"""

import fcntl
import os
from pathlib import Path

from streams.errors import InstanceNamesTaken

FOLDER = "workers"
NAMES_MAX = 64

# The numbers that this process has leased, by processor. Their files stay open until it ends: closing one would release
# the lock.
_leased: dict[str, int] = {}


def leased_name(data_dir: Path, processor: str) -> str:
    """A name that is this process's own until it ends. Raises `InstanceNamesTaken`."""
    if processor not in _leased:
        folder = data_dir / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        _leased[processor] = _lease(folder, processor)
    return f"{processor}-{_leased[processor]}"


def _lease(folder: Path, processor: str) -> int:
    for number in range(1, NAMES_MAX + 1):
        file = os.open(folder / f"{processor}-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            continue
        return number
    raise InstanceNamesTaken(processor=processor, folder=str(folder), names_max=NAMES_MAX)
