"""The fake gateway's ledger: double entry with two-phase transfers, as TigerBeetle has them.

A pending transfer reserves an amount. It resolves once: it is posted, in whole or in part (the rest returns), or it is
voided. Nothing is edited; a correction is a new transfer. Source of the algebra:
https://docs.tigerbeetle.com/coding/two-phase-transfers/
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

# Accounts of this kind may not pay out more than they hold.
LIMITED = ("sale:", "gift:")


class TransferKind(StrEnum):
    """Kind of a transfer."""

    PLAIN = "plain"
    PENDING = "pending"
    POST = "post"
    VOID = "void"


class TransferResult(StrEnum):
    """How a transfer was taken; refusals in the order of their checks. ``EXISTS`` is a repeat that changes nothing."""

    OK = "ok"
    EXISTS = "exists"
    EXISTS_OTHERWISE = "exists_otherwise"
    AMOUNT_NOT_POSITIVE = "amount_not_positive"
    SAME_ACCOUNT = "same_account"
    PENDING_NOT_FOUND = "pending_not_found"
    PENDING_RESOLVED = "pending_resolved"
    EXCEEDS_PENDING = "exceeds_pending"
    EXCEEDS_CREDITS = "exceeds_credits"


class Transfer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One transfer between two accounts. A posting or a voiding names its pending transfer, and takes its accounts."""

    id: int
    kind: TransferKind = TransferKind.PLAIN
    debit: str = ""
    credit: str = ""
    amount: int = 0
    pending: int = 0


class Account(Struct, frozen=True, kw_only=True):
    """The four sums of an account."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def available(self) -> int:
        """How much may still be paid out of it."""
        return self.credits_posted - self.debits_posted - self.debits_pending


NOTHING = Account()


class Ledger:
    """Accounts and transfers. An account exists as soon as it is named."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._transfers: dict[int, Transfer] = {}
        self._resolved: set[int] = set()
        self.last = 0

    @property
    def accounts(self) -> Mapping[str, Account]:
        return self._accounts

    def account(self, name: str) -> Account:
        """An account by name."""
        return self._accounts.get(name, NOTHING)

    def check(self, transfer: Transfer) -> TransferResult:
        """How the ledger would take a transfer."""
        known = self._transfers.get(transfer.id)
        if known is not None:
            return TransferResult.EXISTS if known == transfer else TransferResult.EXISTS_OTHERWISE
        if transfer.kind in (TransferKind.POST, TransferKind.VOID):
            return self._check_resolution(transfer)
        if transfer.amount <= 0:
            return TransferResult.AMOUNT_NOT_POSITIVE
        if transfer.debit == transfer.credit:
            return TransferResult.SAME_ACCOUNT
        if transfer.debit.startswith(LIMITED) and transfer.amount > self.account(transfer.debit).available:
            return TransferResult.EXCEEDS_CREDITS
        return TransferResult.OK

    def _check_resolution(self, transfer: Transfer) -> TransferResult:
        pending = self._transfers.get(transfer.pending)
        if pending is None or pending.kind is not TransferKind.PENDING:
            return TransferResult.PENDING_NOT_FOUND
        if pending.id in self._resolved:
            return TransferResult.PENDING_RESOLVED
        if transfer.kind is TransferKind.POST and transfer.amount <= 0:
            return TransferResult.AMOUNT_NOT_POSITIVE
        if transfer.amount > pending.amount:
            return TransferResult.EXCEEDS_PENDING
        return TransferResult.OK

    def add(self, transfer: Transfer) -> TransferResult:
        """Take a transfer, or refuse it and change nothing."""
        result = self.check(transfer)
        if result is not TransferResult.OK:
            return result
        amount = transfer.amount
        match transfer.kind:
            case TransferKind.PLAIN:
                self._move(transfer, posted=amount)
            case TransferKind.PENDING:
                self._move(transfer, pending=amount)
            case TransferKind.POST | TransferKind.VOID:
                reserved = self._transfers[transfer.pending]
                self._resolved.add(reserved.id)
                posted = amount if transfer.kind is TransferKind.POST else 0
                self._move(reserved, pending=-reserved.amount, posted=posted)
        self._transfers[transfer.id] = transfer
        self.last = max(self.last, transfer.id)
        return result

    def open_amount(self, pending: int) -> int:
        """How much a pending transfer reserves; 0 when it is resolved or unknown."""
        transfer = self._transfers.get(pending)
        return 0 if transfer is None or pending in self._resolved else transfer.amount

    def _move(self, transfer: Transfer, pending: int = 0, posted: int = 0) -> None:
        debit, credit = self.account(transfer.debit), self.account(transfer.credit)
        self._accounts[transfer.debit] = Account(
            debits_pending=debit.debits_pending + pending,
            debits_posted=debit.debits_posted + posted,
            credits_pending=debit.credits_pending,
            credits_posted=debit.credits_posted,
        )
        self._accounts[transfer.credit] = Account(
            debits_pending=credit.debits_pending,
            debits_posted=credit.debits_posted,
            credits_pending=credit.credits_pending + pending,
            credits_posted=credit.credits_posted + posted,
        )
