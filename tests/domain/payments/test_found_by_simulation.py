"""What the simulation found about payments, each as small as it gets."""

import pytest

from bopis.domain.orders import messages as om
from bopis.domain.orders.events import OrderHandedOver
from bopis.domain.orders.lines import PickedLine
from bopis.domain.payments import messages as m
from bopis.domain.payments.gateway import CallOutcome, GatewayReport, Operation, ReportKind
from bopis.domain.payments.limits import CAPTURES_LOST_MAX
from bopis.domain.payments.state import AttemptState, StepState
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from tests.domain.payments.bank import Bank
from tests.domain.payments.test_visits import StoppedPayments, hand_over
from tests.domain.payments.world import PaymentWorld, card


def approved(total: int = 500, **facts: object) -> PaymentWorld:
    world = PaymentWorld()
    world.open(total, card(1))
    world.answer(world.call(Operation.AUTHORISE), CallOutcome.APPROVED, **{"amount": total, **facts})
    return world


def unanswered_for_a_day(world: PaymentWorld, operation: Operation) -> None:
    """No answer comes to a call until its key may be forgotten: then the sums of the authorisation are asked for."""
    until_ms = world.now_ms + 2 * DAY_MS
    while world.now_ms < until_ms:
        for requested in list(world.calls):
            if requested.call.operation is Operation.FIND:
                return
            assert requested.call.operation is operation
            world.answer(requested, CallOutcome.UNKNOWN)
        world.wait(HOUR_MS)
    raise AssertionError("the sums are not asked for")


@pytest.mark.parametrize(
    ("told", "authorised"), [(700, 700), (500, 500), (None, 500)], ids=["raised", "not raised", "not told"]
)
def test_a_raise_without_an_answer_ends_by_the_gateways_sums(told: int | None, authorised: int) -> None:
    world = approved(adjustable=True)
    world.send(m.ChangeAmount(open=700))
    unanswered_for_a_day(world, Operation.ADJUST)

    world.answer(world.call(Operation.FIND), CallOutcome.APPROVED, amount=told)

    step = world.attempt().of(Operation.ADJUST)[0]
    assert (step.state, step.retried) == ((StepState.DONE, False) if told == 700 else (StepState.FAILED, True))
    assert world.attempt().authorised == authorised


def test_a_void_without_an_answer_is_done_when_the_gateway_has_released() -> None:
    world = approved()
    world.send(m.EndPayment())
    unanswered_for_a_day(world, Operation.VOID)

    world.answer(world.call(Operation.FIND), CallOutcome.VOIDED)

    assert [it.state for it in world.attempt().steps] == [StepState.DONE]
    assert not world.payment.due_ms


def test_a_void_without_an_answer_ends_although_the_authorisation_ended_meanwhile() -> None:
    world = approved()
    world.send(m.EndPayment())
    world.report(ReportKind.ENDED)
    unanswered_for_a_day(world, Operation.VOID)

    world.answer(world.call(Operation.FIND), CallOutcome.GONE)

    assert [it.state for it in world.attempt().steps] == [StepState.DONE]
    assert not world.payment.due_ms


@pytest.mark.parametrize("kind", [ReportKind.ENDED, ReportKind.VOIDED])
def test_an_answer_that_is_older_than_the_end_revives_nothing(kind: ReportKind) -> None:
    world = PaymentWorld()
    world.open(500, card(1), card(2))
    first = world.call(Operation.AUTHORISE)

    world.report(kind)
    world.answer(first, CallOutcome.APPROVED, amount=500)

    assert world.attempt().state is not AttemptState.APPROVED
    assert world.attempt(2).state is AttemptState.REQUESTED
    assert not world.payment.live


def test_a_challenge_that_cannot_be_closed_is_asked_for_until_it_has_ended() -> None:
    world = PaymentWorld()
    world.open(500, card(1))
    world.answer(world.call(Operation.AUTHORISE), CallOutcome.ACTION_REQUIRED, link="https://bank.example/1")
    world.send(m.EndPayment())
    world.answer(world.call(Operation.CLOSE), CallOutcome.UNSUPPORTED)

    outcomes = (CallOutcome.ACTION_REQUIRED, CallOutcome.ACTION_REQUIRED, CallOutcome.GONE)
    for outcome in outcomes:
        world.wait(2 * MINUTE_MS)
        world.answer(world.call(Operation.FIND), outcome)

    assert world.attempt().state is AttemptState.CLOSED
    assert not world.payment.due_ms


def staged(world: StoppedPayments) -> None:
    store = world.order().lines[0].store
    world.tell(om.AcceptPick(store=store))
    world.tell(om.RecordPick(store=store, lines=(PickedLine(line=1, picked=3),)))
    world.tell(om.StageOrder(store=store, location="R1"))


def test_a_review_rejected_after_the_promise_ends_the_order() -> None:
    """Its authorisation is released, so nothing may be handed over any more."""
    world = StoppedPayments(Bank())
    world.buy(["ok"], lines=(("A", 3),))
    world.settle(MINUTE_MS)
    staged(world)

    report = GatewayReport(order=world.payment.order, attempt=1, kind=ReportKind.REVIEW_REJECTED)
    world.tell_payment(m.ProviderReported(gateway="", report=report))
    hand_over(world)
    world.settle(MINUTE_MS)

    assert not world.of(OrderHandedOver)
    assert not world.order().live
    assert (world.bank.open, world.bank.captured) == (0, 0)


def test_goods_that_left_before_the_end_of_their_payment_was_heard_of_are_owed() -> None:
    world = approved()
    world.report(ReportKind.REVIEW_REJECTED)
    world.answer(world.call(Operation.VOID), CallOutcome.VOIDED)

    world.send(m.CaptureGoods(amount=500, open=0))

    assert (world.payment.owed, world.payment.captured, world.refusals) == (500, 0, [])


def test_a_method_whose_captures_are_refused_again_and_again_is_left_to_people() -> None:
    """Each new authorisation blocks the customer's limit once more."""
    world = PaymentWorld()
    world.open(500, card(1), card(2))
    world.answer(world.call(Operation.AUTHORISE), CallOutcome.APPROVED, amount=500)
    world.send(m.CaptureGoods(amount=500, open=0))

    while world.calls:
        requested = world.calls[0]
        is_capture = requested.call.operation is Operation.CAPTURE
        world.answer(requested, CallOutcome.FAILED if is_capture else CallOutcome.APPROVED)

    asked = [it.method for it in world.payment.attempts]
    assert sorted(asked) == [1] * CAPTURES_LOST_MAX + [2] * CAPTURES_LOST_MAX
    assert world.payment.uncaptured == 500
    assert len(world.asked) == 1


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(CallOutcome.VOIDED, AttemptState.CLOSED), (CallOutcome.APPROVED, AttemptState.APPROVED)],
    ids=["the close came first", "the approval came first"],
)
def test_an_approval_that_is_reported_while_a_challenge_is_closed_is_what_the_close_finds(
    outcome: CallOutcome, state: AttemptState
) -> None:
    world = PaymentWorld()
    world.open(500, card(1))
    world.answer(world.call(Operation.AUTHORISE), CallOutcome.ACTION_REQUIRED, link="https://bank.example/1")
    while not any(it.call.operation is Operation.CLOSE for it in world.calls):
        world.wait(MINUTE_MS)

    world.report(ReportKind.AUTHORISED, amount=500)

    assert world.attempt().state is AttemptState.ACTION_REQUIRED
    world.answer(world.call(Operation.CLOSE), outcome, amount=500)
    assert world.attempt().state is state


def test_a_call_that_was_sent_again_after_not_sent_was_published_is_closed() -> None:
    """A runner published "not sent" and was killed; the next one sent the call, and its answer was lost."""
    world = PaymentWorld()
    world.open(500, card(1))
    requested = world.call(Operation.AUTHORISE)
    world.answer(requested, CallOutcome.NOT_SENT, code="rate_limited")
    world.send(m.EndPayment())
    assert world.attempt().state is AttemptState.NOT_CALLED

    world.answer_again(requested, CallOutcome.UNKNOWN)
    world.wait(2 * MINUTE_MS)
    world.answer(world.call(Operation.CLOSE), CallOutcome.APPROVED, amount=500)

    assert world.call(Operation.VOID)


def test_a_call_that_waits_and_was_sent_again_meanwhile_is_closed_when_it_is_not_needed() -> None:
    world = PaymentWorld()
    world.open(500, card(1))
    requested = world.call(Operation.AUTHORISE)
    world.answer(requested, CallOutcome.NOT_SENT, code="rate_limited")

    world.answer_again(requested, CallOutcome.UNKNOWN)
    world.send(m.EndPayment())

    assert world.call(Operation.CLOSE)
