"""A file that a till appends to, one record per line. The place that was read to is stored with the records."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from bopis.adapters.agent_process import GrowingFile
from bopis.journal.entries import Cursor, Found, Reject
from bopis.journal.journal import Journal
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from store_agent.event_lines import write
from store_agent.sources.own_messages import BOM, read_message_of_file

READ_BYTES = 1 << 20


class Part(NamedTuple):
    """Records of a file, and the offset behind the last of them."""

    found: list[Found]
    end: int


class LineReader(Protocol):
    """Reads the lines of a file that are complete, from an offset on, in parts. Raises `OSError`."""

    def __call__(self, path: Path, offset: int) -> Iterator[Part]: ...


class Tail:
    """One growing file of the agent. A line counts once its line end is there; the rest waits."""

    def __init__(self, file: GrowingFile, reader: LineReader, journal: Journal) -> None:
        self.name, self._path = file.name, file.path
        self._reader, self._journal = reader, journal
        self._cursor = journal.cursor(str(file.path))
        # Identity and size at the last reading: the beginning of a line is not read again until it grows.
        self._seen = ("", 0)
        self._problem = ""

    def poll(self) -> int:
        """Take the lines that were appended. Returns how many records there were."""
        taken = 0
        try:
            for it in self._parts():
                taken += it
        except OSError as error:
            self._report(f"{self._path}: {error.strerror or error}")
            return taken
        self._report("")
        return taken

    def _parts(self) -> Iterator[int]:
        """Store part after part; the number of records of each."""
        status = os.stat(self._path)
        identity = f"{status.st_dev}:{status.st_ino}"
        cursor = self._cursor
        # Another file of this name, or one that was emptied: it is read from its beginning; repeats count once.
        if cursor is None or cursor.identity != identity or status.st_size < cursor.offset:
            cursor = Cursor(file=str(self._path), identity=identity, offset=0)
        seen = (identity, status.st_size)
        if status.st_size == cursor.offset or seen == self._seen:
            return
        for part in self._reader(self._path, cursor.offset):
            cursor = Cursor(file=cursor.file, identity=identity, offset=part.end)
            self._journal.take(self.name, part.found, cursor)
            self._cursor = cursor
            yield max(1, len(part.found))
        self._seen = seen

    def _report(self, problem: str) -> None:
        if problem and problem != self._problem:
            write("file.failed", "warning", source=self.name, problem=problem)
        self._problem = problem


class OwnLines:
    """Messages in the log's own format, one per line, of a store; implements `LineReader`."""

    def __init__(self, store: str) -> None:
        self._store = store

    def __call__(self, path: Path, offset: int) -> Iterator[Part]:
        with path.open("rb") as file:
            file.seek(offset)
            while content := file.read(READ_BYTES):
                end = content.rfind(b"\n") + 1
                if not end and len(content) <= MESSAGE_BYTES_MAX:
                    return
                # A line without an end that is longer than any message: its bytes are skipped, with a reject.
                end = end or len(content)
                yield Part(self._found(content[:end], path.name, offset), offset + end)
                offset += end
                file.seek(offset)

    def _found(self, content: bytes, name: str, offset: int) -> list[Found]:
        found: list[Found] = []
        for line in content.splitlines(keepends=True):
            place = f"{name} at byte {offset}"
            value = (line.removeprefix(BOM) if offset == 0 else line).strip()
            offset += len(line)
            if len(value) > MESSAGE_BYTES_MAX:
                cause = f"the line has more than {MESSAGE_BYTES_MAX} bytes"
                found.append(Reject(place=place, cause=cause, content=value))
            elif value:
                found.append(read_message_of_file(value, self._store, place))
        return found
