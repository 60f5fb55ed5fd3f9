"""Values that go into the journal and come out of it."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from bopis.domain.inventory.messages import PosReturn, PosSale, Report
from bopis.domain.inventory.outcomes import NetUnits, Outcome, kind_of, net_of

FINGERPRINT_BYTES = 16


class Basket(Struct, frozen=True, kw_only=True):
    """One basket, or another report of a source, before it has a sequence: its messages, and when it happened.

    `key` makes it the same basket wherever it is found again under its source; `fingerprint` is equal for equal
    content. One without messages has no goods: that matters where it was booked with some before. `place` is where it
    was found, for example ``day.csv:17``, `number` its number at the till, if it is not in the messages.
    """

    key: str
    fingerprint: bytes
    bodies: tuple[Report, ...]
    time: datetime
    place: str = ""
    actor: str = ""
    number: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it has no goods."""
        return not self.bodies

    @property
    def kind(self) -> str:
        """The type of its messages."""
        return kind_of(self.bodies)

    @property
    def net(self) -> tuple[NetUnits, ...] | None:
        """The units that it moves; None where its messages alone do not tell."""
        return net_of(self.bodies)

    @property
    def basket(self) -> str:
        """Its number at the till."""
        named = (it.basket for it in self.bodies if isinstance(it, PosSale | PosReturn))
        return self.number or next(named, self.key)


class Reject(Struct, frozen=True, kw_only=True):
    """A record that cannot be booked: where it was found, why, and its bytes. `key` is its message id, if known."""

    place: str
    cause: str
    content: bytes = b""
    key: str = ""


Found = Basket | Reject


class Taken(Struct, frozen=True, kw_only=True):
    """Outcome of one record, and the position of a new one. `cause` says why it was rejected."""

    outcome: Outcome
    position: int = 0
    cause: str = ""


class Entry(Struct, frozen=True, kw_only=True):
    """One message in the journal. `position` orders all messages, `sequence` those of one source, from 1 without
    holes; `value` is the message as it is sent. Times are epoch milliseconds."""

    position: int
    source: str
    sequence: int
    taken_ms: int
    value: bytes


class Cursor(Struct, frozen=True, kw_only=True):
    """How far a growing file was read: the file's identity, and the bytes that are in the journal."""

    file: str
    identity: str
    offset: int


class Reader(Protocol):
    """Reads one file of a source from its beginning, in order, in bounded memory.

    `name` is the file in places of records. Raises `OSError` when the file cannot be read now, and `FileRefused` when
    it can never be read on; everything else that its content does wrong is a `Reject`.
    """

    def __call__(self, path: Path, name: str) -> Iterator[Found]: ...


_canonical = msgspec.json.Encoder(order="deterministic").encode


def fingerprint_of(body: Report, time: datetime) -> bytes:
    """The fingerprint of a message of ours: type, body and time, however its JSON was written."""
    digest = sha256(type(body).__name__.encode())
    digest.update(_canonical([body, time]))
    return digest.digest()[:FINGERPRINT_BYTES]
