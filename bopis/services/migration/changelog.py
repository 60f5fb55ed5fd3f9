"""The rows of the inventory's changelog as bytes, and the position of the messages that they stand for."""

from collections.abc import Iterable

import msgspec

from bopis.domain.inventory.rows import Row, row_type
from bopis.ports import Record
from bopis.services.progress import POSITION_KEY

CLAIM_KEY = b"\x00claim"
NOTE = 0
NO_POSITION = -1
MOVED_BY = "bopis topics migrate"


class _Position(msgspec.Struct):
    position: int
    claim: int


class _Claim(msgspec.Struct):
    instance: str
    epoch: int
    at_ms: int


class Changelog:
    """One partition of it, folded: the newest record of each row, notes left out."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.rows: dict[bytes, Record] = {}
        self.position = NO_POSITION
        self._claim = -1
        self._stale = False
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        key = record.key or b""
        if key[:1] == bytes([NOTE]):
            self._note(key, record)
        elif self._stale:
            return
        elif record.value:
            self.rows[key] = record
        else:
            self.rows.pop(key, None)

    def _note(self, key: bytes, record: Record) -> None:
        self._stale = False
        if key == CLAIM_KEY:
            self._claim = record.offset
        elif key == POSITION_KEY and record.value:
            note = msgspec.json.decode(record.value, type=_Position)
            # A commit that names an older claim was written by somebody who had lost the partition.
            self._stale = note.claim < self._claim
            if not self._stale:
                self.position = note.position

    def first_difference(self, rows: dict[str, Row]) -> str | None:
        """The first key, by name, whose row here is not the one given; None when all are the same."""
        for key in sorted(rows.keys() | {it.decode() for it in self.rows}):
            record = self.rows.get(key.encode())
            if record is None or msgspec.json.decode(record.value or b"", type=row_type(key)) != rows.get(key):
                return key
        return None


def claim_note(at_ms: int) -> bytes:
    """The claim that opens a moved partition, so that it looks like any other. No writer has an epoch below it."""
    return msgspec.json.encode(_Claim(MOVED_BY, -1, at_ms))


def position_note(position: int) -> bytes:
    """The position that moved rows stand for; the claim stands at offset 0."""
    return msgspec.json.encode(_Position(position, 0))
