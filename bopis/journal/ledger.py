"""The shop's side of a ledger comparison: the messages of its journal that move units and that the centre has
acknowledged."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from bopis.domain.inventory.ledger import (
    SPAN_LENGTH_MAX,
    Ledger,
    LedgerComparison,
    LedgerDigest,
    LedgerEntry,
    LedgerSpan,
    compared,
    differences_between,
    divided,
)
from bopis.journal.journal import SENT_AGAIN_THROUGH, Journal
from bopis.journal.taking import wire_source
from bopis.wire.ledger import SourceMark, digest_of, hash_of, is_moving, journal_entry

PORTION_ROWS = 500
LOCATED_MAX = 200  # more differences are one fault with many effects: the first of them show it


class _Row(NamedTuple):
    sequence: int
    position: int
    value: bytes


class JournalLedger:
    """Implements `bopis.domain.inventory.ledger.Ledger` over a journal, up to a position of it."""

    def __init__(self, journal: Journal, through: int = 0) -> None:
        self._journal, self._through = journal, through
        rows = journal.ask("SELECT id, name FROM source ORDER BY name")
        self._known: dict[LedgerSpan, LedgerDigest] = {}
        self._ids = {wire_source(name, journal.identity): int(number) for number, name in rows}

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of its sources in the log."""
        return tuple(self._ids)

    def digests(self, spans: Sequence[LedgerSpan]) -> list[LedgerDigest]:
        for span in spans:
            # Acknowledged messages do not change while they are compared.
            if span not in self._known:
                self._known[span] = digest_of(hash_of(row.value) for row in self._rows(span))
        return [self._known[span] for span in spans]

    def entries(self, spans: Sequence[LedgerSpan]) -> list[list[LedgerEntry]]:
        return [[journal_entry(row.value, row.sequence, row.position) for row in self._rows(span)] for span in spans]

    def settled_through(self, marks: Iterable[SourceMark]) -> int:
        """The position up to which the centre has applied everything; 0 if that cannot be known now.

        The journal is sent in its order, and a store's messages are applied in the order of the log. So the centre has
        applied all that was sent before the newest message in its books, and all of it was acknowledged. After messages
        were sent again, the centre may know a newer one while they are still on their way: it is known again with the
        first message that was written after them.
        """
        through = 0
        for mark in marks:
            query = "SELECT max(position) FROM entry WHERE source_id = ? AND sequence <= ?"
            [(position,)] = self._journal.ask(query, self._ids[mark.source], mark.top)
            through = max(through, position or 0)
        if through <= int(self._journal.meta(SENT_AGAIN_THROUGH) or 0):
            return 0
        return min(through, self._journal.acknowledged())

    def spans(self, marks: Iterable[SourceMark]) -> list[LedgerSpan]:
        """For each source the sequences that the journal keeps and both sides can compare. Where the centre has later
        ones than the journal ever wrote, for example after an older copy of the disk was put back, these too."""
        query = (
            "SELECT min(e.sequence), max(e.sequence), s.sequence FROM source s LEFT JOIN entry e"
            " ON e.source_id = s.id AND e.position <= ? WHERE s.id = ?"
        )
        found = []
        for mark in marks:
            [(first, last, written)] = self._journal.ask(query, self._through, self._ids[mark.source])
            if first is None:
                continue
            first, last = max(first, mark.first), mark.top if mark.top > written else last
            if first <= last:
                found.append(LedgerSpan(source=mark.source, first=first, last=last))
        return found

    def up_to(self, position: int) -> "JournalLedger":
        """The same ledger up to another position."""
        return JournalLedger(self._journal, position)

    def _rows(self, span: LedgerSpan) -> Iterator[_Row]:
        query = (
            "SELECT sequence, position, value FROM entry WHERE source_id = ? AND sequence BETWEEN ? AND ?"
            " AND position <= ? ORDER BY sequence LIMIT ?"
        )
        first, source = span.first, self._ids[span.source]
        # A portion at a time: a week of a shop would not fit into the memory of its small machine.
        while rows := self._journal.ask(query, source, first, span.last, self._through, PORTION_ROWS):
            yield from (_Row(*row) for row in rows if is_moving(row[2]))
            first = rows[-1][0] + 1


class Centre(Ledger, Protocol):
    """The other side, which also states how far it can compare."""

    def marks(self, sources: Sequence[str]) -> Sequence[SourceMark]:
        """The sequences of some sources that it can compare."""
        ...


def compare(journal: Journal, centre: Centre) -> LedgerComparison | None:
    """Compare a journal with the centre's books; None while the centre has not applied what was sent last."""
    own = JournalLedger(journal)
    marks = [it for it in centre.marks(own.sources) if it.source in own.sources]
    own = own.up_to(own.settled_through(marks))
    spans = [part for span in own.spans(marks) for part in divided(span, SPAN_LENGTH_MAX)]
    if not spans:
        return None
    located = differences_between(own, centre, spans, LOCATED_MAX)
    return compared(journal.now_ms(), sum(it.count for it in own.digests(spans)), located)
