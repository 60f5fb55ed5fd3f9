"""Payments as they are now, from their changelog: by order, by what is wrong, what is owed by whom."""

import pytest

from bopis.domain.payments.gateway import (
    CallOutcome,
    DeclineClass,
    GatewayReport,
    MethodKind,
    Operation,
    PaymentMethod,
    ReportKind,
)
from bopis.domain.payments.messages import ProviderReported, RefundPayment
from bopis.services.payments.book import (
    Concern,
    PaymentBook,
    PaymentStatus,
    concerns_of,
    debts,
    debts_for_people,
    status_of,
)
from bopis.services.payments.errors import PaymentUnknown
from bopis.wire.placement import partition_of
from tests.services.payments.live import HOUR_MS, ORDER, LivePayments, book_of, card

OTHER = "4K7P92QX"
IN_STORE = PaymentMethod(kind=MethodKind.PAY_IN_STORE)


@pytest.fixture
def log() -> LivePayments:
    return LivePayments()


def only(log: LivePayments, concern: Concern | None) -> list[str]:
    return [it.order for it in book_of(log).find(concern)]


def test_a_payment_is_found_by_its_order_and_an_order_without_one_is_named(log: LivePayments) -> None:
    log.open(1250, card())
    book = book_of(log)

    assert book.named(ORDER).open == 1250
    assert book.get("0") is None
    with pytest.raises(PaymentUnknown, match="Order 0 has no payment"):
        book.named("0")


def test_lists_begin_with_the_newest_and_end_at_the_limit(log: LivePayments) -> None:
    log.open(1250, card())
    log.open(800, card(), order=OTHER)

    assert only(log, None) == [OTHER, ORDER]
    assert [it.order for it in book_of(log).find(None, 1)] == [OTHER]


def test_for_one_order_only_its_partition_is_read(log: LivePayments) -> None:
    names = [f"{n:08}" for n in range(20)]
    here = next(it for it in names if partition_of(it.encode(), 2) == 0)
    there = next(it for it in names if partition_of(it.encode(), 2) == 1)
    log.open(100, card(), order=here)
    log.open(100, card(), order=there)
    book = PaymentBook(log)

    assert book.refresh(here) == {here}
    assert book.get(there) is None
    assert book.refresh() == {there}


def test_a_record_that_is_no_payment_is_passed_over_and_named(log: LivePayments) -> None:
    log.open(1250, card())
    log._append(0, b"J", b"{}")
    book = book_of(log)

    assert [it.order for it in book.find(None)] == [ORDER]
    assert len(book.skipped) == 1
    assert book.skipped[0].startswith("payment-state/0/")


def test_an_answer_that_is_unknown_puts_a_payment_on_its_list(log: LivePayments) -> None:
    log.open(1250, card())
    assert only(log, Concern.UNKNOWN) == []

    log.answer(CallOutcome.UNKNOWN)

    assert only(log, Concern.UNKNOWN) == [ORDER]
    assert status_of(log.payment()) is PaymentStatus.UNKNOWN


def test_a_challenge_and_the_last_decline_wait_for_the_customer(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.ACTION_REQUIRED, link="https://bank.example/1")
    log.open(800, card(), order=OTHER)
    log.answer(CallOutcome.DECLINED, decline=DeclineClass.HARD)

    assert only(log, Concern.WAITING) == [OTHER, ORDER]
    assert status_of(log.payment()) is PaymentStatus.ACTION_REQUIRED


def test_a_review_is_a_list_of_its_own(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.IN_REVIEW, reference="r")

    assert only(log, Concern.REVIEW) == [ORDER]
    assert status_of(log.payment()) is PaymentStatus.IN_REVIEW


def test_a_refund_that_came_back_is_stuck_until_it_is_taken_up(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)
    log.hand_over(1250)
    log.answer(CallOutcome.APPROVED, Operation.CAPTURE)
    log.say(RefundPayment(reason="bruised", amount=200))
    log.answer(CallOutcome.ACCEPTED, Operation.REFUND)
    assert only(log, Concern.STUCK) == []

    report = GatewayReport(order=ORDER, attempt=1, kind=ReportKind.REFUND_FAILED, amount=200)
    log.say(ProviderReported(gateway="", report=report))

    assert only(log, Concern.STUCK) == [ORDER]
    assert Concern.STUCK in concerns_of(log.payment())


def test_a_payment_that_is_over_is_not_open(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)
    assert only(log, Concern.OPEN) == [ORDER]
    assert status_of(log.payment()) is PaymentStatus.AUTHORISED

    log.hand_over(1250)
    log.answer(CallOutcome.APPROVED, Operation.CAPTURE)

    assert only(log, Concern.OPEN) == []
    assert status_of(log.payment()) is PaymentStatus.CAPTURED


def test_a_capture_on_its_way_is_owed_and_needs_nobody(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)
    log.hand_over(1250)

    (debt,) = debts(log.payment())

    assert (debt.amount, debt.because) == (1250, "its capture is on its way")
    assert debts_for_people(log.payment()) == 0
    assert only(log, Concern.OWED) == [ORDER]


def test_goods_whose_capture_failed_are_owed_by_name(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)
    log.hand_over(1250)
    log.answer(CallOutcome.FAILED, Operation.CAPTURE, code="expired")
    while log.calls:
        log.answer(CallOutcome.DECLINED, log.calls[0].call.operation, decline=DeclineClass.HARD)

    (debt,) = debts(log.payment())

    assert debt.amount == 1250
    assert "every method was declined" in debt.because
    assert debt.who.startswith("the payment desk")
    assert status_of(log.payment()) is PaymentStatus.OWED


def test_what_is_to_be_paid_in_the_store_and_was_not_is_the_stores(log: LivePayments) -> None:
    log.open(900, IN_STORE)
    assert status_of(log.payment()) is PaymentStatus.PAY_IN_STORE
    log.hand_over(900)

    (debt,) = debts(log.payment())

    assert (debt.amount, debt.who) == (900, "the store: ask the customer")


def test_the_debts_of_a_payment_add_up_to_what_is_owed(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)
    for cents, left in ((300, 950), (950, 0)):
        log.hand_over(cents, left)
        assert sum(it.amount for it in debts(log.payment())) == log.payment().owed
    log.now_ms += HOUR_MS
