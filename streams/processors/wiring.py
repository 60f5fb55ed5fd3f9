"""Everything that processors share: records to messages, rows to JSON, deadlines, ticks, ids that follow from causes.

A new processor needs its core (a pure `step` over rows), its wire (a `Family` of message types) and a module beside
this one, named in `streams/process/compose.py`. With one row per subject it derives from `TimedRows` and writes
`handle` alone.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2s
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from bopis.domain.message import Message
from bopis.wire.envelope import Family
from streams.engine.processor import Poison
from streams.engine.rows import PartitionRows

# A longer cause is named by its digest, so that the ids that follow from it still fit.
CAUSE_LENGTH_MAX = 256
DIGEST_BYTES = 12
# Subjects to which one check of the deadlines sends a tick.
TICKS_MAX = 500

encode_row = msgspec.json.Encoder().encode


class TimedRow(Protocol):
    """A row with a deadline in milliseconds since 1970 (0: none). `fired` counts the deadlines that were decided."""

    @property
    def due_ms(self) -> int: ...
    @property
    def fired(self) -> int: ...


class MakeTick(Protocol):
    """The type of a processor's tick."""

    def __call__(self, *, at: datetime) -> Any: ...


RowT = TypeVar("RowT", bound=TimedRow)


class _Due(msgspec.Struct):
    due_ms: int = 0


_decode_due = msgspec.json.Decoder(_Due).decode


def deadline_of(value: bytes) -> int | None:
    """The deadline of an encoded row that keeps it in `due_ms`. Decodes nothing else."""
    return _decode_due(value).due_ms or None


def poison(error: Exception) -> Poison:
    """The error of a message that can never be handled, as the cause of its parking."""
    return Poison(f"{type(error).__name__}: {error}")


def at_instant(at_ms: int) -> datetime:
    """Milliseconds since 1970 as an aware UTC time."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def digest(text: str, size: int = DIGEST_BYTES) -> str:
    """A short name of a text, as hexadecimal digits."""
    return blake2s(text.encode(), digest_size=size).hexdigest()


def cause_id(message: Message) -> str:
    """The cause of a message's conclusions, short enough to be part of their ids."""
    return message.cause if len(message.cause) <= CAUSE_LENGTH_MAX else digest(message.cause)


def numbered(stem: str, firing: int) -> str:
    """The stem of ids that follow from a firing of a deadline: ticks of one name may come again, each with conclusions
    of its own. `firing` 0: the message is no tick."""
    return f"{stem}/{firing}" if firing else stem


class TimedRows(Generic[RowT]):
    """Rows of one type as JSON, one per subject, each with its own deadline: a tick is about one subject alone."""

    def __init__(self, name: str, row_type: type[RowT], family: Family, tick: MakeTick) -> None:
        self._name = name
        self._family = family
        self._tick = tick
        self._decode = msgspec.json.Decoder(row_type).decode

    def encode(self, key: str, row: Any) -> bytes:  # noqa: ARG002  (the protocol's)
        """A row as JSON."""
        return encode_row(row)

    def decode(self, key: str, value: bytes) -> RowT:  # noqa: ARG002  (the protocol's)
        """A row from JSON."""
        return self._decode(value)

    def deadline(self, key: str, value: bytes) -> int | None:  # noqa: ARG002  (the protocol's)
        """The deadline of an encoded row."""
        return deadline_of(value)

    def tick(self, rows: PartitionRows, at_ms: int) -> Sequence[tuple[bytes, bytes]]:
        """One message to each subject whose deadline has come, `TICKS_MAX` at most."""
        return [self._tick_of(subject, rows) for subject in rows.due(at_ms)[:TICKS_MAX]]

    def firing(self, rows: PartitionRows, subject: str) -> int:
        """Which firing of its deadline a subject's row has just decided."""
        return self._row(rows, subject).fired

    def _tick_of(self, subject: str, rows: PartitionRows) -> tuple[bytes, bytes]:
        due_ms = self._row(rows, subject).due_ms
        at = at_instant(due_ms)
        message = Message(
            id=f"tick/{subject}/{due_ms}", source=self._name, time=at, subject=subject, data=self._tick(at=at)
        )
        return subject.encode(), self._family.encode_trusted(message)

    def _row(self, rows: PartitionRows, subject: str) -> RowT:
        row: RowT | None = rows.get(subject)
        assert row is not None, f"{subject} has a deadline and no row"
        return row
