"""A drop folder, polled: network shares announce nothing. A file is read once it has been still for a while, and moved
to `done` when every record of it is in the journal or in the rejects."""

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bopis.adapters.agent_process import Folder
from bopis.domain.inventory.outcomes import Outcome
from bopis.journal.entries import Found, Reader, Reject
from bopis.journal.errors import FileRefused
from bopis.journal.journal import Journal
from store_agent.event_lines import write

RECORDS_PER_TRANSACTION = 500
FILES_PER_POLL_MAX = 1_000
DONE, FAILED = "done", "failed"
ARCHIVE = ".zip"
# Names that programs give to files they are still writing.
UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".lock", "~")


class _Look(NamedTuple):
    """A file as it was seen, and since when (monotonic seconds) it looks so."""

    size: int
    changed_ns: int
    since: float


class DropFolder:
    """One drop folder of the agent.

    With an `index` its units are exports of several files, one of which has that name: each is a folder or a zip
    archive, and is read and moved as a whole.
    """

    def __init__(
        self, folder: Folder, reader: Reader, journal: Journal, settle_seconds: float, index: str = ""
    ) -> None:
        self.name, self._path = folder.name, folder.path
        self._reader, self._journal, self._index = reader, journal, index
        self._settle_seconds = settle_seconds
        self._looks: dict[str, _Look] = {}
        # Files that could not be moved away, for example on a share that may only be read.
        self._left: dict[str, _Look] = {}
        self._waiting: set[str] = set()
        self._problem = ""

    def poll(self) -> int:
        """Read every file that is complete. Returns how many were read."""
        try:
            ready = list(self._ready())
        except OSError as error:
            self._report(f"{self._path}: {error.strerror or error}")
            return 0
        self._report("")
        return sum(self._read(self._path / name) for name in ready)

    def _ready(self) -> Iterator[str]:
        now = time.monotonic()
        looks: dict[str, _Look] = {}
        with os.scandir(self._path) as entries:
            for it in filter(self._is_candidate, entries):
                look = self._look_at(it, now)
                before = self._looks.get(it.name)
                if before is not None and before[:2] == look[:2]:
                    look = before
                looks[it.name] = look
        self._looks = looks
        self._left = {name: look for name, look in self._left.items() if looks.get(name, look)[:2] == look[:2]}
        still = [it for it in looks.items() if now - it[1].since >= self._settle_seconds and it[0] not in self._left]
        oldest = sorted(still, key=lambda it: (it[1].changed_ns, it[0]))
        whole = [name for name, _ in oldest if self._is_whole(name)]
        yield from whole[:FILES_PER_POLL_MAX]

    def _is_candidate(self, entry: os.DirEntry[str]) -> bool:
        name = entry.name
        if name.startswith(".") or name.lower().endswith(UNFINISHED):
            return False
        return entry.is_file() or (bool(self._index) and entry.is_dir() and name not in (DONE, FAILED))

    def _look_at(self, entry: os.DirEntry[str], now: float) -> _Look:
        status = entry.stat()
        if not entry.is_dir():
            return _Look(status.st_size, status.st_mtime_ns, now)
        with os.scandir(entry.path) as files:
            every = [status, *(it.stat() for it in files)]
        return _Look(sum(it.st_size for it in every), max(it.st_mtime_ns for it in every), now)

    def _is_whole(self, name: str) -> bool:
        """Whether a name is a unit; a file or folder that is none waits, and is reported once."""
        path = self._path / name
        if not self._index or (path / self._index).is_file() or path.suffix.lower() == ARCHIVE:
            return True
        if name not in self._waiting:
            self._waiting.add(name)
            problem = f"{path} waits: an export is a folder with {self._index}, or a {ARCHIVE} archive"
            write("folder.waits", "warning", source=self.name, problem=problem)
        return False

    def _read(self, path: Path) -> bool:
        counts = dict.fromkeys(Outcome, 0)
        part: list[Found] = []
        target = DONE
        # A name in another encoding than UTF-8 cannot be stored as it is.
        shown = path.name.encode(errors="replace").decode()
        try:
            for it in self._reader(path, shown):
                part.append(it)
                if len(part) == RECORDS_PER_TRANSACTION:
                    self._take(part, counts)
                    part = []
        except OSError as error:
            self._report(f"{path}: {error.strerror or error}")
            return False
        except FileRefused as error:
            part.append(Reject(place=shown, cause=str(error)))
            target = FAILED
        except (ValueError, LookupError, ArithmeticError, RecursionError, EOFError) as error:
            # A reader that stumbles over a file must not keep the other files waiting.
            part.append(Reject(place=shown, cause=f"the file cannot be read further: {error}"))
            target = FAILED
        self._take(part, counts)
        self._move(path, target)
        write(
            "folder.read", source=self.name, file=path.name, records={it.value: count for it, count in counts.items()}
        )
        return True

    def _take(self, part: list[Found], counts: dict[Outcome, int]) -> None:
        for taken in self._journal.take(self.name, part):
            counts[taken.outcome] += 1

    def _move(self, path: Path, target: str) -> None:
        folder = self._path / target
        try:
            folder.mkdir(exist_ok=True)
            place = folder / path.name
            numbers = itertools.count(2)
            while place.exists():
                place = folder / f"{path.stem}.{next(numbers)}{path.suffix}"
            path.rename(place)
        except OSError as error:
            self._left[path.name] = self._looks[path.name]
            self._report(f"{path} cannot be moved to {target}: {error.strerror or error}")

    def _report(self, problem: str) -> None:
        if problem and problem != self._problem:
            write("folder.failed", "warning", source=self.name, problem=problem)
        self._problem = problem
