"""One process per log: a lock on the data directory, and a file with the address of the process that owns it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType

from bopis.broker.errors import AlreadyRunning
from bopis.broker.files import ADDRESS_FILE, LOCK_FILE

_LOCK_BYTES = 32


class DirectoryLock:
    """Locks the data directory from entry to exit. The kernel releases the lock when the process ends, however it ends.

    Entering creates the directory and raises `AlreadyRunning` when another process has the lock.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptor = -1

    def __enter__(self) -> DirectoryLock:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._descriptor, _LOCK_BYTES, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AlreadyRunning(self._directory, owner) from None
        # Always the same length: on a full disk a byte that was freed may be gone to another program.
        os.pwrite(self._descriptor, f"{os.getpid()}\n".rjust(_LOCK_BYTES).encode(), 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        (self._directory / ADDRESS_FILE).unlink(missing_ok=True)
        os.close(self._descriptor)

    def publish_address(self, host: str, port: int) -> dict[str, object]:
        """Write and return the address file: `pid`, `host`, `port`, `started_at`. Readers see a whole file or none."""
        address: dict[str, object] = {"pid": os.getpid(), "host": host, "port": port, "started_at": _now()}
        text = json.dumps(address) + "\n"
        path = self._directory / ADDRESS_FILE
        draft = self._directory / (ADDRESS_FILE + ".new")
        try:
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            if error.errno != errno.ENOSPC or not path.exists():
                raise
            # A log that ended on a full disk has to start there again to be read: reuse the old file's space.
            with path.open("r+", encoding="utf-8") as old:
                old.write(text)
                old.truncate()
        return address


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
