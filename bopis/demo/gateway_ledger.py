"""The gateway's own ledger, as its file tells it: what each authorisation took, gave back and still reserves."""

from pathlib import Path

import msgspec

from bopis.adapters.gateways.fake_book import Authorisation, FakeState, Record
from bopis.adapters.gateways.fake_ledger import Transfer, TransferKind

SALE = "sale:"

_decode = msgspec.json.Decoder(Record).decode


class Sums(msgspec.Struct):
    """Minor units: approved, taken, given back, and still reserved."""

    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    open: int = 0

    def add(self, other: "Sums") -> None:
        """Add other sums to these."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class GatewayLedger:
    """Every authorisation as it was written last, and every transfer."""

    def __init__(self, file: Path) -> None:
        self.authorisations: dict[str, Authorisation] = {}
        self._transfers: dict[int, Transfer] = {}
        self._untaken: set[str] = set()
        for line in file.read_bytes().splitlines(keepends=True):
            # A line without its end is being written.
            if line.endswith(b"\n"):
                self._take(_decode(line))

    @property
    def is_told(self) -> bool:
        """Whether every callback was taken."""
        return not self._untaken

    def declines(self) -> dict[str, int]:
        """How many authorisations were declined, by class."""
        found: dict[str, int] = {}
        for it in self.authorisations.values():
            if it.state is FakeState.DECLINED and it.decline is not None:
                found[it.decline.value] = found.get(it.decline.value, 0) + 1
        return dict(sorted(found.items()))

    def sums(self) -> dict[str, Sums]:
        """The sums of each authorisation by its reference. Only transfers count for what was taken and given back."""
        found = {ref: Sums(authorised=auth.amount) for ref, auth in self.authorisations.items()}
        for it in self._transfers.values():
            match it.kind:
                case TransferKind.PENDING:
                    found[it.credit.removeprefix(SALE)].open += it.amount
                case TransferKind.POST | TransferKind.VOID:
                    reserved = self._transfers[it.pending]
                    sums = found[reserved.credit.removeprefix(SALE)]
                    sums.open -= reserved.amount
                    sums.captured += it.amount if it.kind is TransferKind.POST else 0
                case TransferKind.PLAIN if it.debit.startswith(SALE):
                    found[it.debit.removeprefix(SALE)].refunded += it.amount
                case TransferKind.PLAIN if it.credit.startswith(SALE):
                    found[it.credit.removeprefix(SALE)].captured += it.amount
        return found

    def _take(self, record: Record) -> None:
        if record.authorisation is not None:
            self.authorisations[record.authorisation.ref] = record.authorisation
        self._transfers |= {it.id: it for it in record.transfers}
        self._untaken |= {it.id for it in record.callbacks}
        self._untaken.discard(record.delivered)
