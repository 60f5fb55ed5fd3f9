"""The exact table of one partition: rows, and the position up to which the source is in them.

`load` folds a changelog into it, `commit` gives the next batch of the changelog. Both are pure; `recovery` and `commit`
do the reading and writing.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from bopis.wire.changelog import POSITION_KEY, ChangelogReader, ChangelogRecord, Position, SkippedRecord, encode_note
from streams.engine.exact_step import NO_POSITION
from streams.engine.processor import LogRecord, Processor
from streams.engine.rows import PartitionRows
from streams.errors import ChangelogBroken

RowChange = tuple[bytes, bytes | None]  # key and value; None: the row was dropped


class _StrictReader(ChangelogReader):
    """A reader that takes a position that goes backwards for a contradiction."""

    __slots__ = ()

    def take_position(self, note: Position, record: ChangelogRecord) -> None:
        if note.position < self.position:
            raise ChangelogBroken(offset=record.offset, position=note.position, before=self.position)
        self.position = note.position


class PartitionTable:
    """Rows and position of one partition."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self.rows = PartitionRows(processor.decode, processor.encode)
        self._reader = _StrictReader(decode=self._decoded)
        # Keys of skipped records whose row was not written again after them.
        self._overwritten: set[str] = set()
        self.position = NO_POSITION
        self.claim = NO_POSITION

    def _decoded(self, key: str, value: bytes) -> Any:
        return self._processor.decode(key, value) if value else None

    @property
    def skipped(self) -> Sequence[SkippedRecord]:
        """Records that are no rows, the newest of them."""
        return tuple(self._reader.skipped)

    @property
    def stale(self) -> int:
        """Records of writers that had lost the partition; they were left out."""
        return self._reader.fenced_records

    def load(self, records: Iterable[LogRecord]) -> None:
        """Fold records of the changelog, in order; one that is no row is skipped. Raises `ChangelogBroken` where the
        changelog contradicts itself."""
        load_row = self.rows.reload if self.rows.used else self.rows.load
        reader = self._reader
        reader.position, reader.claim = self.position, self.claim
        skipped = reader.skipped_records
        for record in records:
            if reader.is_row(record):
                key = record.key.decode()  # type: ignore[union-attr]  # the reader skips records without one
                load_row(key, record.value)
                if self._overwritten:
                    self._overwritten.discard(key)
            elif reader.skipped_records != skipped:
                skipped = reader.skipped_records
                self._overwritten.add(reader.skipped[-1].key.decode(errors="replace"))
        self.position, self.claim = reader.position, reader.claim

    def loaded(self, claim: int) -> None:
        """Begin to use the table: every record before the owner's claim is loaded.

        The next commit writes the rows of skipped records again, before compaction removes what is true of them.
        """
        self.claim = claim
        for key in sorted(self._overwritten):
            if key in self.rows:
                self.rows.touch(key)
        self._overwritten.clear()
        self.rows.load_agenda(self._processor.deadline)

    def clear(self) -> None:
        """Become an empty table."""
        self.rows.clear()
        self._reader = _StrictReader(decode=self._decoded)
        self._overwritten.clear()
        self.position = self.claim = NO_POSITION

    def commit(self, position: int) -> list[RowChange]:
        """The records of one atomic batch after which the rows are true at `position`. The position comes first,
        because a reader decides by it whether to believe what follows."""
        note = encode_note(Position(position, self.claim))
        return [(POSITION_KEY, note), *self.rows.changes()]
