"""What a step does to one authorisation of the fake gateway: its next state, the transfers, and what is reported."""

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from bopis.adapters.gateways.fake_answers import REPORTED_STATES, report_about, step_report
from bopis.adapters.gateways.fake_book import Authorisation, Book, Due, DueKind, FakeState, Step, StepState
from bopis.adapters.gateways.fake_ledger import Transfer, TransferKind
from bopis.adapters.gateways.fake_script import (
    CHALLENGE_MS,
    REFUSALS,
    Behaviour,
    FakeOptions,
    Refusal,
    happens,
)
from bopis.domain.payments.gateway import CallInitiator, DeclineClass, GatewayReport, Operation, ReportKind

MISMATCH_CENTS = 100


class Terms(NamedTuple):
    """What a step needs to know: the options, the gateway's address and the time."""

    options: FakeOptions
    url: str
    now_ms: int


class Move(Struct, frozen=True):
    """One step: the authorisation as it is then, the transfers, and the reports."""

    authorisation: Authorisation
    transfers: tuple[Transfer, ...] = ()
    reports: tuple[GatewayReport, ...] = ()


def decide(book: Book, auth: Authorisation, terms: Terms) -> Move:
    """Approve a new authorisation, decline it, or ask for more, as its token wants it."""
    behaviour, now_ms = auth.behaviour, terms.now_ms
    refusal = REFUSALS.get(behaviour)
    if refusal is not None and not (behaviour is Behaviour.SOFT_THEN_OK and (auth.order, auth.token) in book.declined):
        return declined(auth, refusal, terms)
    match behaviour:
        case Behaviour.CHALLENGE | Behaviour.CHALLENGE_FAIL:
            until_ms = now_ms + CHALLENGE_MS
            due = Due(at_ms=until_ms, kind=DueKind.LINK_ENDS)
            auth = replace(auth, state=FakeState.ACTION_REQUIRED, link_until_ms=until_ms, dues=(*auth.dues, due))
            return Move(auth, (), (report_about(auth, ReportKind.ACTION_REQUIRED, terms.options, terms.url),))
        case Behaviour.LATE_OK:
            due = Due(at_ms=now_ms + terms.options.late_ms, kind=DueKind.LAND)
            return Move(replace(auth, state=FakeState.PROCESSING, dues=(*auth.dues, due)))
        case Behaviour.REVIEW | Behaviour.REVIEW_REJECT:
            return approve(book, auth, terms, FakeState.IN_REVIEW)
    return approve(book, auth, terms)


def approve(book: Book, auth: Authorisation, terms: Terms, state: FakeState = FakeState.APPROVED) -> Move:
    """Reserve the amount that the payer has; a gift card gives what is left on it."""
    amount = auth.asked
    transfers: list[Transfer] = []
    ids = count(book.ledger.last + 1)
    if auth.behaviour is Behaviour.PARTIAL:
        amount = max(1, amount * auth.number // 100)
    elif auth.behaviour is Behaviour.MISMATCH:
        amount += MISMATCH_CENTS
    elif auth.behaviour is Behaviour.GIFT:
        left = auth.number
        if auth.payer in book.ledger.accounts:
            left = book.ledger.account(auth.payer).available
        elif left:
            issuer = f"issuer:{auth.currency}"
            transfers.append(Transfer(id=next(ids), debit=issuer, credit=auth.payer, amount=left))
        if left <= 0:
            is_reserved = book.ledger.account(auth.payer).debits_pending > 0
            code, decline = ("balance_reserved", DeclineClass.SOFT) if is_reserved else ("empty", DeclineClass.HARD)
            return declined(auth, Refusal(decline, code), terms)
        amount = min(amount, left)
    pending = Transfer(id=next(ids), kind=TransferKind.PENDING, debit=auth.payer, credit=auth.sale, amount=amount)
    options = terms.options
    is_own = auth.initiated_by is CallInitiator.MERCHANT
    life_s = min(options.life_merchant_s, options.life_s) if is_own else options.life_s
    ends_ms = terms.now_ms + life_s * 1000
    auth = replace(
        auth,
        state=state,
        amount=amount,
        pending=pending.id,
        ends_ms=ends_ms,
        dues=(*auth.dues, Due(at_ms=ends_ms, kind=DueKind.ENDS)),
    )
    return Move(auth, (*transfers, pending), (report_about(auth, REPORTED_STATES[state], options, terms.url),))


def declined(auth: Authorisation, refusal: Refusal, terms: Terms) -> Move:
    """Decline an authorisation that reserves nothing."""
    auth = replace(auth, state=FakeState.DECLINED, decline=refusal.decline, code=refusal.code)
    return Move(auth, (), (report_about(auth, ReportKind.DECLINED, terms.options, terms.url),))


def release(book: Book, auth: Authorisation, state: FakeState, code: str, terms: Terms) -> Move:
    """Return what an authorisation still reserves, and end it."""
    transfers = _voided(book, auth)
    auth = replace(auth, state=state, code=code, pending=0)
    return Move(auth, transfers, (report_about(auth, REPORTED_STATES[state], terms.options, terms.url),))


def reject_review(book: Book, auth: Authorisation, terms: Terms) -> Move:
    """Reject an authorisation that was under review, and return what it reserved."""
    transfers = _voided(book, auth)
    auth = replace(auth, state=FakeState.DECLINED, decline=DeclineClass.HARD, code="review_rejected", pending=0)
    return Move(auth, transfers, (report_about(auth, ReportKind.REVIEW_REJECTED, terms.options, terms.url),))


def adjust(book: Book, auth: Authorisation, amount: int) -> Move:
    """Change the amount of an authorisation of which nothing was captured: the old reservation returns, a new one is
    made."""
    transfers = _voided(book, auth)
    pending = Transfer(
        id=book.ledger.last + len(transfers) + 1,
        kind=TransferKind.PENDING,
        debit=auth.payer,
        credit=auth.sale,
        amount=amount,
    )
    auth = replace(auth, amount=amount, pending=pending.id)
    return Move(auth, (*transfers, pending), ())


def begin_step(auth: Authorisation, step: Step, terms: Terms) -> Move:
    """Receive a capture or a refund whose result comes later."""
    due = Due(at_ms=terms.now_ms + terms.options.accepted_ms, kind=DueKind.STEP_DONE, key=step.key)
    accepted = replace(step, state=StepState.ACCEPTED)
    return Move(replace(auth, steps=(*auth.steps, accepted), dues=(*auth.dues, due)))


def finish_step(book: Book, auth: Authorisation, step: Step, terms: Terms) -> Move:
    """Do a capture or a refund."""
    done = replace(step, state=StepState.DONE)
    if step.operation is Operation.CAPTURE:
        transfers, pending = _captured(book, auth, done)
        auth = replace(auth, pending=pending)
    else:
        transfers = (Transfer(id=book.ledger.last + 1, debit=auth.sale, credit=auth.payer, amount=step.amount),)
    auth = replace(auth, steps=_with_step(auth.steps, done))
    is_capture = step.operation is Operation.CAPTURE
    if _fails_late(auth, step, terms.options):
        due = Due(at_ms=terms.now_ms + terms.options.late_ms, kind=DueKind.STEP_FAILS, key=step.key)
        auth = replace(auth, dues=(*auth.dues, due))
    kind = ReportKind.CAPTURED if is_capture else ReportKind.REFUNDED
    return Move(auth, transfers, (step_report(auth, kind, step.key, step.amount),))


def fail_step(book: Book, auth: Authorisation, step: Step, terms: Terms) -> Move:
    """Take a capture or a refund back days later, by a transfer the other way."""
    is_capture = step.operation is Operation.CAPTURE
    debit, credit = (auth.sale, auth.payer) if is_capture else (auth.payer, auth.sale)
    available = book.ledger.account(debit).available
    # What was refunded meanwhile cannot be taken back, nor can what a gift card has spent.
    if debit.startswith(("sale:", "gift:")) and available < step.amount:
        return Move(auth)
    transfer = Transfer(id=book.ledger.last + 1, debit=debit, credit=credit, amount=step.amount)
    auth = replace(auth, steps=_with_step(auth.steps, replace(step, state=StepState.FAILED)))
    is_repairing = is_capture and terms.options.repair
    if is_repairing:
        due = Due(at_ms=terms.now_ms + terms.options.late_ms, kind=DueKind.REPAIR, key=step.key)
        auth = replace(auth, dues=(*auth.dues, due))
    kind = ReportKind.CAPTURE_FAILED if is_capture else ReportKind.REFUND_FAILED
    code = "capture_rejected_by_scheme" if is_capture else "refund_returned_by_bank"
    report = replace(step_report(auth, kind, step.key, step.amount), code=code, repairing=is_repairing)
    return Move(auth, (transfer,), (report,))


def repair_step(book: Book, auth: Authorisation, step: Step) -> Move:
    """Capture once more what the scheme had rejected."""
    transfer = Transfer(id=book.ledger.last + 1, debit=auth.payer, credit=auth.sale, amount=step.amount)
    auth = replace(auth, steps=_with_step(auth.steps, replace(step, state=StepState.DONE)))
    return Move(auth, (transfer,), (step_report(auth, ReportKind.CAPTURED, step.key, step.amount),))


def _captured(book: Book, auth: Authorisation, step: Step) -> tuple[tuple[Transfer, ...], int]:
    """The transfers of a capture, and the pending one that reserves the rest."""
    ids = count(book.ledger.last + 1)
    reserved = book.ledger.open_amount(auth.pending)
    posted = min(step.amount, reserved)
    transfers = [Transfer(id=next(ids), kind=TransferKind.POST, amount=posted, pending=auth.pending)]
    if step.amount > posted:
        excess = step.amount - posted
        transfers.append(Transfer(id=next(ids), debit=auth.payer, credit=auth.sale, amount=excess))
    if step.final or posted == reserved:
        return tuple(transfers), 0
    # A pending transfer resolves once, so the rest of it is reserved anew.
    rest = Transfer(
        id=next(ids),
        kind=TransferKind.PENDING,
        debit=auth.payer,
        credit=auth.sale,
        amount=reserved - posted,
    )
    return (*transfers, rest), rest.id


def _voided(book: Book, auth: Authorisation) -> tuple[Transfer, ...]:
    if not book.ledger.open_amount(auth.pending):
        return ()
    return (Transfer(id=book.ledger.last + 1, kind=TransferKind.VOID, pending=auth.pending),)


def _fails_late(auth: Authorisation, step: Step, options: FakeOptions) -> bool:
    named, share = Behaviour.CAPTURE_FAILS, options.capture_fails_late
    if step.operation is Operation.REFUND:
        named, share = Behaviour.REFUND_BOUNCES, options.refund_bounces
    return auth.behaviour is named or (not auth.scripted and happens(share, options.seed, f"{step.key}/fails"))


def _with_step(steps: Sequence[Step], step: Step) -> tuple[Step, ...]:
    kept = [step if it.key == step.key else it for it in steps]
    return tuple(kept if step in kept else [*kept, step])
