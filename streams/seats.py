"""Lasting names for workers of one machine: inventory-1, inventory-2, ..., each held by one process at a time.

A worker with a lasting name gets its partitions back at once after a crash. On one machine the names can be handed out
by themselves: the lowest number that nobody holds. The operating system lets a seat go when its process ends, however.
"""

import fcntl
import os
from pathlib import Path

from streams.errors import SeatsTaken

FOLDER = "workers"
SEATS_MAX = 64

# Open for as long as the process lives: closing one would give its seat away.
_held: dict[str, int] = {}


def numbered(data_dir: Path, processor: str) -> str:
    """The name of a seat that is this process's own until it ends. Raises `SeatsTaken`."""
    if processor not in _held:
        folder = data_dir / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        _held[processor] = _take(folder, processor)
    return f"{processor}-{_held[processor]}"


def _take(folder: Path, processor: str) -> int:
    for number in range(1, SEATS_MAX + 1):
        seat = os.open(folder / f"{processor}-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(seat, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(seat)
            continue
        return number
    raise SeatsTaken(processor=processor, folder=str(folder), seats_max=SEATS_MAX)
