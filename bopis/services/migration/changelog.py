"""Rows of a changelog as bytes, and the position in its source that they belong to."""

from collections.abc import Iterable

import msgspec

from bopis.domain.inventory.rows import Row, row_type
from bopis.ports import Record
from bopis.wire.changelog import ChangelogReader, Claim, Position, encode_note

MOVED_BY = "bopis topics migrate"


class FoldedChangelog:
    """One partition of a changelog: the newest record of each row, without notes."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.rows: dict[bytes, Record] = {}
        changelog = ChangelogReader()
        for record in changelog.rows(records):
            if record.value:
                self.rows[record.key or b""] = record
            else:
                self.rows.pop(record.key or b"", None)
        self.position = changelog.position

    def first_difference(self, rows: dict[str, Row]) -> str | None:
        """The first key, in alphabetical order, whose row differs from the given one; None if all are equal."""
        for key in sorted(rows.keys() | {it.decode() for it in self.rows}):
            record = self.rows.get(key.encode())
            if record is None or msgspec.json.decode(record.value or b"", type=row_type(key)) != rows.get(key):
                return key
        return None


def claim_note(at_ms: int) -> bytes:
    """The claim that opens a migrated partition. Its epoch is lower than any writer's."""
    return encode_note(Claim(MOVED_BY, -1, at_ms))


def position_note(position: int) -> bytes:
    """The position of the migrated rows. Their claim has offset 0."""
    return encode_note(Position(position, 0))
