"""The exact table of one partition: rows and the position up to which the source is in them.

`load` folds a changelog back into it, `commit` says what the next batch of the changelog must hold. Both are pure;
`recovery` and `commit` do the reading and writing.
"""

from collections.abc import Iterable

from streams.changelog import CLAIM_KEY, NOTE, POSITION_KEY, Position, decode_position, encode_note
from streams.errors import ChangelogBroken
from streams.processor import Processor, Record
from streams.rows import Rows
from streams.rules import NO_POSITION

Entry = tuple[bytes, bytes | None]


class Table:
    """Rows and position of one partition."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self.rows = Rows(processor.decode, processor.encode)
        self.position = NO_POSITION
        self.claim = NO_POSITION
        self.stale = 0
        self._in_stale_batch = False

    def load(self, records: Iterable[Record]) -> None:
        """Fold records of the changelog, in order.

        A batch of somebody who had lost the partition is left out. The log's own fence keeps such batches away;
        this is the second lock on the same door.
        """
        load_row = self.rows.reload if self.rows.used else self.rows.load
        for record in records:
            key = record.key
            if not key:
                raise ChangelogBroken(offset=record.offset, cause="a record without a key")
            if key[0] == NOTE:
                self._load_note(key, record)
            elif self._in_stale_batch:
                self.stale += 1
            else:
                load_row(key.decode(), record.value)

    def _load_note(self, key: bytes, record: Record) -> None:
        self._in_stale_batch = False
        if key == CLAIM_KEY:
            self.claim = record.offset
        elif key == POSITION_KEY and record.value is not None:
            note = decode_position(record.value)
            if note.claim < self.claim:
                self._in_stale_batch = True
                self.stale += 1
            elif note.position < self.position:
                raise ChangelogBroken(offset=record.offset, position=note.position, before=self.position)
            else:
                self.position = note.position

    def loaded(self, claim: int) -> None:
        """Everything before the owner's claim has been loaded."""
        self.claim = claim
        self.rows.load_agenda(self._processor.deadline)

    def clear(self) -> None:
        """Begin anew, as if nothing had ever been loaded."""
        self.rows.clear()
        self.position = self.claim = NO_POSITION
        self.stale = 0
        self._in_stale_batch = False

    def commit(self, position: int) -> list[Entry]:
        """What one atomic batch must hold so that the rows are true at `position`: the position first, because a
        reader decides by it whether to believe what follows."""
        note = encode_note(Position(position, self.claim))
        return [(POSITION_KEY, note), *self.rows.changes()]
