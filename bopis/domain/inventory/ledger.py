"""Ledger digest: comparison of a shop's journal with the centre's books by digests of ranges. Pure.

Range-based set reconciliation (A. Meyer, "Range-Based Set Reconciliation", SRDS 2023): both sides have a set of
entries in one total order, here the messages that move units, by source and sequence. The digest of a range is the
number of its entries and the sum of their SHA-256 values modulo 2^256, so it does not depend on the order in which they
are added. Ranges with equal digests are equal; the others are divided until they are short enough to compare entry by
entry. With `d` differences among `n` entries that takes O(d log n) digests in O(log n) rounds.

A sum, and not an exclusive or, as an entry that is there twice would not show in the latter. The digest finds faults;
it does not withstand somebody who searches for entries whose hashes have a wanted sum.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, NamedTuple, Protocol

from msgspec import Meta, Struct

from bopis.domain.values import LINES_MAX, ChangeLine, Counted, Id
from bopis.domain.values import Sequence as SequenceNumber

MODULUS = 1 << 256
PARTS = 16  # into which a range that differs is divided
SHORT_LENGTH_MAX = 16  # a range of up to this length is compared entry by entry
SPANS_MAX = 64  # ranges in one request
SPAN_LENGTH_MAX = 100_000
NAMED_MAX = 20  # differences in one heartbeat
NAMED_LINES_MAX = 2_000
AT_MS_MAX = (1 << 53) - 1

AtMs = Annotated[int, Meta(ge=0, le=AT_MS_MAX)]


class LedgerSpan(Struct, frozen=True, kw_only=True):
    """The messages of a source from one sequence to another one, both included."""

    source: Id
    first: SequenceNumber
    last: SequenceNumber

    @property
    def length(self) -> int:
        """Number of sequences in it."""
        return self.last - self.first + 1


class LedgerDigest(Struct, frozen=True):
    """Number of entries in a range, and the sum of their SHA-256 values modulo 2^256."""

    count: int = 0
    total: int = 0


class LedgerEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message that moves units, as one side has it.

    `digest` is the SHA-256 of its bytes in hexadecimal digits. `units` are the changes of on hand that it states, by
    the codes that it was sent with; 0 for a count. `position` is its place in the shop's journal. `closed`: a person
    has closed the difference about this sequence; the message itself may be absent then (`digest` empty).
    """

    sequence: SequenceNumber
    id: str = ""
    digest: str = ""
    at_ms: int = 0
    units: dict[str, int] = {}
    position: int = 0
    closed: bool = False


class Ledger(Protocol):
    """One side of a comparison. Answers are in the order of the spans."""

    def digests(self, spans: Sequence[LedgerSpan]) -> Sequence[LedgerDigest]:
        """The digest of each span."""
        ...

    def entries(self, spans: Sequence[LedgerSpan]) -> Sequence[Sequence[LedgerEntry]]:
        """The entries of each span, by sequence."""
        ...


class DriftKind(StrEnum):
    """How the two sides differ about one sequence of a source."""

    MISSING_AT_CENTRE = "missing_at_centre"
    MISSING_IN_SHOP = "missing_in_shop"
    DIFFERENT = "different"


class LedgerDifference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message that the two sides do not have alike.

    `id` is the one in the journal, `centre_id` that in the books; `position` its place in the journal (0: it is not
    there), `at_ms` when it happened. `lines` are the changes that the centre's books lack. Of two messages with
    different ids under one sequence both happened, so the books lack all of the journal's; of one message with two
    contents, the difference. A message that cannot be read in the journal any more has no id.
    """

    source: Id
    sequence: SequenceNumber
    kind: DriftKind
    id: str = ""
    centre_id: str = ""
    position: AtMs = 0
    at_ms: AtMs = 0
    lines: Annotated[tuple[ChangeLine, ...], Meta(max_length=LINES_MAX)] = ()

    @property
    def name(self) -> str:
        """Its name: source and sequence."""
        return entry_name(self.source, self.sequence)


class LedgerComparison(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Result of one comparison at an instant: how many messages of the journal were compared, and the differences.

    `found` counts the differences that were located; the first of them are named. `more`: the comparison ended with
    ranges left that differ, too.
    """

    at_ms: AtMs
    messages: Counted
    found: Counted = 0
    more: bool = False
    differences: tuple[LedgerDifference, ...] = ()

    def still_open(self, named: Sequence[LedgerDifference]) -> int:
        """How many located differences are open when these named ones are; those without a name here are."""
        return self.found - len(self.differences) + len(named)

    @property
    def is_clean(self) -> bool:
        """Whether both sides agree."""
        return not self.found and not self.more


class Located(NamedTuple):
    """The differences that were located, in order; `more` when the search ended at its limit."""

    differences: tuple[LedgerDifference, ...]
    more: bool


def entry_name(source: str, sequence: int) -> str:
    """Name of a message of a source, as closings state it."""
    return f"{source}#{sequence}"


def parsed_name(name: str) -> tuple[str, int] | None:
    """Source and sequence in a name of `entry_name`; None for another text."""
    source, _, number = name.rpartition("#")
    return (source, int(number)) if source and number.isascii() and number.isdigit() else None


def divided(span: LedgerSpan, length: int) -> list[LedgerSpan]:
    """A span in parts of at most a length."""
    firsts = range(span.first, span.last + 1, length)
    return [LedgerSpan(source=span.source, first=it, last=min(it + length - 1, span.last)) for it in firsts]


def differences_between(own: Ledger, centre: Ledger, spans: Iterable[LedgerSpan], most: int) -> Located:
    """The differences of a shop's ledger (`own`) and the centre's in some spans: at least `most`, if there are so
    many."""
    waiting = [part for span in spans for part in divided(span, SPAN_LENGTH_MAX)]
    found: list[LedgerDifference] = []
    while waiting and len(found) < most:
        asked, waiting = waiting[:SPANS_MAX], waiting[SPANS_MAX:]
        unequal = [
            span
            for span, mine, theirs in zip(asked, own.digests(asked), centre.digests(asked), strict=True)
            if mine != theirs
        ]
        short = [it for it in unequal if it.length <= SHORT_LENGTH_MAX]
        if short:
            for span, mine, theirs in zip(short, own.entries(short), centre.entries(short), strict=True):
                found += _paired(span.source, mine, theirs)
        parts = [part for it in unequal if it.length > SHORT_LENGTH_MAX for part in divided(it, -(-it.length // PARTS))]
        # Depth first: the oldest differences are named first when there are too many.
        waiting = parts + waiting
    return Located(tuple(sorted(found, key=lambda it: (it.source, it.sequence))), bool(waiting))


def compared(at_ms: int, messages: int, located: Located) -> LedgerComparison:
    """The result of a comparison, with as many differences named as a heartbeat carries."""
    named: list[LedgerDifference] = []
    lines = 0
    for it in located.differences[:NAMED_MAX]:
        lines += len(it.lines)
        if lines > NAMED_LINES_MAX:
            break
        named.append(it)
    return LedgerComparison(
        at_ms=at_ms,
        messages=messages,
        found=len(located.differences),
        more=located.more,
        differences=tuple(named),
    )


def units_by_sku(differences: Iterable[LedgerDifference]) -> dict[str, tuple[int, int]]:
    """By SKU the units that the centre's books lack, and the time of the oldest message among them."""
    found: dict[str, tuple[int, int]] = {}
    for difference in differences:
        for line in difference.lines:
            units, since_ms = found.get(line.sku, (0, difference.at_ms))
            found[line.sku] = (units + line.change, min(since_ms, difference.at_ms))
    return {sku: found[sku] for sku in sorted(found)}


def _paired(source: str, mine: Sequence[LedgerEntry], theirs: Sequence[LedgerEntry]) -> list[LedgerDifference]:
    own, centre = {it.sequence: it for it in mine}, {it.sequence: it for it in theirs}
    found = []
    for sequence in sorted(own.keys() | centre.keys()):
        ours, booked = own.get(sequence), centre.get(sequence)
        if booked is not None and booked.closed:
            continue
        if ours is None and booked is not None:
            units = dict.fromkeys(booked.units, 0)
            found.append(_difference(source, DriftKind.MISSING_IN_SHOP, booked, booked.id, units))
        elif ours is not None and booked is None:
            found.append(_difference(source, DriftKind.MISSING_AT_CENTRE, ours, "", ours.units))
        elif ours is not None and booked is not None and ours.digest != booked.digest:
            units = _lacking(ours, booked)
            found.append(_difference(source, DriftKind.DIFFERENT, ours, booked.id, units))
    return found


def _lacking(ours: LedgerEntry, booked: LedgerEntry) -> dict[str, int]:
    if not ours.id:
        return dict.fromkeys(booked.units, 0)  # it cannot be read any more, and the books have it
    if ours.id != booked.id:
        return ours.units
    skus = sorted(ours.units.keys() | booked.units.keys())
    return {sku: ours.units.get(sku, 0) - booked.units.get(sku, 0) for sku in skus}


def _difference(
    source: str, kind: DriftKind, entry: LedgerEntry, centre_id: str, units: dict[str, int]
) -> LedgerDifference:
    return LedgerDifference(
        source=source,
        sequence=entry.sequence,
        kind=kind,
        id="" if kind is DriftKind.MISSING_IN_SHOP else entry.id,
        centre_id=centre_id,
        position=entry.position,
        at_ms=max(0, entry.at_ms),
        lines=tuple(ChangeLine(sku=sku, change=change) for sku, change in units.items()),
    )
