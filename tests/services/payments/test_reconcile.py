"""Two ledgers compared line by line: each difference is named, what is in flight is not, and nothing moves money."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.payments.gateway import CallOutcome, GatewayEntry, GatewayReport, Operation, ReportKind
from bopis.domain.payments.messages import AdoptCharge, ProviderReported, RefundPayment, SettleUnknown
from bopis.domain.payments.reconcile import (
    ComparedSide,
    Comparison,
    DifferenceKind,
    Mend,
    adoption,
    compare,
)
from bopis.domain.payments.state import AttemptState
from bopis.services.payments.reconciliation import (
    GatewayList,
    difference_text,
    mending_command,
    read_entries,
    reconcile,
)
from tests.services.payments.live import HOUR_MS, ORDER, FakeList, LivePayments, book_of, card

SINCE_MS = 1_700_000_000_000
KINDS = DifferenceKind


@pytest.fixture
def log() -> LivePayments:
    return LivePayments()


def entry(**changes: Any) -> GatewayEntry:
    fields: dict[str, Any] = {
        "reference": "ref-1",
        "created_ms": SINCE_MS + 1,
        "state": "approved",
        "currency": "EUR",
        "authorised": 1250,
        "captured": 0,
        "refunded": 0,
        "open": 1250,
        "order": ORDER,
        "attempt": 1,
        "key": f"{ORDER}-1-authorise-1",
    }
    return GatewayEntry(**{**fields, **changes})


def found(log: LivePayments, *entries: GatewayEntry, later_ms: int = 0) -> Comparison:
    side = ComparedSide(gateways=frozenset({"", "fake"}), since_ms=SINCE_MS, now_ms=log.now_ms + later_ms)
    return compare(book_of(log).all(), entries, side)


def kinds(log: LivePayments, *entries: GatewayEntry, later_ms: int = 0) -> list[tuple[DifferenceKind, Mend | None]]:
    return [(it.kind, it.mend) for it in found(log, *entries, later_ms=later_ms).differences]


def approved(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)


def captured(log: LivePayments) -> None:
    approved(log)
    log.hand_over(1250)
    log.answer(CallOutcome.APPROVED, Operation.CAPTURE)


CAPTURED = {"captured": 1250, "open": 0}


def test_equal_ledgers_have_no_difference(log: LivePayments) -> None:
    captured(log)

    assert found(log, entry(**CAPTURED)) == Comparison(differences=(), agreed=1, in_flight=0)


@pytest.mark.parametrize(
    ("change", "kind", "mend"),
    [
        ({"currency": "USD"}, KINDS.CURRENCY, None),
        ({"authorised": 1300}, KINDS.AMOUNT, None),
        ({"captured": 1000}, KINDS.CAPTURED, None),
        ({"refunded": 250}, KINDS.REFUNDED, Mend.ADOPT),
        ({"open": 5}, KINDS.OPEN_THERE, None),
    ],
)
def test_each_sum_that_differs_is_named(
    log: LivePayments, change: dict[str, Any], kind: DifferenceKind, mend: Mend | None
) -> None:
    captured(log)

    assert kinds(log, entry(**{**CAPTURED, **change})) == [(kind, mend)]


def test_an_authorisation_that_ended_there_is_named(log: LivePayments) -> None:
    approved(log)

    assert kinds(log, entry(open=0)) == [(KINDS.RELEASED_THERE, Mend.ADOPT)]


def test_money_that_is_not_in_their_list_is_named_and_looked_at_by_people(log: LivePayments) -> None:
    captured(log)

    assert kinds(log) == [(KINDS.MISSING_THERE, None)]


def test_an_attempt_before_the_window_is_not_missed(log: LivePayments) -> None:
    captured(log)
    side = ComparedSide(gateways=frozenset({""}), since_ms=log.now_ms + 1, now_ms=log.now_ms)

    assert compare(book_of(log).all(), (), side).differences == ()


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({}, Mend.ADOPT),
        ({"order": "STRANGER"}, None),
        ({"captured": 0, "open": 800}, None),
        ({"currency": "USD"}, None),
    ],
    ids=["ours", "no order of ours", "only authorised", "another currency"],
)
def test_a_charge_that_only_they_know_is_named(log: LivePayments, change: dict[str, Any], mend: Mend | None) -> None:
    captured(log)
    twice = entry(**{"reference": "ref-b", **CAPTURED, **change})

    assert kinds(log, entry(**CAPTURED), twice) == [(KINDS.MISSING_HERE, mend)]


def test_their_refusals_are_no_difference(log: LivePayments) -> None:
    captured(log)
    refused = entry(reference="ref-b", state="declined", open=0, authorised=0)

    assert kinds(log, entry(**CAPTURED), refused) == []


def test_what_is_in_flight_is_not_counted(log: LivePayments) -> None:
    log.open(1250, card())
    assert found(log).in_flight == 1

    log.answer(CallOutcome.APPROVED)
    log.hand_over(1250)

    result = found(log, entry(captured=1250, open=0))
    assert (result.differences, result.agreed, result.in_flight) == ((), 0, 1)


def test_pay_021_an_unknown_answer_is_named_after_an_hour_and_closed_by_the_evidence(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.UNKNOWN)
    assert kinds(log) == []

    (difference,) = found(log, later_ms=HOUR_MS).differences
    log.say(SettleUnknown(attempt=difference.attempt, reason="reconciliation"))

    assert (difference.kind, difference.mend) == (KINDS.MISSING_THERE, Mend.SETTLE_UNKNOWN)
    assert log.payment().attempts[0].state is AttemptState.DECLINED


def test_an_unknown_answer_that_they_have_is_asked_for_again(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.UNKNOWN)

    assert kinds(log, entry(), later_ms=HOUR_MS) == [(KINDS.ANSWERED_THERE, Mend.RETRY)]


# What mends a difference


def adopted(log: LivePayments, theirs: GatewayEntry) -> AdoptCharge | ProviderReported | None:
    return adoption(log.payment(), theirs, "fake", "reconciliation")


def test_pay_068_a_charge_taken_twice_is_adopted_and_refunded_and_the_order_stays_paid(log: LivePayments) -> None:
    captured(log)
    twice = entry(reference="ref-b", **CAPTURED)

    told = adopted(log, twice)
    assert isinstance(told, AdoptCharge)
    log.say(told)
    log.say(RefundPayment(reason="twice", attempt=2))
    log.answer(CallOutcome.APPROVED, Operation.REFUND)

    payment = log.payment()
    assert (payment.captured, payment.refunded, payment.owed) == (1250, 0, 0)
    assert payment.attempts[1].refunded == 1250
    assert kinds(log, entry(**CAPTURED), entry(reference="ref-b", refunded=1250, **CAPTURED)) == []


def test_a_refund_that_was_made_there_is_taken_over(log: LivePayments) -> None:
    captured(log)
    theirs = entry(refunded=250, **CAPTURED)

    told = adopted(log, theirs)
    log.say(told)

    assert isinstance(told, ProviderReported)
    assert log.payment().refunded == 250
    assert log.calls == []
    assert kinds(log, theirs) == []


def test_an_end_that_was_never_reported_is_taken_over(log: LivePayments) -> None:
    approved(log)
    theirs = entry(open=0)

    log.say(adopted(log, theirs))

    assert log.payment().attempts[0].state is AttemptState.ENDED
    assert kinds(log, theirs) == []


def test_a_success_behind_our_back_is_taken_over_and_released_by_the_payment(log: LivePayments) -> None:
    log.open(1250, card(1), card(2))
    log.answer(CallOutcome.DECLINED)
    log.answer(CallOutcome.APPROVED)
    theirs = entry(reference="ref-a")

    assert (KINDS.OPEN_THERE, Mend.ADOPT) in kinds(log, theirs, entry(reference="ref-2", attempt=2))
    log.say(adopted(log, theirs))

    assert [it.call.operation for it in log.calls] == [Operation.VOID]
    assert log.calls[0].call.attempt in (1, 2)


def test_what_both_know_is_not_taken_over(log: LivePayments) -> None:
    captured(log)

    assert adopted(log, entry(**CAPTURED)) is None
    assert adopted(log, entry(reference="ref-b")) is None


def test_each_difference_has_its_words_and_its_command(log: LivePayments) -> None:
    captured(log)
    (missing,) = found(log, entry(**CAPTURED), entry(reference="ref-b", **CAPTURED)).differences

    assert difference_text(missing) == "not in our books; the gateway has 12.50 EUR"
    command = 'bopis payments adopt 7K3M-9QX2 --reference ref-b --gateway fake --reason "reconciliation"'
    assert mending_command(missing, "fake") == command


# Reading


def test_the_whole_list_is_read_page_by_page() -> None:
    entries = [entry(reference=f"ref-{n}") for n in range(7)]

    assert asyncio.run(read_entries(FakeList(*entries), SINCE_MS)) == entries


def test_a_payment_that_changes_while_the_list_is_read_is_in_flight(log: LivePayments) -> None:
    captured(log)

    class Meanwhile(FakeList):
        async def entries(self, since_ms: int, cursor: str | None = None) -> Any:
            page = await super().entries(since_ms, cursor)
            told = GatewayReport(order=ORDER, attempt=1, kind=ReportKind.REFUNDED, amount=100)
            log.say(ProviderReported(gateway="fake", report=told))
            return page

    listed = GatewayList("fake", frozenset({"", "fake"}), Meanwhile(entry(**CAPTURED)))
    result = asyncio.run(reconcile(book_of(log), listed, SINCE_MS, log.now_ms))

    assert (result.differences, result.in_flight) == ((), 1)


# Any two ledgers

SUMS = st.sampled_from((0, 250, 1250))
ENTRIES = st.lists(
    st.builds(
        entry,
        reference=st.sampled_from(("ref-1", "ref-2", "ref-b")),
        currency=st.sampled_from(("EUR", "USD")),
        captured=SUMS,
        refunded=SUMS,
        open=SUMS,
        order=st.sampled_from((ORDER, "", "STRANGER")),
        attempt=st.integers(0, 2),
    ),
    max_size=4,
    unique_by=lambda it: it.reference,
)


@given(ENTRIES, st.booleans())
def test_no_money_is_passed_over(entries: list[GatewayEntry], is_captured: bool) -> None:
    log = LivePayments()
    (captured if is_captured else approved)(log)

    result = found(log, *entries)

    named = {it.reference for it in result.differences}
    for it in entries:
        ours = it.reference == "ref-1" and it.currency == "EUR"
        mine = log.payment().attempts[0]
        is_equal = ours and (it.captured, it.refunded, bool(it.open)) == (mine.captured, 0, bool(mine.rest))
        if it.captured or it.open:
            assert (it.reference in named) is not is_equal
    assert result.agreed + result.in_flight <= 1


@given(ENTRIES)
def test_what_is_taken_over_asks_for_no_capture(entries: list[GatewayEntry]) -> None:
    log = LivePayments()
    captured(log)
    before = log.payment().captured

    for it in entries:
        told = adoption(log.payment(), it, "fake", "reconciliation")
        if told is not None:
            log.say(told)

    assert log.payment().captured == before
    assert {it.call.operation for it in log.calls} <= {Operation.REFUND, Operation.VOID}
