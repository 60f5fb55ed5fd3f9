"""The fake gateway's ledger as its file tells it: read line by line, while the gateway runs or not."""

from collections import defaultdict
from pathlib import Path

import msgspec

from bopis.adapters.gateways.fake_book import Authorisation, FakeState, Record
from bopis.adapters.gateways.fake_ledger import Transfer, TransferKind

_decode = msgspec.json.Decoder(Record).decode


class Sums(msgspec.Struct):
    """Sums of one authorisation, by its transfers: taken, given back, and still reserved."""

    captured: int = 0
    refunded: int = 0
    open: int = 0


class LedgerFile:
    """Authorisations as they are last, and every transfer."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        self.authorisations: dict[str, Authorisation] = {}
        self.reviews: dict[str, str] = {}
        self._transfers: dict[int, Transfer] = {}
        self._undelivered: set[str] = set()

    @property
    def is_told(self) -> bool:
        """Whether every callback was taken."""
        return not self._undelivered

    def refresh(self) -> "LedgerFile":
        """Read what the gateway has written since."""
        content = b""
        if self._file.exists():
            with self._file.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        whole = content.rfind(b"\n") + 1
        self._read += whole
        for line in content[:whole].splitlines():
            self._take(_decode(line))
        return self

    def sums(self) -> dict[str, Sums]:
        """The sums of each authorisation that reserved something, by its reference."""
        found: dict[str, Sums] = defaultdict(Sums)
        for it in self._transfers.values():
            match it.kind:
                case TransferKind.PENDING:
                    found[_sale(it.credit)].open += it.amount
                case TransferKind.POST | TransferKind.VOID:
                    reserved = self._transfers[it.pending]
                    found[_sale(reserved.credit)].open -= reserved.amount
                    found[_sale(reserved.credit)].captured += it.amount if it.kind is TransferKind.POST else 0
                case TransferKind.PLAIN if it.debit.startswith("sale:"):
                    found[_sale(it.debit)].refunded += it.amount
                case TransferKind.PLAIN if it.credit.startswith("sale:"):
                    found[_sale(it.credit)].captured += it.amount
        return found

    def _take(self, record: Record) -> None:
        auth = record.authorisation
        if auth is not None:
            self.authorisations[auth.ref] = auth
            self.reviews.pop(auth.ref, None)
            if auth.state is FakeState.IN_REVIEW:
                self.reviews[auth.ref] = auth.order
        for transfer in record.transfers:
            assert transfer.id not in self._transfers, f"{transfer} is written twice"
            self._transfers[transfer.id] = transfer
        self._undelivered |= {it.id for it in record.callbacks}
        self._undelivered.discard(record.delivered)


def _sale(account: str) -> str:
    return account.removeprefix("sale:")
