"""Values that go into the journal and come out of it."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

import msgspec
from msgspec import Struct

from bopis.domain.inventory.messages import Report

FINGERPRINT_BYTES = 16


class Basket(Struct, frozen=True, kw_only=True):
    """One message of a source before it has a sequence: what happened, and when.

    `key` makes it the same basket wherever it is found again under its source; `fingerprint` is equal for equal
    content. `place` is where it was found, for example ``day.csv:17``.
    """

    key: str
    fingerprint: bytes
    body: Report
    time: datetime
    place: str = ""
    actor: str = ""


class Reject(Struct, frozen=True, kw_only=True):
    """A record that cannot be booked: where it was found, why, and its bytes. `key` is its message id, if known."""

    place: str
    cause: str
    content: bytes = b""
    key: str = ""


Found = Basket | Reject


class Outcome(StrEnum):
    """Outcome of one record that was handed to the journal."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CHANGED = "changed"
    REJECTED = "rejected"


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

    Raises `OSError` when the file cannot be read; everything that its content does wrong is a `Reject`.
    """

    def __call__(self, content: "ByteSource", name: str) -> Iterator[Found]: ...


class ByteSource(Protocol):
    """A file that is open for reading bytes."""

    def readline(self, size: int = -1, /) -> bytes: ...


_canonical = msgspec.json.Encoder(order="deterministic").encode


def fingerprint_of(body: Report, time: datetime) -> bytes:
    """The fingerprint of a message of ours: type, body and time, however its JSON was written."""
    digest = sha256(type(body).__name__.encode())
    digest.update(_canonical([body, time]))
    return digest.digest()[:FINGERPRINT_BYTES]
