"""Comparison of two ledgers by digests of ranges: every difference is named exactly, with few questions."""

from collections.abc import Sequence
from hashlib import sha256
from math import ceil, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bopis.domain.inventory.ledger import (
    NAMED_LINES_MAX,
    NAMED_MAX,
    PARTS,
    SHORT_LENGTH_MAX,
    DriftKind,
    LedgerDifference,
    LedgerDigest,
    LedgerEntry,
    LedgerSpan,
    Located,
    compared,
    differences_between,
    divided,
    entry_name,
    parsed_name,
    units_by_sku,
)
from bopis.domain.values import ChangeLine
from bopis.wire.ledger import digest_of

TILL = "till/00000000"
MISSING, EXTRA, DIFFERENT = (
    DriftKind.MISSING_AT_CENTRE,
    DriftKind.MISSING_IN_SHOP,
    DriftKind.DIFFERENT,
)


class Side:
    """A ledger in memory, which counts the digests that it was asked for."""

    def __init__(self, entries: dict[int, LedgerEntry], source: str = TILL) -> None:
        self.entries_of, self.source = entries, source
        self.digests_asked = self.rounds = 0

    def digests(self, spans: Sequence[LedgerSpan]) -> list[LedgerDigest]:
        self.rounds += 1
        self.digests_asked += len(spans)
        return [digest_of(bytes.fromhex(it.digest) for it in self._in(span) if it.digest) for span in spans]

    def entries(self, spans: Sequence[LedgerSpan]) -> list[list[LedgerEntry]]:
        return [self._in(span) for span in spans]

    def _in(self, span: LedgerSpan) -> list[LedgerEntry]:
        if span.source != self.source:
            return []
        return [self.entries_of[it] for it in range(span.first, span.last + 1) if it in self.entries_of]


def entry(sequence: int, content: str = "", message_id: str = "", **units: int) -> LedgerEntry:
    """An entry whose bytes depend on its sequence and content."""
    digest = sha256(f"{sequence} {content} {units}".encode()).hexdigest()
    name = message_id or f"m{sequence}"
    return LedgerEntry(sequence=sequence, id=name, digest=digest, at_ms=sequence, units=units, position=sequence)


MOST = 1_200
ALIKE = {it: entry(it) for it in range(1, MOST + 1)}


def whole(last: int) -> list[LedgerSpan]:
    return [LedgerSpan(source=TILL, first=1, last=last)]


def kinds(own: dict[int, LedgerEntry], centre: dict[int, LedgerEntry], last: int) -> dict[int, DriftKind]:
    located = differences_between(Side(own), Side(centre), whole(last), last)
    assert not located.more
    return {it.sequence: it.kind for it in located.differences}


@settings(deadline=None, max_examples=50)
@given(
    last=st.integers(1, MOST),
    missing=st.sets(st.integers(1, MOST), max_size=9),
    extra=st.sets(st.integers(1, MOST), max_size=9),
    different=st.sets(st.integers(1, MOST), max_size=9),
)
def test_random_differences_are_named_exactly(
    last: int, missing: set[int], extra: set[int], different: set[int]
) -> None:
    every = set(range(1, last + 1))
    missing, extra = missing & every, (extra & every) - missing
    different = (different & every) - missing - extra
    own = {it: ALIKE[it] for it in every - extra}
    centre = {it: entry(it, "other") if it in different else ALIKE[it] for it in every - missing}

    found = kinds(own, centre, last)

    expected = dict.fromkeys(missing, MISSING) | dict.fromkeys(extra, EXTRA) | dict.fromkeys(different, DIFFERENT)
    assert found == expected


@settings(deadline=None, max_examples=30)
@given(last=st.integers(SHORT_LENGTH_MAX + 1, MOST), gone=st.lists(st.integers(1, MOST), max_size=4, unique=True))
def test_few_digests_are_exchanged(last: int, gone: list[int]) -> None:
    gone = [it for it in gone if it <= last]
    shared = {it: ALIKE[it] for it in range(1, last + 1)}
    own, centre = Side(shared), Side({it: one for it, one in shared.items() if it not in gone})

    located = differences_between(own, centre, whole(last), last)

    depth = ceil(log(last, PARTS)) + 1
    assert [it.sequence for it in located.differences] == sorted(gone)
    assert centre.digests_asked <= 1 + len(gone) * PARTS * depth
    # Depth first, so a round is about one branch at least.
    assert centre.rounds <= 1 + len(gone) * depth


LACKING = {
    "missing at the centre": ({1: entry(1, a=-2)}, {}, MISSING, {"a": -2}, ("m1", "")),
    "missing in the shop": ({}, {1: entry(1, a=-2, b=1)}, EXTRA, {"a": 0, "b": 0}, ("", "m1")),
    "one message, two contents": (
        {1: entry(1, a=-3, b=-1)},
        {1: entry(1, a=-1, c=-4)},
        DIFFERENT,
        {"a": -2, "b": -1, "c": 4},
        ("m1", "m1"),
    ),
    "two messages under one sequence": (
        {1: entry(1, a=-3)},
        {1: entry(1, message_id="n1", a=-1)},
        DIFFERENT,
        {"a": -3},
        ("m1", "n1"),
    ),
}


@pytest.mark.parametrize("name", LACKING)
def test_a_difference_says_which_units_the_books_lack(name: str) -> None:
    own, centre, kind, units, ids = LACKING[name]

    [found] = differences_between(Side(own), Side(centre), whole(1), 9).differences

    assert (found.kind, found.name) == (kind, f"{TILL}#1")
    assert {it.sku: it.change for it in found.lines} == units
    assert (found.id, found.centre_id) == ids


@pytest.mark.parametrize("own", [{}, {1: entry(1)}, {1: entry(1, "other")}], ids=["absent", "alike", "different"])
@pytest.mark.parametrize("there", [True, False])
def test_a_closed_difference_is_none(own: dict[int, LedgerEntry], there: bool) -> None:
    closed = entry(1) if there else LedgerEntry(sequence=1)
    shown = LedgerEntry(sequence=1, id=closed.id, digest=closed.digest, units=closed.units, closed=True)

    assert kinds({**own, 2: entry(2)}, {1: shown}, 2) == {2: MISSING}


def test_sources_are_compared_apart() -> None:
    spans = [*whole(5), LedgerSpan(source="other/00000000", first=1, last=5)]

    located = differences_between(Side({1: entry(1)}), Side({1: entry(1)}, "other/00000000"), spans, 9)

    assert [(it.source, it.kind) for it in located.differences] == [("other/00000000", EXTRA), (TILL, MISSING)]


def test_the_search_ends_at_its_limit_and_says_so() -> None:
    located = differences_between(Side(ALIKE), Side({}), whole(MOST), 50)

    assert located.more
    assert 50 <= len(located.differences) < MOST
    assert [it.sequence for it in located.differences][:3] == [1, 2, 3]


def test_a_heartbeat_names_the_first_differences_within_its_size() -> None:
    lines = tuple(ChangeLine(sku=f"s{it}", change=1) for it in range(NAMED_LINES_MAX // 2))
    small = LedgerDifference(source=TILL, sequence=1, kind=MISSING)
    large = LedgerDifference(source=TILL, sequence=2, kind=MISSING, lines=lines)

    many = compared(5, 100, Located((small,) * (NAMED_MAX + 1), more=False))
    wide = compared(5, 100, Located((large,) * 3, more=True))

    assert (many.found, len(many.differences), many.is_clean) == (NAMED_MAX + 1, NAMED_MAX, False)
    assert (wide.found, len(wide.differences), wide.more) == (3, 2, True)
    assert compared(5, 100, Located((), more=False)).is_clean


def test_units_are_summed_by_sku_since_the_oldest_message() -> None:
    def of(at_ms: int, **units: int) -> LedgerDifference:
        lines = tuple(ChangeLine(sku=sku, change=change) for sku, change in units.items())
        return LedgerDifference(source=TILL, sequence=at_ms, kind=MISSING, at_ms=at_ms, lines=lines)

    assert units_by_sku([of(9, b=-1, a=2), of(4, a=-5), of(7, b=1)]) == {"a": (-3, 4), "b": (0, 7)}


@pytest.mark.parametrize(
    ("name", "parts"),
    [(entry_name("a#1/x", 7), ("a#1/x", 7)), ("a", None), ("#7", None), ("a#", None), ("a#-1", None), ("a#٧", None)],
)
def test_names_of_messages_are_read_back(name: str, parts: tuple[str, int] | None) -> None:
    assert parsed_name(name) == parts


@given(st.integers(1, 10_000), st.integers(0, 5_000), st.integers(1, 700))
def test_parts_of_a_span_cover_it_without_overlap(first: int, more: int, length: int) -> None:
    parts = divided(LedgerSpan(source=TILL, first=first, last=first + more), length)

    assert [it for part in parts for it in range(part.first, part.last + 1)] == list(range(first, first + more + 1))
    assert all(part.length <= length for part in parts)


def test_an_entry_that_is_there_twice_changes_the_digest() -> None:
    one, two, three = (sha256(it).digest() for it in (b"1", b"2", b"3"))

    assert len({digest_of([]), digest_of([one]), digest_of([one, one])}) == 3
    assert digest_of([one, one, three]) != digest_of([two, two, three]), "as an exclusive or they would be equal"
    assert digest_of([one, two]) == digest_of([two, one])
