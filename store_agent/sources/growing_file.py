"""A file that a till appends messages to, one per line. The place that was read to is stored with the messages."""

import os

from bopis.adapters.agent_process import GrowingFile
from bopis.journal.entries import Cursor, Found, Reject
from bopis.journal.journal import Journal
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from store_agent.event_lines import write
from store_agent.sources.own_messages import BOM, read_message_of_file

READ_BYTES = 1 << 20


class Tail:
    """One growing file of the agent. A line counts once its line end is there; the rest waits."""

    def __init__(self, file: GrowingFile, store: str, journal: Journal) -> None:
        self.name, self._path = file.name, file.path
        self._store, self._journal = store, journal
        self._cursor = journal.cursor(str(file.path))
        self._problem = ""

    def poll(self) -> int:
        """Take the lines that were appended. Returns how many records there were."""
        taken = 0
        try:
            while count := self._read_on():
                taken += count
        except OSError as error:
            self._report(f"{self._path}: {error.strerror or error}")
            return taken
        self._report("")
        return taken

    def _read_on(self) -> int:
        status = os.stat(self._path)
        identity = f"{status.st_dev}:{status.st_ino}"
        cursor = self._cursor
        # Another file of this name, or one that was emptied: it is read from its beginning; repeats count once.
        if cursor is None or cursor.identity != identity or status.st_size < cursor.offset:
            cursor = Cursor(file=str(self._path), identity=identity, offset=0)
        if status.st_size == cursor.offset:
            return 0
        with self._path.open("rb") as file:
            file.seek(cursor.offset)
            content = file.read(READ_BYTES)
        end = content.rfind(b"\n") + 1
        if not end and len(content) <= MESSAGE_BYTES_MAX:
            return 0
        # A line without an end that is longer than any message: its bytes are skipped, with a reject.
        end = end or len(content)
        found = self._found(content[:end], cursor.offset)
        cursor = Cursor(file=cursor.file, identity=identity, offset=cursor.offset + end)
        self._journal.take(self.name, found, cursor)
        self._cursor = cursor
        return max(1, len(found))

    def _found(self, content: bytes, offset: int) -> list[Found]:
        found: list[Found] = []
        for line in content.splitlines(keepends=True):
            place = f"{self._path.name} at byte {offset}"
            value = (line.removeprefix(BOM) if offset == 0 else line).strip()
            offset += len(line)
            if len(value) > MESSAGE_BYTES_MAX:
                cause = f"the line has more than {MESSAGE_BYTES_MAX} bytes"
                found.append(Reject(place=place, cause=cause, content=value))
            elif value:
                found.append(read_message_of_file(value, self._store, place))
        return found

    def _report(self, problem: str) -> None:
        if problem and problem != self._problem:
            write("file.failed", "warning", source=self.name, problem=problem)
        self._problem = problem
