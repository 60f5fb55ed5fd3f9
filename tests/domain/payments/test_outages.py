"""A gateway that is away: which calls wait for it, which are answered so that another is asked, and in which order they
go when it is back."""

import pytest

from bopis.domain.payments import messages as m
from bopis.domain.payments.events import CallRequested
from bopis.domain.payments.gateway import (
    AWAY_CODES,
    CIRCUIT_OPEN,
    CallOutcome,
    DeclineClass,
    MethodKind,
    Operation,
    PaymentMethod,
    ReportKind,
)
from bopis.domain.payments.state import AttemptState, PaymentEnding, StepState
from bopis.domain.values import MINUTE_MS
from tests.domain.payments.world import HOLD_MS, PaymentWorld, card

TOTAL = 500
IN_STORE = PaymentMethod(kind=MethodKind.PAY_IN_STORE)


def opened(*methods: PaymentMethod) -> PaymentWorld:
    world = PaymentWorld()
    world.open(TOTAL, *methods)
    return world


def authorise(world: PaymentWorld) -> CallRequested:
    return world.call(Operation.AUTHORISE)


@pytest.mark.parametrize(
    ("methods", "is_patient"),
    [
        ((card(1),), True),
        ((card(1), card(2)), True),
        ((card(1), card(2, gateway="other")), False),
        ((card(1), IN_STORE), False),
        ((card(1), PaymentMethod(kind=MethodKind.PAY_IN_STORE, limit_cents=TOTAL - 1)), True),
    ],
    ids=["one card", "two of one gateway", "two gateways", "pay in store", "too dear to pay in store"],
)
def test_a_call_waits_for_its_gateway_when_no_other_one_can_be_asked(
    methods: tuple[PaymentMethod, ...], is_patient: bool
) -> None:
    assert authorise(opened(*methods)).patient == is_patient


@pytest.mark.parametrize("operation", [Operation.CAPTURE, Operation.VOID, Operation.REFUND])
def test_steps_wait_for_their_gateway(operation: Operation) -> None:
    world = opened(card(1), IN_STORE)
    world.answer(authorise(world), CallOutcome.APPROVED, amount=TOTAL)
    if operation is Operation.VOID:
        world.send(m.EndPayment())
    else:
        world.send(m.CaptureGoods(amount=TOTAL, open=0))
    if operation is Operation.REFUND:
        world.answer(world.call(Operation.CAPTURE), CallOutcome.APPROVED)
        world.send(m.RefundGoods(amount=TOTAL))

    assert world.call(operation).patient


def test_questions_about_a_call_that_was_sent_do_not_wait() -> None:
    """At the end of the hold the payment has to end, whether its gateway is back or not."""
    world = opened(card(1))
    asked = []
    while Operation.CLOSE not in asked:
        for requested in list(world.calls):
            asked.append(requested.call.operation)
            assert requested.patient == (requested.request == 1)
            world.answer(requested, CallOutcome.UNKNOWN)
        world.wait(1_000)


def test_a_prolonged_hold_keeps_the_place_of_its_order() -> None:
    """A new order never jumps the queue, also when the holds of older ones end after its own by now."""
    world = opened(card(1))
    first = authorise(world)
    world.wait(HOLD_MS)
    assert world.payment.hold_until_ms > first.urgent_ms + HOLD_MS

    world.answer(first, CallOutcome.NOT_SENT, code=CIRCUIT_OPEN)

    again = authorise(world)
    assert (again.request, again.urgent_ms, again.first_ms) == (2, first.urgent_ms, first.first_ms)


@pytest.mark.parametrize("code", sorted(AWAY_CODES))
def test_a_call_that_was_not_sent_because_its_gateway_is_away_is_requested_again_at_once(code: str) -> None:
    """It waits in the runner, where the most urgent goes first, and not for a time of its own."""
    world = opened(card(1))

    world.answer(authorise(world), CallOutcome.NOT_SENT, code=code, wait_ms=60_000)

    assert authorise(world).request == 2


def test_a_call_that_the_gateway_refused_to_serve_waits_as_long_as_it_was_asked_to() -> None:
    world = opened(card(1))

    world.answer(authorise(world), CallOutcome.NOT_SENT, code="http_429", wait_ms=20_000)

    assert world.calls == []
    world.wait(19_999)
    assert world.calls == []
    world.wait(1)
    assert authorise(world).request == 2


def test_after_the_patience_a_method_behind_another_gateway_is_asked_at_once() -> None:
    world = opened(card(1), card(2, gateway="other"))

    world.wait(MINUTE_MS)
    world.answer(authorise(world), CallOutcome.NOT_SENT, code=CIRCUIT_OPEN, wait_ms=30_000)

    assert world.attempt(1).state is AttemptState.NOT_CALLED
    assert authorise(world).call.gateway == "other"


def test_a_method_that_is_added_while_the_gateway_is_away_ends_the_wait_for_it() -> None:
    world = opened(card(1))
    world.wait(5 * MINUTE_MS)

    world.send(m.AddMethod(method=card(2, gateway="other")))
    requested = authorise(world)
    assert (requested.request, requested.patient) == (2, False)
    world.answer(requested, CallOutcome.NOT_SENT, code=CIRCUIT_OPEN)

    assert authorise(world).call.gateway == "other"


def withdrawn() -> tuple[PaymentWorld, CallRequested, CallRequested]:
    """An order that is cancelled before its call was answered: its payment, the call, the request not to send it."""
    world = opened(card(1))
    first = authorise(world)
    world.send(m.EndPayment())
    return world, first, authorise(world)


def test_the_call_of_an_order_that_is_cancelled_meanwhile_is_withdrawn_once() -> None:
    world, first, request = withdrawn()

    assert request.is_withdrawn
    assert (request.call, request.request, first.is_withdrawn) == (first.call, 2, False)
    world.answer(request, CallOutcome.NOT_SENT, code="too_late")
    assert world.attempt().state is AttemptState.NOT_CALLED
    assert world.calls == []
    assert not world.payment.due_ms


@pytest.mark.parametrize(
    ("outcome", "then"),
    [
        (CallOutcome.APPROVED, Operation.VOID),
        (CallOutcome.IN_REVIEW, Operation.VOID),
        (CallOutcome.UNKNOWN, Operation.CLOSE),
        (CallOutcome.ACCEPTED, Operation.CLOSE),
        (CallOutcome.ACTION_REQUIRED, Operation.CLOSE),
    ],
)
def test_a_call_that_had_left_before_it_was_withdrawn_is_released(outcome: CallOutcome, then: Operation) -> None:
    """The runner answers both: the call as the gateway did, and then that it did not send it once more."""
    world, first, request = withdrawn()

    world.answer(first, outcome)
    world.answer(request, CallOutcome.NOT_SENT, code="too_late")

    assert world.call(then)
    assert world.attempt().state is not AttemptState.NOT_CALLED


@pytest.mark.parametrize("answered_first", [CallOutcome.DECLINED, CallOutcome.NOT_SENT])
def test_a_withdrawn_call_of_which_nothing_came_needs_nothing(answered_first: CallOutcome) -> None:
    world, first, request = withdrawn()
    facts = {"decline": DeclineClass.SOFT} if answered_first is CallOutcome.DECLINED else {"code": CIRCUIT_OPEN}

    world.answer(first, answered_first, **facts)
    world.answer(request, CallOutcome.NOT_SENT, code="too_late")

    assert world.calls == []
    assert world.payment.ending is PaymentEnding.ORDER_ENDED
    assert not world.payment.due_ms


def test_a_late_success_of_another_method_withdraws_a_call_that_waits() -> None:
    world = opened(card(1), card(2))
    while len(world.payment.attempts) == 1:
        for requested in list(world.calls):
            is_close = requested.call.operation is Operation.CLOSE
            world.answer(requested, CallOutcome.UNSUPPORTED if is_close else CallOutcome.UNKNOWN)
        world.wait(1_000)
    assert world.call(Operation.AUTHORISE, 2).patient

    world.report(ReportKind.AUTHORISED, amount=TOTAL)

    assert world.call(Operation.AUTHORISE, 2).is_withdrawn
    world.answer(world.call(Operation.AUTHORISE, 2), CallOutcome.NOT_SENT, code="too_late")
    assert [it.state for it in world.payment.attempts] == [AttemptState.APPROVED, AttemptState.NOT_CALLED]
    assert not any(it.state is not StepState.DONE for it in world.attempt(1).steps)
