"""The centre's side of a ledger comparison, as a store's agent asks for it."""

from collections.abc import Callable, Sequence

from bopis.domain.inventory.ledger import LedgerDigest, LedgerEntry, LedgerSpan
from bopis.uplink.errors import CentreRefused
from bopis.wire.ledger import SOURCES_MAX, LedgerAnswer, LedgerQuestion, SourceMark, read_digest


class CentreLedger:
    """Implements `bopis.journal.ledger.Centre` over requests to the centre. Each method raises `UplinkError`."""

    def __init__(self, store: str, address: str, ask: Callable[[LedgerQuestion], LedgerAnswer]) -> None:
        self._store, self._address, self._ask = store, address, ask

    def marks(self, sources: Sequence[str]) -> Sequence[SourceMark]:
        found: list[SourceMark] = []
        for first in range(0, len(sources), SOURCES_MAX):
            asked = tuple(sources[first : first + SOURCES_MAX])
            found += self._ask(LedgerQuestion(store=self._store, sources=asked)).sources
        return found

    def digests(self, spans: Sequence[LedgerSpan]) -> Sequence[LedgerDigest]:
        found = self._ask(LedgerQuestion(store=self._store, spans=tuple(spans))).digests
        self._check(len(found), len(spans))
        try:
            return [read_digest(it) for it in found]
        except ValueError as error:
            raise CentreRefused(address=self._address, status=200, cause=f"a digest is no number: {error}") from error

    def entries(self, spans: Sequence[LedgerSpan]) -> Sequence[Sequence[LedgerEntry]]:
        found = self._ask(LedgerQuestion(store=self._store, spans=tuple(spans), entries=True)).entries
        self._check(len(found), len(spans))
        return found

    def _check(self, found: int, asked: int) -> None:
        if found != asked:
            cause = f"{found} answers about {asked} ranges of the ledger"
            raise CentreRefused(address=self._address, status=200, cause=cause)
