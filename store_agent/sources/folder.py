"""A drop folder, polled: network shares announce nothing. A file is read once it has been still for a while, and moved
to `done` when every record of it is in the journal or in the rejects."""

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bopis.adapters.agent_process import Folder
from bopis.journal.entries import Found, Outcome, Reader, Reject
from bopis.journal.journal import Journal
from store_agent.event_lines import write

RECORDS_PER_TRANSACTION = 500
FILES_PER_POLL_MAX = 1_000
DONE, FAILED = "done", "failed"
# Names that programs give to files they are still writing.
UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".lock", "~")


class _Look(NamedTuple):
    """A file as it was seen, and since when (monotonic seconds) it looks so."""

    size: int
    changed_ns: int
    since: float


class DropFolder:
    """One drop folder of the agent."""

    def __init__(self, folder: Folder, reader: Reader, journal: Journal, settle_seconds: float) -> None:
        self.name, self._path = folder.name, folder.path
        self._reader, self._journal = reader, journal
        self._settle_seconds = settle_seconds
        self._looks: dict[str, _Look] = {}
        # Files that could not be moved away, for example on a share that may only be read.
        self._left: dict[str, _Look] = {}
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
            for it in filter(_is_candidate, entries):
                status = it.stat()
                look = _Look(status.st_size, status.st_mtime_ns, now)
                before = self._looks.get(it.name)
                if before is not None and before[:2] == look[:2]:
                    look = before
                looks[it.name] = look
        self._looks = looks
        self._left = {name: look for name, look in self._left.items() if looks.get(name, look)[:2] == look[:2]}
        still = [it for it in looks.items() if now - it[1].since >= self._settle_seconds and it[0] not in self._left]
        oldest = sorted(still, key=lambda it: (it[1].changed_ns, it[0]))
        yield from (name for name, _ in oldest[:FILES_PER_POLL_MAX])

    def _read(self, path: Path) -> bool:
        counts = dict.fromkeys(Outcome, 0)
        part: list[Found] = []
        target = DONE
        # A name in another encoding than UTF-8 cannot be stored as it is.
        shown = path.name.encode(errors="replace").decode()
        try:
            with path.open("rb") as file:
                for it in self._reader(file, shown):
                    part.append(it)
                    if len(part) == RECORDS_PER_TRANSACTION:
                        self._take(part, counts)
                        part = []
        except OSError as error:
            self._report(f"{path}: {error.strerror or error}")
            return False
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


def _is_candidate(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    return not name.startswith(".") and not name.lower().endswith(UNFINISHED) and entry.is_file()
