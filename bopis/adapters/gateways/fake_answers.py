"""Answers, reports and list entries of the fake gateway about an authorisation in its book."""

from zlib import crc32

import msgspec

from bopis.adapters.gateways.fake_book import Authorisation, Book, FakeState
from bopis.adapters.gateways.fake_script import FakeOptions
from bopis.domain.payments.gateway import CallOutcome, GatewayAnswer, GatewayCall, GatewayEntry, GatewayReport
from bopis.domain.payments.gateway import ReportKind as Report

OUTCOMES = {
    FakeState.PROCESSING: CallOutcome.ACCEPTED,
    FakeState.APPROVED: CallOutcome.APPROVED,
    FakeState.DECLINED: CallOutcome.DECLINED,
    FakeState.ACTION_REQUIRED: CallOutcome.ACTION_REQUIRED,
    FakeState.IN_REVIEW: CallOutcome.IN_REVIEW,
    FakeState.VOIDED: CallOutcome.VOIDED,
    FakeState.ENDED: CallOutcome.VOIDED,
}
# An authorisation of this much or more: what a link, an end or a decline is told for.
REPORTED_STATES = {
    FakeState.APPROVED: Report.AUTHORISED,
    FakeState.DECLINED: Report.DECLINED,
    FakeState.ACTION_REQUIRED: Report.ACTION_REQUIRED,
    FakeState.IN_REVIEW: Report.REVIEW_OPENED,
    FakeState.VOIDED: Report.VOIDED,
    FakeState.ENDED: Report.ENDED,
}


def answer_about(auth: Authorisation, options: FakeOptions, url: str) -> GatewayAnswer:
    """How an authorisation is: the answer to the call that made it, and to one that asks for it."""
    outcome = OUTCOMES[auth.state]
    # What was captured stays captured, though the rest of the authorisation is released.
    if auth.captured and outcome is CallOutcome.VOIDED:
        outcome = CallOutcome.APPROVED
    is_asked = auth.state is FakeState.ACTION_REQUIRED
    return GatewayAnswer(
        outcome=outcome,
        amount=auth.amount,
        currency=auth.currency,
        reference=auth.ref,
        transaction=auth.transaction,
        ends_ms=auth.ends_ms,
        capture_max=capture_max(auth, options) or None,
        multicapture=options.multicapture,
        adjustable=options.adjust,
        captured=auth.captured,
        refunded=auth.refunded,
        decline=auth.decline,
        code=auth.code,
        link=f"{url}/challenge/{auth.ref}" if is_asked else "",
        link_until_ms=auth.link_until_ms if is_asked else 0,
    )


def failed(code: str, auth: Authorisation | None = None) -> GatewayAnswer:
    """A refusal for good."""
    return GatewayAnswer(outcome=CallOutcome.FAILED, code=code, reference="" if auth is None else auth.ref)


def capture_max(auth: Authorisation, options: FakeOptions) -> int:
    """The most that may be captured of an authorisation in all."""
    return auth.amount + auth.amount * options.overcapture_percent // 100


def report_about(auth: Authorisation, kind: Report, options: FakeOptions, url: str) -> GatewayReport:
    """A report of an authorisation's state."""
    told = answer_about(auth, options, url)
    return GatewayReport(
        order=auth.order,
        attempt=auth.attempt,
        kind=kind,
        key=auth.key,
        amount=auth.amount,
        currency=auth.currency,
        reference=auth.ref,
        transaction=auth.transaction,
        ends_ms=auth.ends_ms,
        capture_max=told.capture_max,
        multicapture=told.multicapture,
        adjustable=told.adjustable,
        decline=auth.decline,
        code=auth.code,
        link=told.link,
        link_until_ms=told.link_until_ms,
    )


def step_report(auth: Authorisation, kind: Report, key: str, amount: int) -> GatewayReport:
    """A report of a capture or a refund."""
    return GatewayReport(
        order=auth.order,
        attempt=auth.attempt,
        kind=kind,
        key=key,
        amount=amount,
        currency=auth.currency,
        reference=auth.ref,
        transaction=auth.transaction,
    )


def entry_about(auth: Authorisation, book: Book) -> GatewayEntry:
    """An authorisation in the gateway's list."""
    return GatewayEntry(
        reference=auth.ref,
        created_ms=auth.created_ms,
        state=auth.state.value,
        currency=auth.currency,
        authorised=auth.amount,
        captured=auth.captured,
        refunded=auth.refunded,
        open=book.ledger.open_amount(auth.pending),
        order=auth.order,
        attempt=auth.attempt,
        key=auth.key,
    )


def checksum(call: GatewayCall, ref: str) -> int:
    """A checksum of a call's parameters, by which a key that is used for another call is noticed."""
    same = msgspec.structs.replace(call, reference=ref, authorisation="", gateway="")
    return crc32(msgspec.json.encode(same))
