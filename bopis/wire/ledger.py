"""Ledger digest over HTTP: the question of a store's agent about ranges of its messages, and the centre's answer; and
the entry that a message makes on both sides."""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bopis.domain.inventory.ledger import MODULUS, SPANS_MAX, LedgerDigest, LedgerEntry, LedgerSpan
from bopis.domain.inventory.messages import (
    Condition,
    PosReturn,
    PosSale,
    StockAdjusted,
    StockCounted,
    StockReceived,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.outcomes import net_of
from bopis.domain.message import Message
from bopis.domain.values import Id, StoreId, epoch_ms
from bopis.wire.errors import WireError
from bopis.wire.stock import STOCK

PATH = "/v1/pos/ledger"
SOURCES_MAX = 1_000
# Reports that move units. Heartbeats are many and move none; announcements are about goods that are not there yet.
MOVING = (PosSale, PosReturn, StockReceived, StockCounted, StockAdjusted, TransferShipped, TransferReceived)
_MOVING_TYPES = frozenset(STOCK.type_name(body).rpartition(".v")[0] for body in MOVING)
# The name of a source of a journal ends with the journal's own id.
_OF_JOURNAL = re.compile(r"/[0-9a-f]{8}\Z")


class SourceMark(Struct, frozen=True, kw_only=True):
    """The sequences of a source that the centre can compare: from `first` on, and the greatest one in its books."""

    source: Id
    first: int
    top: int


class RangeDigest(Struct, frozen=True, kw_only=True):
    """Digest of one range: its number of entries, and in hexadecimal digits their sum."""

    count: int
    total: str


class LedgerQuestion(Struct, frozen=True, kw_only=True):
    """Question about a store: the marks of sources, the digests of ranges, or with `entries` the entries in them."""

    store: StoreId
    sources: Annotated[tuple[Id, ...], Meta(max_length=SOURCES_MAX)] = ()
    spans: Annotated[tuple[LedgerSpan, ...], Meta(max_length=SPANS_MAX)] = ()
    entries: bool = False


class LedgerAnswer(Struct, frozen=True, kw_only=True):
    """Answer to a question, in its order. A source without a mark is not known."""

    sources: tuple[SourceMark, ...] = ()
    digests: tuple[RangeDigest, ...] = ()
    entries: tuple[tuple[LedgerEntry, ...], ...] = ()


class _Typed(Struct):
    type: str


_typed = msgspec.json.Decoder(_Typed).decode


def is_of_journal(source: str) -> bool:
    """Whether messages of a source come from a journal, so that their ledger can be compared."""
    return _OF_JOURNAL.search(source) is not None


def is_moving(value: bytes) -> bool:
    """Whether the bytes of a message are those of a report that moves units, or cannot be read any more."""
    try:
        return _typed(value).type.rpartition(".v")[0] in _MOVING_TYPES
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True


def digest_of(hashes: Iterable[bytes]) -> LedgerDigest:
    """The digest of entries with these SHA-256 values."""
    count = total = 0
    for it in hashes:
        count += 1
        total += int.from_bytes(it, "big")
    return LedgerDigest(count, total % MODULUS)


def hash_of(value: bytes) -> bytes:
    """The SHA-256 of a message: its bytes name store, source, sequence, id, SKUs and units."""
    return sha256(value).digest()


def stated_units(message: Message) -> dict[str, int]:
    """Changes of on hand that a message states, by code; 0 where they follow from other messages, too (a count)."""
    data = message.data
    if isinstance(data, TransferShipped):
        cells = [(line.sku, -line.quantity) for line in data.lines]
    elif isinstance(data, TransferReceived):
        cells = [(line.sku, line.quantity) for line in data.lines]
    elif (net := net_of((data,))) is not None:
        cells = [(it.sku, -it.units if it.condition is Condition.SELLABLE else 0) for it in net]
    else:
        cells = [(line.sku, 0) for line in data.lines]
    units: dict[str, int] = {}
    for sku, change in cells:
        units[sku] = units.get(sku, 0) + change
    return units


def journal_entry(value: bytes, sequence: int, position: int) -> LedgerEntry:
    """The entry that a message of a journal makes; without id and units if its bytes cannot be read any more."""
    digest = hash_of(value).hex()
    try:
        message = STOCK.decode(value)
    except WireError:
        return LedgerEntry(sequence=sequence, digest=digest, position=position)
    return LedgerEntry(
        sequence=sequence,
        id=message.id,
        digest=digest,
        at_ms=epoch_ms(message.time),
        units=stated_units(message),
        position=position,
    )


def shown_digest(digest: LedgerDigest) -> RangeDigest:
    """A digest as it is sent."""
    return RangeDigest(count=digest.count, total=f"{digest.total:x}")


def read_digest(digest: RangeDigest) -> LedgerDigest:
    """A digest as it was sent. Raises `ValueError`."""
    return LedgerDigest(digest.count, int(digest.total, 16))
