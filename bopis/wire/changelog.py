"""The format of a changelog, and its one reader.

A changelog contains the rows of a processor. A key that begins with a zero byte is a note of a writer; every other
record is a row (no value: the row was deleted). Each owner of a partition opens with a claim. Each commit is one atomic
batch: the position of the source up to which the rows are decided, then the rows.

Any client of the log may write to a changelog by mistake. A record that is no row changes nothing: it is skipped, and
named with its offset and the cause.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from bopis.domain.inventory.rows import NO_STORE, Row, row_type, split_key
from bopis.domain.notices.state import OrderNotices
from bopis.domain.orders.state import Order
from bopis.names import LEVELS_TOPIC, NOTICE_STATE_TOPIC, ORDER_STATE_TOPIC
from bopis.wire.errors import WireError
from bopis.wire.placement import Placement

NOTE = 0
POSITION_KEY = b"\x00position"
CLAIM_KEY = b"\x00claim"
NO_POSITION = -1
NO_CLAIM = -1


class Position(msgspec.Struct, frozen=True):
    """First record of every commit batch: everything up to `position` of the source is in the rows.

    `claim` is the offset of the owner's claim. It only grows from owner to owner, so a batch that names an older
    claim than the newest one was written by an owner that had lost the partition.
    """

    position: int
    claim: int = NO_CLAIM


class Claim(msgspec.Struct, frozen=True):
    """First record of every ownership: no earlier owner can write after it."""

    instance: str
    epoch: int
    at_ms: int


class ChangelogRecord(Protocol):
    """One record of a changelog, as any client of the log returns it."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class SkippedRecord(NamedTuple):
    """A record of a changelog that is no row, and why."""

    offset: int
    key: bytes
    cause: str


RecordT = TypeVar("RecordT", bound=ChangelogRecord)
DecodeRow = Callable[[str, bytes], Any]

# Everything that decoding bytes of a stranger may raise; an unknown kind of row is a KeyError.
ROW_ERRORS = (WireError, msgspec.MsgspecError, ValueError, LookupError, RecursionError)
SKIPPED_KEPT_MAX = 100
CAUSE_CHARACTERS_MAX = 200

_encode = msgspec.json.Encoder().encode
_decode_position = msgspec.json.Decoder(Position).decode


def encode_note(note: Position | Claim) -> bytes:
    """The value of a note; its key is `POSITION_KEY` or `CLAIM_KEY`."""
    return _encode(note)


def decode_position(value: bytes) -> Position:
    """The note under `POSITION_KEY`."""
    return _decode_position(value)


_row_decoders: dict[type[Row], msgspec.json.Decoder[Row]] = {}


def decode_level_row(key: str, value: bytes) -> Row | None:
    """A row of `inventory-levels`; None for no value. Raises `MsgspecError` or `ValueError`."""
    kind = row_type(key)
    if not value:
        return None
    decoder = _row_decoders.get(kind)
    if decoder is None:
        decoder = _row_decoders[kind] = msgspec.json.Decoder(kind)
    return decoder.decode(value)


def _decode_with(kind: type[msgspec.Struct]) -> DecodeRow:
    decode = msgspec.json.Decoder(kind).decode
    return lambda _, value: decode(value) if value else None


ROW_DECODERS: dict[str, DecodeRow] = {
    LEVELS_TOPIC: decode_level_row,
    ORDER_STATE_TOPIC: _decode_with(Order),
    NOTICE_STATE_TOPIC: _decode_with(OrderNotices),
}


def placed_decoder(topic: str, placement: Placement) -> DecodeRow:
    """The decoder of a changelog's rows that raises `Misplaced` for a row whose subject belongs in another
    partition. An earlier version decided such subjects in two partitions."""
    decode = ROW_DECODERS[topic]

    def decode_placed(key: str, value: bytes) -> Any:
        subject = subject_of(topic, key)
        # Rows that are about no store (the inventory's memory of articles) are in each partition.
        if subject != NO_STORE:
            placement.check(subject, None)
        return decode(key, value) if value else None

    return decode_placed


def subject_of(topic: str, key: str) -> str:
    """The store or order that a row of a changelog is about."""
    return split_key(key)[1] if topic == LEVELS_TOPIC else key


class ChangelogReader:
    """Reads one partition of a changelog, from any record on: follows its notes and passes on its rows.

    Rows of a writer that had lost the partition are skipped. The log's own fence rejects such batches; this is a
    second safeguard. `position` is the newest position of the source that is in the rows, `claim` the offset of the
    newest claim, `fenced` whether the rows that follow are skipped, `fenced_records` the number of skipped records.

    With `decode`, a record that it cannot decode is no row: it is skipped and the newest of them are in `skipped`.
    """

    __slots__ = ("_decode", "claim", "fenced", "fenced_records", "position", "skipped", "skipped_records")

    def __init__(
        self,
        position: int = NO_POSITION,
        claim: int = NO_CLAIM,
        fenced: bool = False,
        decode: DecodeRow | None = None,
    ) -> None:
        self.position = position
        self.claim = claim
        self.fenced = fenced
        self.fenced_records = 0
        self.skipped: deque[SkippedRecord] = deque(maxlen=SKIPPED_KEPT_MAX)
        self.skipped_records = 0
        self._decode = decode

    def rows(self, records: Iterable[RecordT]) -> Iterator[RecordT]:
        """The records that are rows of an owner, in order; also those without a key, which no writer publishes."""
        return filter(self.is_row, records)

    def is_row(self, record: ChangelogRecord) -> bool:
        """Take the next record. Returns whether it is a row of an owner; a note is followed."""
        key = record.key
        if key and key[0] == NOTE:
            self._note(key, record)
            return False
        if self.fenced:
            self.fenced_records += 1
            return False
        if self._decode is not None:
            return self._is_readable(self._decode, record)
        return True

    def _is_readable(self, decode: DecodeRow, record: ChangelogRecord) -> bool:
        if not record.key:
            self._skip(record, "a record without a key")
            return False
        try:
            key = record.key.decode()
            decode(key, record.value or b"")
        except ROW_ERRORS as error:
            self._skip(record, str(error))
            return False
        return True

    def _skip(self, record: ChangelogRecord, cause: str) -> None:
        self.skipped_records += 1
        self.skipped.append(SkippedRecord(record.offset, record.key or b"", cause[:CAUSE_CHARACTERS_MAX]))

    def take_position(self, note: Position, record: ChangelogRecord) -> None:  # noqa: ARG002  (subclasses look at it)
        """Take the position of an owner's commit."""
        self.position = note.position

    def _note(self, key: bytes, record: ChangelogRecord) -> None:
        self.fenced = False
        if key == CLAIM_KEY:
            self.claim = record.offset
        elif key == POSITION_KEY and record.value:
            try:
                note = _decode_position(record.value)
            except ROW_ERRORS as error:
                self._skip(record, str(error))
                return
            if note.claim < self.claim:
                self.fenced = True
                self.fenced_records += 1
            else:
                # A reader that starts in the middle of the changelog learns of an owner from its first commit.
                self.claim = note.claim
                self.take_position(note, record)
