"""The figures of payments: what differs between the ledgers, or between them and what customers did, is seen."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bopis.adapters.gateways.fake_bank import FakeBank
from bopis.adapters.gateways.fake_book import Book
from bopis.adapters.gateways.fake_script import FakeOptions
from bopis.demo.gateway_ledger import GatewayLedger, Sums
from bopis.demo.payings import Paying
from bopis.demo.payment_figures import PaymentFigures, failed_payment_checks, paid_figures, payment_rows
from bopis.demo.pickups import Deed, OrderedUnits, Pickup, Story, TimedDeed
from bopis.demo.tally import Tally
from bopis.domain.orders.events import CaptureRequested, PaymentAnswered
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.vocabulary import Amount, PaymentState
from bopis.domain.payments.gateway import AttemptReason, GatewayAnswer, GatewayCall, Operation, PaymentMethod
from bopis.domain.payments.state import Attempt, AttemptState, Payment, Step, StepState

ORDER = "N6PV4KQ2"
STAMP = Stamp(device="d", actor="", at_ms=0, recorded_at_ms=0)
BOUGHT = Pickup(
    order=ORDER,
    story=Story.COLLECTED,
    store="S01",
    place="A1",
    lines=(OrderedUnits("DAI-0001", 2),),
    deeds=(TimedDeed(0, Deed.PLACE), TimedDeed(1, Deed.HAND_OVER)),
    paying=Paying.SOFT,
)
CENTS = BOUGHT.kept_cents
METHODS = tuple(PaymentMethod(token=token) for token in ("tok_soft", "tok_ok"))


def called(bank: FakeBank, attempt: int, operation: Operation, reference: str = "") -> GatewayAnswer:
    call = GatewayCall(
        key=f"{ORDER}-{attempt}-{operation}",
        order=ORDER,
        attempt=attempt,
        operation=operation,
        gateway="",
        amount=CENTS,
        currency="USD",
        authorisation=f"{ORDER}-{attempt}-authorise",
        token=METHODS[attempt - 1].token,
        reference=reference,
    )
    answer = bank.call(call).answer
    assert answer is not None
    return answer


@pytest.fixture
def ledger(tmp_path: Path) -> GatewayLedger:
    """A declined card, and one of which everything is captured."""
    bank = FakeBank(Book(tmp_path / "ledger"), FakeOptions(), lambda: 1)
    called(bank, 1, Operation.AUTHORISE)
    reference = called(bank, 2, Operation.AUTHORISE).reference
    called(bank, 2, Operation.CAPTURE, reference)
    bank.book.close()
    return GatewayLedger(tmp_path / "ledger")


@pytest.fixture
def payment() -> Payment:
    attempts = [
        Attempt(number=n, method=n, reason=AttemptReason.FIRST, asked=CENTS, key=f"{ORDER}-{n}", since_ms=0)
        for n in (1, 2)
    ]
    capture = Step(key="c", operation=Operation.CAPTURE, amount=CENTS, state=StepState.DONE, since_ms=0, final=True)
    declined = replace(attempts[0], state=AttemptState.DECLINED)
    approved = replace(attempts[1], state=AttemptState.APPROVED, authorised=CENTS, steps=(capture,))
    return Payment(
        order=ORDER,
        currency="USD",
        methods=METHODS,
        opened_ms=0,
        hold_until_ms=0,
        handed=CENTS,
        attempts=(declined, approved),
    )


@pytest.fixture
def tally() -> Tally:
    tally = Tally((BOUGHT,))
    told(tally, CENTS)
    return tally


def told(tally: Tally, covered: int) -> None:
    """The order learns that so much is paid for, and its goods leave."""
    answered = PaymentAnswered(stamp=STAMP, state=PaymentState.AUTHORISED, method="tok_ok", cents=covered)
    tally.payments.take(ORDER, answered)
    amount = Amount(cents=CENTS, currency="USD")
    tally.payments.take(ORDER, CaptureRequested(stamp=STAMP, amount=amount, open_cents=0))


def figures(tally: Tally, payment: Payment, ledger: GatewayLedger, reconcile: str = "equal") -> PaymentFigures:
    return paid_figures(tally, {ORDER: payment}, ledger, reconcile)


def test_equal_ledgers_are_right(tally: Tally, payment: Payment, ledger: GatewayLedger) -> None:
    found = figures(tally, payment, ledger)

    assert failed_payment_checks(found, 1) == ()
    assert found.books == found.gateway == Sums(authorised=CENTS, captured=CENTS)
    assert (found.paid, found.by_next, found.asked, found.declines) == (1, 1, 0, {"soft": 1})
    assert any("equal to the cent" in value for _, value in payment_rows(found))


@pytest.mark.parametrize("change", [{"authorised": CENTS + 1}, {"steps": ()}])
def test_a_cent_is_seen_and_named(
    tally: Tally, payment: Payment, ledger: GatewayLedger, change: dict[str, Any]
) -> None:
    declined, approved = payment.attempts
    other = replace(payment, attempts=(declined, replace(approved, **change)))

    found = figures(tally, other, ledger)

    assert found.differences == 1
    assert f"order {ORDER}, attempt 2" in found.first_difference
    assert any("differ between the ledgers" in it for it in failed_payment_checks(found, 1))
    assert not any("equal to the cent" in value for _, value in payment_rows(found))


def test_a_charge_that_our_books_do_not_have_is_seen(tally: Tally, ledger: GatewayLedger) -> None:
    found = paid_figures(tally, {}, ledger, "equal")

    assert found.differences == 1
    assert "1 orders have no payment" in failed_payment_checks(found, 1)


def test_goods_that_left_unpaid_are_seen(payment: Payment, ledger: GatewayLedger) -> None:
    tally = Tally((BOUGHT,))
    told(tally, CENTS - 1)

    assert "1 hand-overs were not paid for" in failed_payment_checks(figures(tally, payment, ledger), 1)


def test_a_customer_who_paid_another_sum_is_seen(tally: Tally, payment: Payment, ledger: GatewayLedger) -> None:
    tally.payments.paid_at_till[ORDER] = 1

    failed = failed_payment_checks(figures(tally, payment, ledger), 1)

    assert failed == ("1 customers paid another sum than the price of what they have",)


def test_an_unplanned_course_and_a_difference_of_the_product_are_told(
    tally: Tally, payment: Payment, ledger: GatewayLedger
) -> None:
    tally.payments.asked.add(ORDER)

    failed = failed_payment_checks(figures(tally, payment, ledger, "1 differences, first order X: captured"), 1)

    assert "2 payments took another course than planned" in failed
    assert "payments reconcile: 1 differences, first order X: captured" in failed


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path, ledger: GatewayLedger) -> None:
    with (tmp_path / "ledger").open("ab") as file:
        file.write(b'{"authorisation":{"ref"')

    assert GatewayLedger(tmp_path / "ledger").sums() == ledger.sums()
