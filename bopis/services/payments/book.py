"""Payments as they are now, by the rows of their changelog; no other store is asked."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec
from msgspec import Struct

from bopis.domain.payments.gateway import Operation
from bopis.domain.payments.state import AttemptState, CoverState, Payment, PaymentEnding, Step, StepState
from bopis.names import PAYMENT_STATE_TOPIC
from bopis.ports import Log
from bopis.services.payments.errors import PaymentUnknown
from bopis.wire.changelog import ChangelogReader
from bopis.wire.placement import partition_of

FAILED_STATES = frozenset({StepState.FAILED, StepState.BOUNCED})

_decode = msgspec.json.Decoder(Payment).decode


class Concern(StrEnum):
    """A reason to look at a payment. ``STUCK``: a void or a refund failed, or a refund came back."""

    OWED = "owed"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    REVIEW = "review"
    STUCK = "stuck"
    OPEN = "open"


class PaymentStatus(StrEnum):
    """State of a payment as a whole, derived from its attempts and sums."""

    AUTHORISING = "authorising"
    UNKNOWN = "unknown"
    ACTION_REQUIRED = "action_required"
    IN_REVIEW = "in_review"
    AUTHORISED = "authorised"
    LAPSED = "lapsed"
    PAY_IN_STORE = "pay_in_store"
    PARTLY_CAPTURED = "partly_captured"
    CAPTURED = "captured"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    PAID_IN_STORE = "paid_in_store"
    OWED = "owed"
    EXHAUSTED = "exhausted"
    LATE = "late"
    FRAUD = "fraud"
    VOIDED = "voided"


PENDING = {
    AttemptState.UNKNOWN: PaymentStatus.UNKNOWN,
    AttemptState.ACTION_REQUIRED: PaymentStatus.ACTION_REQUIRED,
}


class Debt(Struct, frozen=True, kw_only=True):
    """Goods that are out and not paid: how much, why, and who acts."""

    amount: int
    because: str
    who: str


class AttemptName(NamedTuple):
    """An attempt of an order."""

    order: str
    attempt: int


class PaymentBook:
    """Payments by the newest rows of the log. Rows are kept as bytes: most of them are never asked for."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._next: dict[tuple[str, int], int] = {}
        self._rows: dict[str, bytes] = {}
        self._changelogs: dict[int, ChangelogReader] = defaultdict(_reader)

    @property
    def skipped(self) -> list[str]:
        """Records of the changelog that are no payments, as ``TOPIC/PARTITION/OFFSET``."""
        return [
            f"{PAYMENT_STATE_TOPIC}/{partition}/{it.offset}"
            for partition, reader in sorted(self._changelogs.items())
            for it in reader.skipped
        ]

    def refresh(self, order: str | None = None) -> set[str]:
        """Read the log up to its end, for one order only its partition; returns the orders whose payment changed."""
        ends = self._log.end_offsets((PAYMENT_STATE_TOPIC,))
        if order is not None and ends:
            home = partition_of(order.encode(), len(ends))
            ends = {where: end for where, end in ends.items() if where[1] == home}
        starts = self._log.start_offsets((PAYMENT_STATE_TOPIC,))
        first = {where: self._next.get(where, starts.get(where, 0)) for where in ends}
        changed: set[str] = set()
        for record in self._log.read(first, ends):
            if record.key and self._changelogs[record.partition].is_row(record):
                number = record.key.decode()
                if record.value is None:
                    self._rows.pop(number, None)
                else:
                    self._rows[number] = record.value
                changed.add(number)
        self._next |= ends
        return changed

    def get(self, order: str) -> Payment | None:
        """The payment of an order."""
        row = self._rows.get(order)
        return None if row is None else _decode(row)

    def named(self, order: str) -> Payment:
        """The payment of an order. Raises `PaymentUnknown`."""
        found = self.get(order)
        if found is None:
            raise PaymentUnknown(order=order)
        return found

    def attempt_of(self, gateway: str, reference: str) -> AttemptName | None:
        """The attempt that a gateway names by a reference; `gateway` is empty for methods that name none."""
        needle = b'"reference":' + msgspec.json.encode(reference)
        for row in self._rows.values():
            if needle not in row:
                continue
            payment = _decode(row)
            for attempt in payment.attempts:
                if attempt.reference == reference and payment.method(attempt).gateway in (gateway, ""):
                    return AttemptName(payment.order, attempt.number)
        return None

    def all(self) -> Iterator[Payment]:
        """Every payment, the newest first."""
        yield from sorted((_decode(row) for row in self._rows.values()), key=lambda it: (-it.opened_ms, it.order))

    def find(self, concern: Concern | None, limit: int | None = None) -> list[Payment]:
        """Payments with a concern, or all of them, the newest first, at most `limit`."""
        return [it for it in self.all() if concern is None or has_concern(it, concern)][:limit]


def has_concern(payment: Payment, concern: Concern) -> bool:
    """Whether there is a reason to look at a payment."""
    return CONCERNS[concern](payment)


def concerns_of(payment: Payment) -> list[Concern]:
    """The reasons to look at a payment; that it is open is none."""
    return [it for it in Concern if it is not Concern.OPEN and has_concern(payment, it)]


def stuck_steps(payment: Payment) -> list[Step]:
    """Voids and refunds that failed or came back and wait for a person."""
    steps = (step for it in payment.attempts for kind in (Operation.VOID, Operation.REFUND) for step in it.of(kind))
    return [step for step in steps if step.state in FAILED_STATES and not step.retried]


def debts(payment: Payment) -> list[Debt]:
    """Goods that are out and not paid, each part with its reason and with who acts."""
    at_counter = max(0, min(payment.at_counter, payment.handed) - payment.paid_at_counter)
    left = payment.owed - at_counter
    found = []
    if at_counter:
        found.append(Debt(amount=at_counter, because="was to be paid in the store", who="the store: ask the customer"))
    on_its_way = min(left, payment.capturing - payment.captured)
    if on_its_way > 0:
        captures = [step for it in payment.own for step in it.of(Operation.CAPTURE) if step.in_flight]
        is_repaired = any(step.state is StepState.REPAIRING for step in captures)
        because = "the gateway repairs its capture" if is_repaired else "its capture is on its way"
        found.append(Debt(amount=on_its_way, because=because, who="nobody: the gateway answers"))
        left -= on_its_way
    if left > 0:
        found.append(_uncollected(payment, left))
    return found


def status_of(payment: Payment) -> PaymentStatus:
    """State of a payment as a whole: what is not decided first, then what moved, then how it ended."""
    pending = payment.pending
    if pending is not None:
        waits = {
            AttemptState.UNKNOWN: PaymentStatus.UNKNOWN,
            AttemptState.ACTION_REQUIRED: PaymentStatus.ACTION_REQUIRED,
        }
        return waits.get(pending.state, PaymentStatus.AUTHORISING)
    if any(it.review and it.rest for it in payment.attempts):
        return PaymentStatus.IN_REVIEW
    if debts_for_people(payment):
        return PaymentStatus.OWED
    if payment.open and payment.ending is None:
        covers = {
            CoverState.AUTHORISED: PaymentStatus.AUTHORISED,
            CoverState.LAPSED: PaymentStatus.LAPSED,
            CoverState.PAY_IN_STORE: PaymentStatus.PAY_IN_STORE,
        }
        covered = covers.get(payment.cover.state, PaymentStatus.AUTHORISING)
        is_partly = covered is PaymentStatus.AUTHORISED and payment.captured > 0
        return PaymentStatus.PARTLY_CAPTURED if is_partly else covered
    return _ended_status(payment)


def debts_for_people(payment: Payment) -> int:
    """What is owed and no gateway's answer will pay."""
    return sum(it.amount for it in debts(payment) if not it.who.startswith("nobody"))


def _ended_status(payment: Payment) -> PaymentStatus:
    if payment.captured:
        if payment.refunded >= payment.captured:
            return PaymentStatus.REFUNDED
        return PaymentStatus.PARTLY_REFUNDED if payment.refunded else PaymentStatus.CAPTURED
    endings = {
        PaymentEnding.EXHAUSTED: PaymentStatus.EXHAUSTED,
        PaymentEnding.LATE: PaymentStatus.LATE,
        PaymentEnding.FRAUD: PaymentStatus.FRAUD,
    }
    if payment.ending in endings:
        return endings[payment.ending]
    return PaymentStatus.PAID_IN_STORE if payment.paid_at_counter else PaymentStatus.VOIDED


def _uncollected(payment: Payment, amount: int) -> Debt:
    if payment.ending is PaymentEnding.FRAUD:
        return Debt(amount=amount, because="the review was rejected", who="the fraud desk")
    if payment.surplus:
        return Debt(amount=amount, because="a refund waits for a person", who="the payment desk")
    if payment.pending is not None or payment.live:
        return Debt(amount=amount, because="another method is asked", who="nobody: the gateway answers")
    waits = payment.method_until_ms > 0
    because = "every method was declined" + ("; the customer was asked for another one" if waits else "")
    return Debt(amount=amount, because=because, who="the payment desk: add a method, or take the money in the store")


def _is_unknown(payment: Payment) -> bool:
    steps = (step for it in payment.attempts for step in it.steps)
    return any(it.state is AttemptState.UNKNOWN for it in payment.attempts) or any(
        step.state is StepState.UNKNOWN for step in steps
    )


def _is_waiting(payment: Payment) -> bool:
    is_challenged = any(it.state is AttemptState.ACTION_REQUIRED and it.next_ms for it in payment.attempts)
    return is_challenged or payment.method_until_ms > 0


def _is_open(payment: Payment) -> bool:
    in_flight = any(step.in_flight for it in payment.attempts for step in it.steps)
    return bool(payment.needed or payment.open or payment.live or payment.pending is not None or in_flight)


CONCERNS: Mapping[Concern, Callable[[Payment], bool]] = {
    Concern.OWED: lambda it: it.owed > 0,
    Concern.UNKNOWN: _is_unknown,
    Concern.WAITING: _is_waiting,
    Concern.REVIEW: lambda it: any(attempt.review and attempt.rest for attempt in it.attempts),
    Concern.STUCK: lambda it: bool(stuck_steps(it)),
    Concern.OPEN: _is_open,
}


def _reader() -> ChangelogReader:
    return ChangelogReader(decode=lambda _, value: _decode(value) if value else None)
