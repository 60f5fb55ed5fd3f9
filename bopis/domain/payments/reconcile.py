"""Comparison of our payments with a gateway's own list, authorisation by authorisation. Pure; no money moves here.

What is in flight is not counted: its answer may be on its way. An answer that has stayed unknown for long is named.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from bopis.domain.payments.gateway import GatewayEntry, GatewayReport, ReportKind
from bopis.domain.payments.messages import AdoptCharge, ProviderReported
from bopis.domain.payments.state import FRUITLESS, Attempt, AttemptState, Payment, StepState
from bopis.domain.values import HOUR_MS

# An answer that is unknown for longer is no longer expected to come by itself.
UNKNOWN_MS_MAX = HOUR_MS
OPEN_STATES = frozenset({AttemptState.REQUESTED, AttemptState.WAITING, AttemptState.ACTION_REQUIRED})
# Key of a refund that only the gateway knows, so that no refund of ours is taken for it.
LISTED = "listed"


class DifferenceKind(StrEnum):
    """How our books and a gateway's list differ about one authorisation.

    ``ANSWERED_THERE``: it has an answer there that never reached us. ``OPEN_THERE``: it is still open there and not
    here; ``RELEASED_THERE``: the other way round.
    """

    MISSING_THERE = "missing_there"
    MISSING_HERE = "missing_here"
    ANSWERED_THERE = "answered_there"
    CURRENCY = "currency"
    AMOUNT = "amount"
    CAPTURED = "captured"
    REFUNDED = "refunded"
    OPEN_THERE = "open_there"
    RELEASED_THERE = "released_there"


class Mend(StrEnum):
    """The command that mends a difference. None of them takes money that was not taken."""

    RETRY = "retry"
    SETTLE_UNKNOWN = "settle_unknown"
    ADOPT = "adopt"


class Difference(Struct, frozen=True, kw_only=True):
    """One difference. ``ours`` and ``theirs`` are the sums that differ, in minor units of their currencies; `mend` is
    None where people have to look at both sides."""

    kind: DifferenceKind
    order: str
    attempt: int
    reference: str
    ours: int
    theirs: int
    currency: str
    their_currency: str = ""
    mend: Mend | None = None


class Comparison(Struct, frozen=True, kw_only=True):
    """The result: the differences in order, how many authorisations agree, and how many are in flight."""

    differences: tuple[Difference, ...]
    agreed: int
    in_flight: int


class ComparedSide(Struct, frozen=True, kw_only=True):
    """What is compared: attempts at a gateway of one of these names since an instant, as they are now. `moving` are
    orders whose payments changed while the list was read."""

    gateways: frozenset[str]
    since_ms: int
    now_ms: int
    moving: frozenset[str] = frozenset()


def compare(payments: Iterable[Payment], entries: Sequence[GatewayEntry], side: ComparedSide) -> Comparison:
    """Compare payments with a gateway's list; the differences are sorted by order and attempt."""
    known = {payment.order: payment for payment in payments}
    listed = _Listed(entries)
    found: list[Difference] = []
    agreed = in_flight = 0
    for order in sorted(known):
        payment = known[order]
        for attempt in payment.attempts:
            if payment.method(attempt).gateway not in side.gateways:
                continue
            entry = listed.take(order, attempt)
            if entry is None and attempt.since_ms < side.since_ms:
                continue
            if order in side.moving or is_in_flight(attempt, side.now_ms):
                in_flight += 1
                continue
            differences = list(_differences(payment, attempt, entry))
            found += differences
            agreed += not differences
    found += [it for entry in listed.left() for it in _unknown_here(known, entry)]
    found.sort(key=lambda it: (it.order, it.attempt, it.reference, it.kind))
    return Comparison(differences=tuple(found), agreed=agreed, in_flight=in_flight)


def is_in_flight(attempt: Attempt, now_ms: int) -> bool:
    """Whether an answer about an attempt, or about a step of it, may still come."""
    if attempt.state is AttemptState.UNKNOWN:
        return now_ms - attempt.unknown_ms < UNKNOWN_MS_MAX
    return attempt.state in OPEN_STATES or attempt.asking is not None or any(it.in_flight for it in attempt.steps)


def adoption(payment: Payment, entry: GatewayEntry, gateway: str, reason: str) -> AdoptCharge | ProviderReported | None:
    """The message by which our books take over what a gateway's list says; None when it says nothing new.

    It only tells what has happened there: whatever follows is decided by the payment.
    """
    attempt = _own(payment, entry)
    if attempt is None:
        if not entry.captured:
            return None
        return AdoptCharge(
            reference=entry.reference,
            gateway=gateway,
            captured=entry.captured,
            currency=entry.currency,
            refunded=entry.refunded,
            reason=reason,
        )
    told = _news(attempt, entry)
    if told is None:
        return None
    report = GatewayReport(
        order=payment.order,
        attempt=attempt.number,
        kind=told.kind,
        key=told.key,
        amount=told.amount,
        currency=entry.currency,
        reference=entry.reference,
        cause=reason,
    )
    return ProviderReported(gateway=gateway, report=report)


class _News(NamedTuple):
    """A report that a list makes up for: its kind, the key of its step, and its amount."""

    kind: ReportKind
    key: str
    amount: int


def _news(attempt: Attempt, entry: GatewayEntry) -> _News | None:
    never_approved = attempt.state in FRUITLESS and not attempt.authorised
    if entry.open and (never_approved or attempt.state is AttemptState.UNKNOWN):
        return _News(ReportKind.AUTHORISED, attempt.key, entry.authorised)
    failed = next((it for it in attempt.steps if _is_done_there(attempt, it.key, entry)), None)
    if failed is not None:
        return _News(ReportKind.CAPTURED, failed.key, failed.amount)
    if 0 < entry.refunded - attempt.refunding <= attempt.captured - attempt.refunding:
        return _News(ReportKind.REFUNDED, LISTED, entry.refunded - attempt.refunding)
    if attempt.rest and not entry.open and entry.captured == attempt.captured:
        return _News(ReportKind.ENDED, attempt.key, 0)
    return None


def _is_done_there(attempt: Attempt, key: str, entry: GatewayEntry) -> bool:
    """Whether a capture that failed here is the one that the gateway has in addition."""
    step = attempt.step(key)
    is_failed = step is not None and step.state is StepState.FAILED and not step.retried
    return is_failed and step is not None and entry.captured - attempt.captured == step.amount


class _Listed:
    """The gateway's list, from which each attempt takes its own entry."""

    def __init__(self, entries: Sequence[GatewayEntry]) -> None:
        self._entries = entries
        self._left = set(range(len(entries)))
        self._by_reference = {it.reference: number for number, it in enumerate(entries)}
        self._by_attempt: dict[tuple[str, int], list[int]] = {}
        for number, it in enumerate(entries):
            self._by_attempt.setdefault((it.order, it.attempt), []).append(number)

    def take(self, order: str, attempt: Attempt) -> GatewayEntry | None:
        """The entry of an attempt: by its reference, else the one that names the attempt."""
        named = self._by_attempt.get((order, attempt.number), [])
        wanted = [self._by_reference[attempt.reference]] if attempt.reference in self._by_reference else []
        if not attempt.reference and not attempt.adopted:
            # With several under one key, the one that holds money is the one to look at.
            wanted = sorted(named, key=lambda it: (not _has_money(self._entries[it]), it))
        for number in wanted:
            if number in self._left:
                self._left.discard(number)
                return self._entries[number]
        return None

    def left(self) -> Iterator[GatewayEntry]:
        """The entries that no attempt took."""
        return (self._entries[number] for number in sorted(self._left))


def _differences(payment: Payment, attempt: Attempt, entry: GatewayEntry | None) -> Iterator[Difference]:
    if entry is None:
        yield from _missing_there(payment, attempt)
        return
    ours = attempt.currency or payment.currency
    if entry.currency != ours:
        yield _difference(DifferenceKind.CURRENCY, payment, attempt, entry)
        return
    if attempt.state is AttemptState.UNKNOWN:
        yield _difference(DifferenceKind.ANSWERED_THERE, payment, attempt, entry, Mend.RETRY)
        return
    has_both = attempt.authorised and entry.authorised and not attempt.adopted
    if has_both and attempt.authorised != entry.authorised:
        yield _difference(DifferenceKind.AMOUNT, payment, attempt, entry)
    mend = Mend.ADOPT if _news(attempt, entry) is not None else None
    if attempt.captured != entry.captured:
        yield _difference(DifferenceKind.CAPTURED, payment, attempt, entry, mend)
    elif attempt.refunded != entry.refunded:
        yield _difference(DifferenceKind.REFUNDED, payment, attempt, entry, mend)
    if entry.open and not attempt.open_at_provider:
        yield _difference(DifferenceKind.OPEN_THERE, payment, attempt, entry, mend)
    elif attempt.rest and not entry.open:
        yield _difference(DifferenceKind.RELEASED_THERE, payment, attempt, entry, mend)


def _missing_there(payment: Payment, attempt: Attempt) -> Iterator[Difference]:
    is_unknown = attempt.state is AttemptState.UNKNOWN
    if not (is_unknown or attempt.captured or attempt.rest):
        return
    yield Difference(
        kind=DifferenceKind.MISSING_THERE,
        order=payment.order,
        attempt=attempt.number,
        reference=attempt.reference,
        ours=attempt.captured or attempt.authorised,
        theirs=0,
        currency=payment.currency,
        mend=Mend.SETTLE_UNKNOWN if is_unknown else None,
    )


def _unknown_here(known: Mapping[str, Payment], entry: GatewayEntry) -> Iterator[Difference]:
    """An entry that none of our attempts took; nothing where no money is in it."""
    if not _has_money(entry):
        return
    payment = known.get(entry.order)
    may_adopt = payment is not None and entry.captured > 0 and payment.currency == entry.currency
    yield Difference(
        kind=DifferenceKind.MISSING_HERE,
        order=entry.order,
        attempt=entry.attempt,
        reference=entry.reference,
        ours=0,
        theirs=entry.captured - entry.refunded + entry.open,
        currency=entry.currency,
        their_currency=entry.currency,
        mend=Mend.ADOPT if may_adopt else None,
    )


def _difference(
    kind: DifferenceKind, payment: Payment, attempt: Attempt, entry: GatewayEntry, mend: Mend | None = None
) -> Difference:
    sums = {
        DifferenceKind.CAPTURED: (attempt.captured, entry.captured),
        DifferenceKind.REFUNDED: (attempt.refunded, entry.refunded),
        DifferenceKind.OPEN_THERE: (0, entry.open),
        DifferenceKind.RELEASED_THERE: (attempt.rest, 0),
    }
    ours, theirs = sums.get(kind, (attempt.authorised, entry.authorised))
    return Difference(
        kind=kind,
        order=payment.order,
        attempt=attempt.number,
        reference=entry.reference,
        ours=ours,
        theirs=theirs,
        currency=attempt.currency or payment.currency,
        their_currency=entry.currency,
        mend=mend,
    )


def _own(payment: Payment, entry: GatewayEntry) -> Attempt | None:
    """The attempt that an entry is about; one whose reference is another one is not."""
    for attempt in payment.attempts:
        is_named = (entry.order, entry.attempt) == (payment.order, attempt.number)
        is_named = is_named and not attempt.reference and not attempt.adopted
        if attempt.reference == entry.reference or is_named:
            return attempt
    return None


def _has_money(entry: GatewayEntry) -> bool:
    return bool(entry.captured or entry.open)
