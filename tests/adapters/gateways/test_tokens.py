"""A token names what becomes of a payment; the fake gateway's bank is asked without its network."""

from __future__ import annotations

import pytest

from bopis.adapters.gateways.fake_bank import FakeBank
from bopis.adapters.gateways.fake_book import Book
from bopis.adapters.gateways.fake_script import FakeOptions, Script, script_of
from bopis.domain.payments.gateway import CallInitiator, CallOutcome, DeclineClass, GatewayAnswer, Operation, ReportKind
from tests.adapters.gateways.calls import Clock, call

FIND, CLOSE, CAPTURE, VOID, REFUND = (
    Operation.FIND,
    Operation.CLOSE,
    Operation.CAPTURE,
    Operation.VOID,
    Operation.REFUND,
)
APPROVED, DECLINED, DROPPED = "approved", "declined", "dropped"


def bank(clock: Clock | None = None, **options: object) -> FakeBank:
    made = FakeBank(Book(), FakeOptions(**options), clock or Clock(), "http://bank")  # type: ignore[arg-type]  # by name
    made.is_reporting = True
    return made


def reports(of: FakeBank) -> list[str]:
    return [it.report.kind.value for it in of.book.outbox.values()]


def asked(of: FakeBank, *args: object, **changes: object) -> GatewayAnswer:
    answer = of.call(call(*args, **changes)).answer  # type: ignore[arg-type]  # by name
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("token", "outcome", "decline", "amount", "found"),
    [
        ("tok_ok", "approved", None, 1000, "approved"),
        ("tok_soft", "declined", "soft", 0, "declined"),
        ("tok_hard", "declined", "hard", 0, "declined"),
        ("tok_never", "declined", "never", 0, "declined"),
        ("tok_data", "declined", "data", 0, "declined"),
        ("tok_technical", "declined", "technical", 0, "declined"),
        ("tok_authenticate", "declined", "authenticate", 0, "declined"),
        ("tok_soft_then_ok", "declined", "soft", 0, "declined"),
        ("tok_soft.second_card", "declined", "soft", 0, "declined"),
        ("tok_challenge", "action_required", None, 0, "action_required"),
        ("tok_challenge_fail", "action_required", None, 0, "action_required"),
        ("tok_review", "in_review", None, 1000, "in_review"),
        ("tok_review_reject", "in_review", None, 1000, "in_review"),
        ("tok_timeout_after", DROPPED, None, 0, "approved"),
        ("tok_timeout_before", DROPPED, None, 0, "gone"),
        ("tok_partial_25", "approved", None, 250, "approved"),
        ("tok_late_ok", DROPPED, None, 0, "accepted"),
        ("tok_lands_after_close", DROPPED, None, 0, "gone"),
        ("tok_mismatch", "approved", None, 1100, "approved"),
        ("tok_capture_fails", "approved", None, 1000, "approved"),
        ("tok_capture_accepted", "approved", None, 1000, "approved"),
        ("tok_refund_bounces", "approved", None, 1000, "approved"),
        ("gift_anna_400", "approved", None, 400, "approved"),
        ("gift_anna_0", "declined", "hard", 0, "declined"),
        ("visa-4242", "approved", None, 1000, "approved"),
    ],
)
def test_a_token_decides_an_authorisation(
    token: str, outcome: str, decline: str | None, amount: int, found: str
) -> None:
    of = bank()

    answer = of.call(call(token=token)).answer

    assert (DROPPED if answer is None else answer.outcome) == outcome
    assert answer is None or (answer.decline, answer.amount) == (decline, amount)
    assert asked(of, FIND).outcome == found


def test_a_soft_decline_is_approved_at_the_next_try_with_another_key() -> None:
    of = bank()
    asked(of, token="tok_soft_then_ok")

    again = asked(of, token="tok_soft_then_ok")
    next_try = asked(of, token="tok_soft_then_ok", attempt=2)

    assert (again.outcome, next_try.outcome) == (CallOutcome.DECLINED, CallOutcome.APPROVED)


@pytest.mark.parametrize(
    ("token", "passed", "outcome", "kinds"),
    [
        ("tok_challenge", True, APPROVED, ["action_required", "authorised"]),
        ("tok_challenge", False, DECLINED, ["action_required", "declined"]),
        ("tok_challenge_fail", True, DECLINED, ["action_required", "declined"]),
    ],
)
def test_a_challenge_ends_as_the_customer_and_the_token_say(
    token: str, passed: bool, outcome: str, kinds: list[str]
) -> None:
    of = bank()
    answer = asked(of, token=token)

    is_taken = of.challenge(answer.reference, passed)

    assert answer.link == f"http://bank/challenge/{answer.reference}"
    assert is_taken
    assert not of.challenge(answer.reference, True)
    assert asked(of, FIND).outcome == outcome
    assert reports(of) == kinds


def test_a_challenge_that_nobody_answers_is_declined_at_its_end() -> None:
    clock = Clock()
    of = bank(clock)
    answer = asked(of, token="tok_challenge")

    clock.now_ms = answer.link_until_ms
    of.tick()

    assert asked(of, FIND).code == "challenge_expired"
    assert asked(of, FIND).decline is DeclineClass.AUTHENTICATE


@pytest.mark.parametrize(
    ("token", "approved", "outcome", "kind"),
    [
        ("tok_review", True, APPROVED, "review_approved"),
        ("tok_review", False, DECLINED, "review_rejected"),
        ("tok_review_reject", True, DECLINED, "review_rejected"),
    ],
)
def test_a_review_ends_as_staff_and_the_token_say(token: str, approved: bool, outcome: str, kind: str) -> None:
    of = bank()
    answer = asked(of, token=token)

    assert of.review(answer.reference, approved)
    assert asked(of, FIND).outcome == outcome
    assert reports(of) == ["review_opened", kind]
    assert asked(of, VOID).outcome is CallOutcome.VOIDED


def test_a_call_without_an_answer_has_happened_once() -> None:
    of = bank()
    of.call(call(token="tok_timeout_after"))

    again = asked(of, token="tok_timeout_after")

    assert again.outcome is CallOutcome.APPROVED
    assert len(of.book.authorisations) == 1


def test_a_call_that_never_arrived_is_done_by_its_repeat() -> None:
    of = bank()
    of.call(call(token="tok_timeout_before"))
    found_before = asked(of, FIND).outcome

    again = asked(of, token="tok_timeout_before")

    assert (found_before, again.outcome) == (CallOutcome.GONE, CallOutcome.APPROVED)


def test_a_late_approval_lands_after_its_time_unless_it_was_closed() -> None:
    clock = Clock()
    of = bank(clock)
    of.call(call(token="tok_late_ok", order="late"))
    of.call(call(token="tok_late_ok", order="closed"))
    closed = asked(of, CLOSE, order="closed")

    clock.now_ms += 2_000
    of.tick()

    assert closed.outcome is CallOutcome.VOIDED
    assert asked(of, FIND, order="late").outcome is CallOutcome.APPROVED
    assert asked(of, FIND, order="closed").outcome is CallOutcome.VOIDED
    assert reports(of) == ["voided", "authorised"]


def test_an_authorisation_lands_after_the_close_that_overtook_it() -> None:
    of = bank()
    of.call(call(token="tok_lands_after_close"))

    closed = asked(of, CLOSE)

    assert (closed.outcome, closed.code) == (CallOutcome.VOIDED, "never_was")
    assert asked(of, FIND).outcome is CallOutcome.APPROVED
    assert reports(of) == ["authorised"]


def test_a_close_fences_a_key_that_was_never_used() -> None:
    of = bank()

    closed = asked(of, CLOSE)
    too_late = asked(of)

    assert closed.outcome is CallOutcome.VOIDED
    assert (too_late.outcome, too_late.code) == (CallOutcome.VOIDED, "closed")
    assert not of.book.authorisations


@pytest.mark.parametrize("repair", [False, True])
def test_a_capture_fails_late_and_may_be_repaired(repair: bool) -> None:
    clock = Clock()
    of = bank(clock, repair=repair)
    asked(of, token="tok_capture_fails")
    captured = asked(of, CAPTURE)

    clock.now_ms += 2_000
    of.tick()
    failed = asked(of, FIND)
    clock.now_ms += 2_000
    of.tick()

    assert (captured.outcome, captured.captured, failed.captured) == (CallOutcome.APPROVED, 1000, 0)
    assert asked(of, FIND).captured == (1000 if repair else 0)
    assert reports(of) == ["authorised", "captured", "capture_failed", *(["captured"] if repair else [])]
    assert [it.report.repairing for it in of.book.outbox.values()][2] is repair


def test_a_capture_is_received_first_and_done_later() -> None:
    clock = Clock()
    of = bank(clock)
    asked(of, token="tok_capture_accepted")
    received = asked(of, CAPTURE)
    meanwhile = asked(of, VOID)

    clock.now_ms += 200
    of.tick()

    assert (received.outcome, received.captured) == (CallOutcome.ACCEPTED, 0)
    assert (meanwhile.outcome, meanwhile.code) == (CallOutcome.NOT_SENT, "lock_timeout")
    assert asked(of, FIND).captured == 1000
    assert reports(of) == ["authorised", "captured"]


def test_a_refund_bounces_days_later() -> None:
    clock = Clock()
    of = bank(clock)
    asked(of, token="tok_refund_bounces")
    asked(of, CAPTURE)
    refunded = asked(of, REFUND, amount=400)

    clock.now_ms += 2_000
    of.tick()

    assert (refunded.outcome, refunded.refunded) == (CallOutcome.APPROVED, 400)
    assert asked(of, FIND).refunded == 0
    assert reports(of) == ["authorised", "captured", "refunded", "refund_failed"]


def test_two_orders_share_the_balance_of_a_gift_card() -> None:
    of = bank()

    first = asked(of, token="gift_anna_6000", amount=5000, order="A")
    second = asked(of, token="gift_anna_6000", amount=5000, order="B")
    third = asked(of, token="gift_anna_6000", amount=5000, order="C")
    asked(of, VOID, order="A")
    fourth = asked(of, token="gift_anna_6000", amount=5000, order="D")

    assert [first.amount, second.amount, third.amount, fourth.amount] == [5000, 1000, 0, 5000]
    assert (third.decline, third.code) == (DeclineClass.SOFT, "balance_reserved")


def test_an_authorisation_ends_by_the_gateways_clock() -> None:
    clock = Clock()
    of = bank(clock)
    own = asked(of, order="own")
    merchants = asked(of, order="merchant", initiated_by=CallInitiator.MERCHANT)

    clock.now_ms = own.ends_ms
    of.tick()

    assert merchants.ends_ms < own.ends_ms
    assert asked(of, FIND, order="own").code == "ended"
    assert asked(of, CAPTURE, order="own").outcome is CallOutcome.FAILED
    assert reports(of)[-2:] == [ReportKind.ENDED, ReportKind.ENDED]


def test_a_key_that_is_forgotten_authorises_once_more() -> None:
    clock = Clock()
    of = bank(clock)
    asked(of)

    clock.now_ms += 86_400_000
    asked(of)

    assert len(of.book.authorisations) == 2


def test_shares_hold_for_tokens_that_name_no_behaviour() -> None:
    of = bank(decline=0.3, seed=7)

    plain = [asked(of, order=f"P{number}", token="visa").outcome for number in range(200)]
    named = {asked(of, order=f"N{number}").outcome for number in range(50)}

    assert 40 < plain.count(CallOutcome.DECLINED) < 80
    assert named == {CallOutcome.APPROVED}


def test_the_same_seed_means_the_same_fate_in_any_order() -> None:
    options = FakeOptions(decline=0.5, seed=3)

    forth = [script_of("visa", f"k{number}", options) for number in range(50)]
    back = [script_of("visa", f"k{number}", options) for number in reversed(range(50))]

    assert forth == back[::-1]
    assert len(set(map(repr, forth))) == 2


@pytest.mark.parametrize(
    "token", ["", "tok_", "tok_partial_0", "tok_partial_100", "gift_", "gift_x", "gift__5", "tok_gift"]
)
def test_tokens_that_name_nothing_are_approved(token: str) -> None:
    found = script_of(token, "key", FakeOptions())

    assert found == Script(behaviour=found.behaviour, named=False)
    assert found.behaviour == "ok"
