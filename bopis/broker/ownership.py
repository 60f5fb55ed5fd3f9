"""One process per log: a lock on a file, and a note for others where that process listens."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType

from bopis.broker.errors import AlreadyRunning

LOCK_FILE = "broker.lock"
NOTE_FILE = "broker.json"
LOG_FILE = "log.sqlite3"
_LOCK_BYTES = 32


class Ownership:
    """Holds the data directory from entry to exit. The lock goes with the process, however that ends."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._descriptor = -1

    def __enter__(self) -> Ownership:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._descriptor, _LOCK_BYTES, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AlreadyRunning(self.directory, owner) from None
        # Always as long as before: on a full disk a byte that is given back may be gone.
        os.pwrite(self._descriptor, f"{os.getpid()}\n".rjust(_LOCK_BYTES).encode(), 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        (self.directory / NOTE_FILE).unlink(missing_ok=True)
        os.close(self._descriptor)

    def announce(self, host: str, port: int) -> dict[str, object]:
        """Tell others where to connect; readers see the whole note or none."""
        note: dict[str, object] = {"pid": os.getpid(), "host": host, "port": port, "started_at": _now()}
        text = json.dumps(note) + "\n"
        place = self.directory / NOTE_FILE
        draft = self.directory / (NOTE_FILE + ".new")
        try:
            draft.write_text(text, encoding="utf-8")
            draft.replace(place)
        except OSError as error:
            draft.unlink(missing_ok=True)
            if error.errno != errno.ENOSPC or not place.exists():
                raise
            # A log that ended on a full disk has to start on it again, to be read: the old note's space serves.
            with place.open("r+", encoding="utf-8") as old:
                old.write(text)
                old.truncate()
        return note


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
