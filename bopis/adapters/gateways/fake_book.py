"""The fake gateway's book: its authorisations, ledger, keys and callbacks, in memory and in a file.

A record holds everything that one step changes, so a step is there as a whole or not at all. It is written before the
step is answered: a gateway that is killed has lost nothing that it told anybody.
"""

import fcntl
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from bopis.adapters.gateways.errors import LedgerUnreadable
from bopis.adapters.gateways.fake_ledger import Ledger, Transfer, TransferResult
from bopis.adapters.gateways.fake_script import Behaviour
from bopis.domain.payments.gateway import CallInitiator, DeclineClass, GatewayAnswer, GatewayReport, Operation


class FakeState(StrEnum):
    """State of an authorisation at the gateway."""

    PROCESSING = "processing"
    APPROVED = "approved"
    DECLINED = "declined"
    ACTION_REQUIRED = "action_required"
    IN_REVIEW = "in_review"
    VOIDED = "voided"
    ENDED = "ended"


class StepState(StrEnum):
    """State of a capture or a refund."""

    ACCEPTED = "accepted"
    DONE = "done"
    FAILED = "failed"


class Step(Struct, frozen=True, kw_only=True):
    """A capture or a refund."""

    key: str
    operation: Operation
    amount: int
    state: StepState
    final: bool = True


class DueKind(StrEnum):
    """What happens to an authorisation at a time."""

    LAND = "land"
    ENDS = "ends"
    LINK_ENDS = "link_ends"
    STEP_DONE = "step_done"
    STEP_FAILS = "step_fails"
    REPAIR = "repair"


class Due(Struct, frozen=True, kw_only=True, order=True):
    """Something that happens by itself at a time."""

    at_ms: int
    kind: DueKind
    key: str = ""


class Authorisation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An authorisation. ``asked`` is what the shop wanted, ``amount`` what was approved; ``pending`` is the transfer
    that reserves what is open of it. ``scripted``: its token names its behaviour."""

    ref: str
    key: str
    order: str
    attempt: int
    token: str
    asked: int
    currency: str
    created_ms: int
    state: FakeState
    behaviour: Behaviour
    payer: str = ""
    number: int = 0
    scripted: bool = False
    initiated_by: CallInitiator = CallInitiator.CUSTOMER
    amount: int = 0
    ends_ms: int = 0
    transaction: str = ""
    pending: int = 0
    decline: DeclineClass | None = None
    code: str = ""
    link_until_ms: int = 0
    steps: tuple[Step, ...] = ()
    dues: tuple[Due, ...] = ()

    @property
    def sale(self) -> str:
        """The account that holds what is captured of it."""
        return f"sale:{self.ref}"

    @property
    def captured(self) -> int:
        """The sum of its captures."""
        return self.total(Operation.CAPTURE)

    @property
    def refunded(self) -> int:
        """The sum of its refunds."""
        return self.total(Operation.REFUND)

    @property
    def is_busy(self) -> bool:
        """Whether a capture or a refund was received and is not done yet."""
        return any(step.state is StepState.ACCEPTED for step in self.steps)

    def total(self, operation: Operation) -> int:
        """The sum of all that was done of an operation."""
        return sum(it.amount for it in self.steps if it.operation is operation and it.state is StepState.DONE)

    def step(self, key: str) -> Step | None:
        """The capture or refund with a key."""
        return next((it for it in self.steps if it.key == key), None)


class KeyUse(Struct, frozen=True, kw_only=True):
    """What was answered to the call with a key. ``parameters`` is a checksum of them."""

    key: str
    parameters: int
    at_ms: int
    answer: GatewayAnswer


class CallbackDue(Struct, frozen=True, kw_only=True):
    """A callback that has to be delivered."""

    id: str
    at_ms: int
    report: GatewayReport


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that one step changes."""

    authorisation: Authorisation | None = None
    transfers: tuple[Transfer, ...] = ()
    key: KeyUse | None = None
    closed: str = ""
    callbacks: tuple[CallbackDue, ...] = ()
    delivered: str = ""


class Book:
    """The gateway's state. With a file it is read from there, and every record is appended to it.

    Raises `LedgerUnreadable` when the file is not one of its kind, or belongs to a running gateway.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.ledger = Ledger()
        self.authorisations: dict[str, Authorisation] = {}
        self.by_key: dict[str, str] = {}
        self.declined: set[tuple[str, str]] = set()
        self.keys: dict[str, KeyUse] = {}
        self.closed: set[str] = set()
        self.outbox: dict[str, CallbackDue] = {}
        self.callbacks = 0
        self._file = file
        self._fd: int | None = None
        if file is not None:
            try:
                self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._read(self._fd)
            except (OSError, msgspec.DecodeError, AssertionError) as error:
                self.close()
                raise LedgerUnreadable(file=file, cause=error or "its transfers do not fit together") from error

    def find(self, ref: str, key: str) -> Authorisation | None:
        """An authorisation by its reference, or by its key."""
        return self.authorisations.get(ref or self.by_key.get(key, ""))

    def commit(self, record: Record) -> None:
        """Write a record, then take it over."""
        if self._fd is not None:
            _write(self._fd, msgspec.json.encode(record) + b"\n")
        self._apply(record)

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _read(self, fd: int) -> None:
        with os.fdopen(os.dup(fd), "rb") as stream:
            content = stream.read()
        whole = content.rfind(b"\n") + 1
        # A line without its end was being written when the gateway was killed: nobody got its answer.
        os.ftruncate(fd, whole)
        decoder = msgspec.json.Decoder(Record)
        for line in content[:whole].splitlines():
            self._apply(decoder.decode(line))

    def _apply(self, record: Record) -> None:
        self._transfer(record.transfers)
        auth = record.authorisation
        if auth is not None:
            self.authorisations[auth.ref] = auth
            self.by_key[auth.key] = auth.ref
            if auth.state is FakeState.DECLINED:
                self.declined.add((auth.order, auth.token))
        if record.key is not None:
            self.keys[record.key.key] = record.key
        if record.closed:
            self.closed.add(record.closed)
        for callback in record.callbacks:
            self.callbacks += 1
            self.outbox[callback.id] = callback
        self.outbox.pop(record.delivered, None)

    def _transfer(self, transfers: Sequence[Transfer]) -> None:
        for transfer in transfers:
            result = self.ledger.add(transfer)
            assert result is TransferResult.OK, f"{transfer}: {result}"


def _write(fd: int, content: bytes) -> None:
    """Write all of it: what the system has taken outlives the process, though not a failing machine."""
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
