"""The notes that stand between the rows of a changelog: who owns it, and up to where its source is in the rows.

A key that begins with a zero byte is a note. Each owner of a partition opens with a claim; each commit opens with
the position of the source that its rows stand for and the claim of who wrote it. A commit that names an older
claim than the newest one came from somebody who had lost the partition, so its rows are left out.
"""

from collections.abc import Iterable, Iterator

import msgspec

from bopis.readside.changes import Consumed, RecordLike

NOTE = 0
POSITION_KEY = b"\x00position"
CLAIM_KEY = b"\x00claim"


class _Position(msgspec.Struct):
    position: int
    claim: int = -1


_decode = msgspec.json.Decoder(_Position).decode


class Notes:
    """Follows the notes of one partition and hands on the rows that are to be believed."""

    def __init__(self, consumed: Consumed) -> None:
        self.source_position = consumed.source_position
        self.claim = consumed.claim
        self.stale = consumed.stale

    def believed(self, records: Iterable[RecordLike]) -> Iterator[RecordLike]:
        """The records that are rows of an owner."""
        for record in records:
            key = record.key
            if not key:
                continue
            if key[0] == NOTE:
                self._note(key, record)
            elif not self.stale:
                yield record

    def _note(self, key: bytes, record: RecordLike) -> None:
        self.stale = False
        if key == CLAIM_KEY:
            self.claim = record.offset
        elif key == POSITION_KEY and record.value:
            note = _decode(record.value)
            if note.claim < self.claim:
                self.stale = True
            else:
                self.source_position = note.position
