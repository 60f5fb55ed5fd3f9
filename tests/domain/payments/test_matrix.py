"""Every answer of a gateway, at every place of the list, whatever happens to the order meanwhile: sums hold.

The bank is the oracle: it asserts that nothing is made twice, captured beyond what is pending, or refunded beyond what
was captured.
"""

import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bopis.domain.orders import messages as om
from bopis.domain.orders.events import OrderPromised
from bopis.domain.orders.lines import LinePart, PickedLine, ReturnedLine
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Allows, Initiator, PaymentState, Proof, RejectReason, ShortPolicy
from bopis.domain.payments.gateway import GatewayCall
from bopis.domain.payments.policy import ChallengePolicy, PaymentPolicy
from bopis.domain.payments.state import AttemptState, is_pending
from bopis.domain.values import DAY_MS, MINUTE_MS
from tests.domain.payments.bank import ALL, Bank
from tests.domain.payments.paid_world import STEPS_MAX, PaidWorld

AFTERWARDS_MAX = 3
REJECTED = "rejected"  # a review that is rejected ends the payment: no other card of the same person is asked
LINES = (("A", 3), ("B", 1))


def placed(tokens: list[str], bank: Bank | None = None, policy: PaymentPolicy | None = None) -> PaidWorld:
    world = PaidWorld(bank)
    world.buy(tokens, policy, lines=LINES, allows=Allows(on_short=ShortPolicy.CANCEL_LINE))
    return world


def pick(world: PaidWorld, missing: int = 0) -> None:
    store = world.order().lines[0].store
    world.tell(om.AcceptPick(store=store))
    lines = [PickedLine(line=1, picked=3 - missing, missing=missing)]
    if world.line(2).live:
        lines.append(PickedLine(line=2, picked=1))
    world.tell(om.RecordPick(store=store, lines=tuple(lines)))
    world.tell(om.StageOrder(store=store, location="R1"))


def hand_over(world: PaidWorld, *parts: LinePart) -> None:
    store = world.order().lines[0].store
    world.tell(om.HandOver(store=store, proof=Proof.CODE, presented="right-code", parts=parts))


# What happens to the order while the payment is under way


def nothing(world: PaidWorld) -> None:
    """Nothing happens meanwhile."""


def cancelled(world: PaidWorld) -> None:
    world.tell(om.CancelOrder(by=Initiator.CUSTOMER))


def partly_cancelled(world: PaidWorld) -> None:
    world.tell(om.CancelOrder(by=Initiator.CUSTOMER, lines=(2,)))


def rerouted(world: PaidWorld) -> None:
    store = world.order().lines[0].store
    if any(line.state is LineState.PROMISED for line in world.order().lines):
        world.tell(om.RejectPick(store=store, reason=RejectReason.TOO_BUSY))


def late(world: PaidWorld) -> None:
    """The customer's hold would be over by now."""
    world.wait(9 * MINUTE_MS)


MEANWHILE: dict[str, Callable[[PaidWorld], None]] = {
    "alive": nothing,
    "cancelled": cancelled,
    "partly cancelled": partly_cancelled,
    "rerouted": rerouted,
    "late": late,
}

# What happens to a promised order afterwards


def collected(world: PaidWorld) -> None:
    pick(world)
    hand_over(world)


def short_picked(world: PaidWorld) -> None:
    pick(world, missing=1)
    hand_over(world)


def partly_collected(world: PaidWorld) -> None:
    pick(world)
    hand_over(world, LinePart(line=1, quantity=1))
    world.settle(2 * MINUTE_MS)
    hand_over(world)


def partly_collected_then_cancelled(world: PaidWorld) -> None:
    pick(world)
    hand_over(world, LinePart(line=1, quantity=1))
    world.settle()
    world.tell(om.CancelOrder(by=Initiator.CUSTOMER))


def returned(world: PaidWorld) -> None:
    collected(world)
    world.settle()
    store = world.order().lines[0].store
    world.tell(om.ReturnInStore(store=store, lines=(ReturnedLine(line=1, quantity=2),)))


def expired(world: PaidWorld) -> None:
    pick(world)
    world.wait(6 * DAY_MS)


def cancelled_late(world: PaidWorld) -> None:
    pick(world)
    cancelled(world)


def substituted(world: PaidWorld) -> None:
    substitute(world)
    hand_over(world)


def substitute(world: PaidWorld) -> None:
    """A dearer substitute, with the customer's consent."""
    store = world.order().lines[0].store
    world.tell(om.AcceptPick(store=store))
    world.tell(om.RecordPick(store=store, lines=(PickedLine(line=2, picked=0, missing=1),)))
    line = next((it.line for it in world.order().lines if it.state is LineState.SHORT), None)
    if line is not None:
        world.tell(om.OfferSubstitute(line=line, sku="A", unit_cents=150))
        world.tell(om.AcceptSubstitute(line=line))
    world.settle()
    world.tell(om.RecordPick(store=store, lines=(PickedLine(line=1, picked=3),)))
    if line is not None and world.line(line).live:
        world.tell(om.RecordPick(store=store, lines=(PickedLine(line=line, picked=1),)))
    world.tell(om.StageOrder(store=store, location="R1"))


AFTERWARDS: dict[str, Callable[[PaidWorld], None]] = {
    "collected": collected,
    "short-picked": short_picked,
    "partly collected": partly_collected,
    "partly collected, then cancelled": partly_collected_then_cancelled,
    "returned": returned,
    "expired": expired,
    "cancelled late": cancelled_late,
    "substituted": substituted,
}


def kept(world: PaidWorld) -> int:
    """Price of the goods that are with the customer."""
    order = world.order()
    return sum(
        line.unit_cents * (line.quantity - line.returned)
        for line in order.lines
        if line.state in (LineState.HANDED_OVER, LineState.RETURNED)
    )


def check(world: PaidWorld) -> None:
    """What must hold at rest, whatever happened."""
    bank, payment, order = world.bank, world.payment, world.order()
    assert world.is_at_rest(), [it.call.key for it in world.calls]
    assert not any(is_pending(it) for it in payment.attempts) or order.live
    unknown = [it.number for it in payment.attempts if it.state is AttemptState.UNKNOWN]
    assert not unknown, f"unknown at rest: {unknown}"
    assert (payment.captured, payment.refunded) == (bank.captured, bank.refunded), "the ledgers are equal"
    assert bank.captured - bank.refunded == kept(world), "paid is what the customer has"
    wanted = sum(line.unit_cents * line.quantity for line in order.live)
    rests = [it.rest for it in bank.transfers.values() if it.rest]
    if order.payment is PaymentState.AUTHORISED and wanted:
        assert wanted <= bank.open < wanted + min(rests), "what is open is authorised, by no more than that needs"
    else:
        assert not rests, "nothing stays authorised"
    assert not payment.owed
    if order.payment is PaymentState.AUTHORISED:
        assert not order.live or not any(line.state is LineState.HELD for line in order.live)


def some_of(names: list[str], first: int) -> list[str]:
    """Some of the names, others for each place; all of them where BOPIS_FAULTS_COUNT asks for a long run."""
    if "BOPIS_FAULTS_COUNT" in os.environ:
        return names
    return [names[(first + step * 3) % len(names)] for step in range(AFTERWARDS_MAX)]


def runs(tokens: list[str], meanwhile: str, afterwards: str, bank: Bank, policy: PaymentPolicy) -> PaidWorld:
    world = placed(tokens, bank, policy)
    MEANWHILE[meanwhile](world)
    world.settle(5 * MINUTE_MS)  # the store has to accept within a quarter of an hour
    world.deliver_reports()
    world.settle(2 * MINUTE_MS)
    if world.of(OrderPromised) and world.order().live:
        AFTERWARDS[afterwards](world)
    world.finish()
    world.finish()
    return world


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize("answer", ALL)
def test_sums_hold_whatever_is_answered_where_and_when(answer: str, place: int, meanwhile: str) -> None:
    tokens = ["soft"] * (place - 1) + [answer] + ["ok"] * (3 - place)
    for afterwards in some_of(sorted(AFTERWARDS), ALL.index(answer) + place + sorted(MEANWHILE).index(meanwhile)):
        world = runs(tokens, meanwhile, afterwards, Bank(), PaymentPolicy())

        check(world)
        if place < 3 and answer != REJECTED and meanwhile in ("alive", "late", "partly cancelled"):
            assert world.of(OrderPromised), "a method that works is found, and the customer does nothing"


@given(
    tokens=st.lists(st.sampled_from(ALL), min_size=1, max_size=4),
    meanwhile=st.sampled_from(sorted(MEANWHILE)),
    afterwards=st.sampled_from(sorted(AFTERWARDS)),
    multicapture=st.booleans(),
    closes=st.booleans(),
    challenge=st.sampled_from(ChallengePolicy),
)
@settings(max_examples=150, deadline=None)
def test_sums_hold_for_any_list_of_methods(
    tokens: list[str], meanwhile: str, afterwards: str, multicapture: bool, closes: bool, challenge: ChallengePolicy
) -> None:
    bank = Bank(multicapture=multicapture, closes=closes)
    world = runs(tokens, meanwhile, afterwards, bank, PaymentPolicy(challenge=challenge))

    check(world)


@pytest.mark.parametrize("answer", ["lost", "missed", "away", "late"])
def test_a_call_is_repeated_with_its_first_parameters(answer: str) -> None:
    world = placed([answer, "ok"])
    calls: dict[str, GatewayCall] = {}
    requests = set()
    for _ in range(30):
        for requested in world.calls:
            requests.add((requested.call.key, requested.request))
            assert calls.setdefault(requested.call.key, requested.call) == requested.call
        world.answer_calls(limit=STEPS_MAX)
        world.wait(MINUTE_MS // 6)

    assert len(requests) > len(calls)
