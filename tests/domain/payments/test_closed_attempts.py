"""An attempt that was closed, and word of its approval that comes afterwards: by every answer to the close, by every
late word, and by what is there at the gateway.

Found by kills of real processes: an approval that was reported late covered goods, though the close had released it.
They were handed over, and their capture was refused.
"""

from dataclasses import dataclass, field

import pytest

from bopis.domain.payments import messages as m
from bopis.domain.payments.events import CallRequested
from bopis.domain.payments.gateway import CallOutcome, DeclineClass, GatewayAnswer, Operation, ReportKind
from bopis.domain.payments.state import AttemptState, CoverState, is_pending
from bopis.domain.values import MINUTE_MS
from tests.domain.payments.world import PaymentWorld, card

TOTAL = 500
OUT = CallOutcome
# Answers after which the gateway has nothing of the attempt: only what lands in spite of the close can be there.
FENCED = (OUT.VOIDED, OUT.GONE, OUT.DECLINED)
# Answers after which it is not known whether the close was done.
IN_DOUBT = (OUT.UNKNOWN, OUT.NOT_SENT, OUT.ACCEPTED, OUT.KEY_REUSED)
# Answers after which the authorisation is as open as before.
NOT_CLOSED = (OUT.APPROVED, OUT.IN_REVIEW, OUT.UNSUPPORTED, OUT.FAILED, OUT.ACTION_REQUIRED)
CLOSES = (*FENCED, *IN_DOUBT, *NOT_CLOSED)
# What comes in after the close was answered, in this order.
WORDS: dict[str, tuple[ReportKind, ...]] = {
    "approved": (ReportKind.AUTHORISED,),
    "approved, twice": (ReportKind.AUTHORISED, ReportKind.AUTHORISED),
    "declined, then approved": (ReportKind.DECLINED, ReportKind.AUTHORISED),
    "approved, then declined": (ReportKind.AUTHORISED, ReportKind.DECLINED),
    "a challenge, then approved": (ReportKind.ACTION_REQUIRED, ReportKind.AUTHORISED),
    "a review, then approved": (ReportKind.REVIEW_OPENED, ReportKind.REVIEW_APPROVED, ReportKind.AUTHORISED),
    "approved, then voided": (ReportKind.AUTHORISED, ReportKind.VOIDED),
    "the answer to its first call": (),
}


@dataclass
class Truth:
    """What is there at the gateway: of attempt 1 by the table, of others by their calls."""

    close: CallOutcome
    is_open: bool
    others: set[int] = field(default_factory=set)
    captured: list[int] = field(default_factory=list)

    def is_there(self, attempt: int) -> bool:
        return self.is_open if attempt == 1 else attempt in self.others

    def answer(self, requested: CallRequested, second: CallOutcome) -> GatewayAnswer:
        call = requested.call
        approved = GatewayAnswer(outcome=OUT.APPROVED, amount=TOTAL, reference=f"ref-{call.attempt}")
        match call.operation:
            case Operation.AUTHORISE:
                assert call.attempt > 1, "attempt 1 is not sent again"
                if second is OUT.APPROVED:
                    self.others.add(call.attempt)
                    return approved
                return GatewayAnswer(outcome=OUT.DECLINED, decline=DeclineClass.HARD)
            case Operation.FIND:
                return approved if self.is_there(call.attempt) else GatewayAnswer(outcome=OUT.VOIDED)
            case Operation.CLOSE if self.close in (OUT.UNSUPPORTED, OUT.FAILED):
                return GatewayAnswer(outcome=self.close)
            case Operation.CLOSE | Operation.VOID:
                self.is_open = self.is_open and call.attempt != 1
                self.others.discard(call.attempt)
                return GatewayAnswer(outcome=OUT.VOIDED)
            case _:
                assert self.is_there(call.attempt), "captured of what the gateway has released"
                self.captured.append(call.attempt)
                return GatewayAnswer(outcome=OUT.APPROVED)


def unanswered() -> PaymentWorld:
    """Two cards; the first call is not answered, and its close is asked for."""
    world = PaymentWorld()
    world.open(TOTAL, card(1), card(2))
    while not any(it.call.operation is Operation.CLOSE for it in world.calls):
        for requested in list(world.calls):
            world.answer(requested, OUT.UNKNOWN)
        world.wait(1_000)
    return world


def goods_may_leave(world: PaymentWorld) -> bool:
    return world.payment.cover.state is CoverState.AUTHORISED


def after_the_close(close: CallOutcome, word: str, second: CallOutcome, *, is_open: bool) -> tuple[PaymentWorld, Truth]:
    """Answer the close and give late word of an approval; then everything is answered truly, and goods leave."""
    world, truth = unanswered(), Truth(close, is_open)

    def assert_cover_is_there() -> None:
        if goods_may_leave(world):
            assert any(truth.is_there(it.number) for it in world.payment.live), "goods may leave for nothing"

    first = next(it for it in world.all_calls if it.call.operation is Operation.AUTHORISE)
    facts = {"decline": DeclineClass.SOFT} if close is OUT.DECLINED else {"amount": TOTAL}
    world.answer(world.call(Operation.CLOSE), close, **facts)
    for kind in WORDS[word]:
        late = {"amount": TOTAL, "reference": "ref-1"} if kind is ReportKind.AUTHORISED else {}
        # A refusal ends a review; elsewhere it is older than what it follows.
        is_ended = kind is ReportKind.VOIDED or (kind is ReportKind.DECLINED and world.attempt(1).review)
        truth.is_open = truth.is_open and not is_ended
        world.report(kind, **late)
        assert_cover_is_there()
    if not WORDS[word]:
        world.answer_again(first, OUT.APPROVED, amount=TOTAL, reference="ref-1")
    assert_cover_is_there()
    for _ in range(6):
        while world.calls:
            requested = world.calls[0]
            answer = truth.answer(requested, second)
            world.calls.remove(requested)
            world.take_answer(requested, answer)
            assert_cover_is_there()
        world.wait(MINUTE_MS)
    return world, truth


@pytest.mark.parametrize("second", [OUT.APPROVED, OUT.DECLINED], ids=["the next pays", "the next does not"])
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("close", CLOSES)
def test_goods_leave_only_for_what_is_there_whatever_is_said_after_a_close(
    close: CallOutcome, word: str, second: CallOutcome
) -> None:
    # A close that was answered holds, unless the call that it overtook lands all the same.
    truths = (True,) if close in NOT_CLOSED else (False, True)
    for is_open in truths:
        world, truth = after_the_close(close, word, second, is_open=is_open)
        may_leave = goods_may_leave(world)
        if may_leave:
            world.send(m.CaptureGoods(amount=TOTAL, open=0))
            while world.calls:
                requested = world.calls[0]
                world.answer(requested, truth.answer(requested, second).outcome)

        attempt = world.attempt(1)
        if close in FENCED:
            assert not attempt.capturing, "never captured"
            assert not truth.is_open, "the second net: voided"
        if truth.is_open:
            is_watched = is_pending(attempt) or attempt.review or attempt.state is AttemptState.UNKNOWN
            assert truth.captured == [1] or is_watched, "nothing stays authorised unseen"
        assert world.payment.owed == 0
        assert len(truth.captured) == int(may_leave)
        if second is OUT.APPROVED and not attempt.review:
            assert may_leave, "the next method pays"


@pytest.mark.parametrize("close", [*IN_DOUBT, OUT.UNSUPPORTED, OUT.FAILED])
def test_a_late_approval_that_the_gateway_confirms_is_used_where_nothing_else_pays(close: CallOutcome) -> None:
    world, truth = after_the_close(close, "approved", OUT.DECLINED, is_open=True)

    assert goods_may_leave(world)
    assert truth.is_there(1)


@pytest.mark.parametrize("close", FENCED)
def test_an_approval_after_an_answered_close_is_voided_at_once_and_covers_nothing(close: CallOutcome) -> None:
    world = unanswered()
    facts = {"decline": DeclineClass.SOFT} if close is OUT.DECLINED else {}
    world.answer(world.call(Operation.CLOSE), close, **facts)
    world.answer(world.call(Operation.AUTHORISE, 2), OUT.DECLINED, decline=DeclineClass.HARD)

    world.report(ReportKind.AUTHORISED, amount=TOTAL, reference="ref-1")

    assert world.call(Operation.VOID, 1)
    assert not world.payment.live
    assert world.payment.cover.amount == 0
