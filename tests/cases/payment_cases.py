"""Worked cases of payments: each is played against the real core, its gateway's answers given as the case has them.

A step that answers a call waits for the core to ask. Where the case answers calls in an order that the core does not
need (it closes an attempt before it asks the next method), the answers are given in the core's order.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from bopis.domain.orders import messages as to_order
from bopis.domain.payments import messages as m
from bopis.domain.payments.events import CallRequested, PaymentOpened
from bopis.domain.payments.evolve import opened
from bopis.domain.payments.gateway import (
    AttemptReason,
    CallOutcome,
    MethodKind,
    Operation,
    PaymentMethod,
    call_key,
)
from bopis.domain.payments.policy import ChallengePolicy, PartialPolicy, PaymentPolicy, RefundShare
from bopis.domain.payments.state import Attempt, AttemptState, Cover, CoverState, Step, StepState
from tests.cases.payment_status import attempt_status, payment_status
from tests.cases.payment_steps import ANSWERS, STEPS
from tests.domain.payments.world import ORDER, PaymentWorld

SEARCH_MS = 150_000
OPERATIONS = {
    "authorise": (Operation.AUTHORISE,),
    "reauthorise": (Operation.AUTHORISE,),
    "capture": (Operation.CAPTURE,),
    "void": (Operation.VOID, Operation.CLOSE),
    "refund": (Operation.REFUND,),
    "adjust": (Operation.ADJUST,),
    "cancel_by_key": (Operation.CLOSE,),
    "query": (Operation.FIND, Operation.CLOSE, Operation.AUTHORISE),
}
POLICY = {
    "unknown_patience_s": "unknown_patience_s",
    "exhausted_hold_s": "exhausted_hold_s",
    "hold_cap_s": "hold_cap_s",
    "review_hold_s": "review_hold_s",
    "challenge_s": "challenge_s",
    "soft_retry_after_s": "technical_wait_s",
    "outage_patience_s": "outage_patience_s",
    "reauthorise_before_s": "renew_before_s",
}
CHOICES: Mapping[str, tuple[str, Any]] = {
    "try next method first": ("challenge", ChallengePolicy.NEXT_FIRST),
    "ask the customer": ("challenge", ChallengePolicy.ASK),
    "use and top up": ("partial", PartialPolicy.USE),
    "last tender first": ("refund_share", RefundShare.LAST_FIRST),
    "in proportion, largest remainder, ties to the earlier method": ("refund_share", RefundShare.PROPORTION),
}


class CasePlay:
    """One case being played."""

    def __init__(self, case: Mapping[str, Any]) -> None:
        self.given = case["given"]
        self.steps = list(case["when"])
        self.gateway = self.given.get("gateway", {})
        self.world = PaymentWorld()
        self.start_ms = self.world.now_ms
        self.away: set[int] = set()
        self.done: set[int] = set()

    def play(self) -> PaymentWorld:
        """Play every step at its time; returns the world after them."""
        self._begin()
        for index, step in enumerate(self.steps):
            if index not in self.done:
                self._until(step.get("at_s", 0))
                self._do(index, step)
        self._settle()
        return self.world

    # The beginning

    def _begin(self) -> None:
        first = self.steps[0]["do"]
        if "captured_already" in self.given or "open" in self.given or first == "reconcile":
            self._as_given()
        elif first in ("hand_over", "cancel"):
            self.place()
            self._answer_first()
        elif first != "place":
            self.place()

    def _methods(self) -> tuple[PaymentMethod, ...]:
        methods = []
        for it in self.given["methods"]:
            kind = MethodKind(it["kind"])
            limit = it.get("balance")
            if kind is MethodKind.PAY_IN_STORE:
                limit = self.given.get("policy", {}).get("pay_in_store_limit")
            method = PaymentMethod(
                kind=kind,
                token=it.get("token", "" if kind is MethodKind.PAY_IN_STORE else f"tok_{it['k']}"),
                gateway=it.get("gateway", ""),
                card=f"card-{it.get('same_as', it['k'])}",
                limit_cents=limit,
            )
            methods.append(method)
        return tuple(methods)

    def _policy(self) -> PaymentPolicy:
        given = self.given.get("policy", {})
        chosen = {ours: given[theirs] for theirs, ours in POLICY.items() if theirs in given}
        for value in given.values():
            if isinstance(value, str) and value in CHOICES:
                name, choice = CHOICES[value]
                chosen[name] = choice
        return PaymentPolicy(**chosen)

    def place(self) -> None:
        if not self.world.rows.rows:
            hold = {"hold_until_ms": self.start_ms + 1000 * self.given.get("policy", {}).get("checkout_hold_s", 600)}
            currency = self.given["currency"]
            self.world.open(self.given["total"], *self._methods(), policy=self._policy(), currency=currency, **hold)
            self._expect_pickup()

    def _expect_pickup(self) -> None:
        """The pickup that makes the case's renewals needed, or not needed."""
        renews = [it for it in self.steps if it.get("op") == "reauthorise" and "multicapture" not in self.gateway]
        if renews and "capture" not in self.gateway:
            day = 20 if "day 20" in self.given.get("note", "") else 0
            ready_ms = self.start_ms + day * 86_400_000
            self.world.send(m.ExpectPickup(until_ms=ready_ms + 10 * 86_400_000, ready_ms=ready_ms))

    def _answer_first(self) -> None:
        self.take(self.world.call(Operation.AUTHORISE), {"answer": "approved"})

    def _as_given(self) -> None:
        """A payment with charges or authorisations from before the case begins."""
        given, world = self.given, self.world
        captured = {int(k): cents for k, cents in given.get("captured_already", {}).items()}
        if self.steps[0]["do"] == "reconcile":
            captured = {1: given["total"]}
        refunded = {int(k): cents for k, cents in given.get("refunded_already", {}).items()}
        is_prepaid = "prepaid" in given.get("note", "")
        handed = 0 if is_prepaid else given.get("handed_over_already", sum(captured.values()))
        step = self.steps[0]
        left = given["total"] - handed if step["do"] in ("cancel", "expire") else step.get("value", 0)
        payment = opened(
            ORDER,
            PaymentOpened(
                at_ms=world.now_ms,
                methods=self._methods(),
                amount=left if step["do"] != "return" else 0,
                currency=given["currency"],
                hold_until_ms=world.now_ms,
                policy=self._policy(),
                consent=True,
            ),
        )
        one = len(captured) <= 1 and "open" not in given
        attempts = tuple(
            self._attempt(number, k, given["total"] if one or k not in captured else captured[k], captured, refunded)
            for number, k in enumerate(sorted({*captured, *given.get("open", ())}), 1)
        )
        cover = Cover(state=CoverState.AUTHORISED, amount=sum(it.authorised for it in attempts))
        world.rows.put(
            ORDER,
            replace(
                payment,
                attempts=attempts,
                handed=handed,
                returned=sum(refunded.values()),
                covered_once=True,
                round=1,
                cover=cover,
            ),
        )

    def _attempt(
        self, number: int, k: int, authorised: int, captured: Mapping[int, int], refunded: Mapping[int, int]
    ) -> Attempt:
        steps = []
        for operation, sums in ((Operation.CAPTURE, captured), (Operation.REFUND, refunded)):
            if k in sums:
                key = call_key(ORDER, number, operation)
                is_final = operation is Operation.CAPTURE and not self.gateway.get("multicapture")
                steps.append(
                    Step(key=key, operation=operation, amount=sums[k], state=StepState.DONE, since_ms=0, final=is_final)
                )
        return Attempt(
            number=number,
            method=k,
            reason=AttemptReason.FIRST,
            asked=authorised,
            key=call_key(ORDER, number, Operation.AUTHORISE),
            since_ms=0,
            state=AttemptState.APPROVED,
            authorised=authorised,
            reference=f"ref-{number}",
            approved_ms=number,
            multicapture=bool(self.gateway.get("multicapture")),
            steps=tuple(steps),
        )

    # Steps

    def _do(self, index: int, step: Mapping[str, Any]) -> None:
        name = step["do"]
        if name in ("call", "query"):
            after = self.steps[index + 1] if index + 1 < len(self.steps) else {}
            if "before it reported" not in after.get("what", ""):
                self._call(index, step)
            return
        STEPS[name](self, step)

    def _call(self, index: int, step: Mapping[str, Any]) -> None:
        if step.get("op") == "capture" and step["answer"] == "not_sent":
            self.world.send(m.CaptureGoods(amount=step["amount"]))
            return
        operations = OPERATIONS[step.get("op", "query")]
        found = self.find(operations, step)
        if found is None:
            self._answer_closing_first(index)
            found = self.find(operations, step)
        if found is None:
            found = self._wait_for(operations, step)
        assert found is not None, f"nothing asks for {step}: {[it.call.key for it in self.world.calls]}"
        self.take(found, step)

    def _answer_closing_first(self, index: int) -> None:
        """Give a later answer to an open void or close, which the core waits for before it goes on."""
        for later in range(index + 1, len(self.steps)):
            step = self.steps[later]
            if step["do"] == "call" and step["op"] in ("void", "cancel_by_key") and later not in self.done:
                found = self.find(OPERATIONS[step["op"]], step)
                if found is not None:
                    self.done.add(later)
                    self.take(found, step)
                return

    def _wait_for(self, operations: tuple[Operation, ...], step: Mapping[str, Any]) -> CallRequested | None:
        until_ms = self.world.now_ms + SEARCH_MS
        self.away -= {it.number for it in self.world.payment.attempts if it.method == step["k"]}
        found = self.find(operations, step)
        while found is None and self.world.now_ms < until_ms:
            self._leave_unanswered()
            self._advance(1_000)
            found = self.find(operations, step)
        return found

    def _leave_unanswered(self) -> None:
        """Questions of which the case says nothing have no answer; a close is not offered then."""
        for requested in list(self.world.calls):
            attempt = self.world.attempt(requested.call.attempt)
            if requested.call.operation is Operation.CLOSE:
                self.world.answer(requested, CallOutcome.UNSUPPORTED)
            elif attempt.perhaps_sent and requested.call.operation in (Operation.AUTHORISE, Operation.FIND):
                self.world.answer(requested, CallOutcome.UNKNOWN)

    def find(self, operations: tuple[Operation, ...], step: Mapping[str, Any]) -> CallRequested | None:
        for requested in self.world.calls:
            call = requested.call
            attempt = self.world.attempt(call.attempt)
            is_ref = "ref" not in step or attempt.reference == step["ref"]
            is_method = attempt.method == step["k"] or (attempt.adopted and "ref" in step)
            is_first = step.get("which") != "first" or call.attempt == 1
            if call.operation in operations and is_method and is_ref and is_first:
                return requested
        return None

    def take(self, requested: CallRequested, step: Mapping[str, Any]) -> None:
        outcome, facts = self._meaning(requested, step)
        if step.get("reason") == "circuit_open":
            self.away.add(requested.call.attempt)
        else:
            self.away.discard(requested.call.attempt)
        amount = step.get("amount")
        if amount is not None and requested.call.operation not in (Operation.FIND, Operation.CLOSE):
            is_other = "currency" in step or step["answer"] == "idempotency_error"
            assert is_other or requested.call.amount == amount, f"asked {requested.call.amount}, wanted {amount}"
        if step.get("final"):
            assert requested.call.final
        if step.get("initiated_by") == "merchant" and len(self.world.payment.attempts) > 1:
            assert requested.call.initiated_by.value == "merchant"
        self.world.answer(requested, outcome, **facts)

    def _meaning(self, requested: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
        answer = step["answer"]
        if "lost" in step.get("note", ""):
            answer = "timeout"
        if requested.call.operation in (Operation.VOID, Operation.CLOSE) and step.get("op") != "query":
            already = answer == "error" and "cancel" in step.get("code", "")
            if (answer == "approved" and step["do"] != "query") or already:
                return CallOutcome.VOIDED, {}
        return ANSWERS[answer](self, requested, step)

    def facts(self, requested: CallRequested, amount: int | None) -> dict[str, Any]:
        facts: dict[str, Any] = {} if amount is None else {"amount": amount}
        if requested.call.operation is Operation.ADJUST:
            return {}
        life_s = self.gateway.get("capture_before_s", 604_800)
        return facts | {
            "ends_ms": self.world.now_ms - self.world.now_ms % 1000 + 1000 * life_s,
            "capture_max": self.gateway.get("maximum_amount_capturable"),
            "multicapture": bool(self.gateway.get("multicapture")),
            "adjustable": bool(self.gateway.get("adjust")),
        }

    # Time

    def _until(self, at_s: float) -> None:
        until_ms = self.start_ms + round(1000 * at_s)
        while self.world.now_ms < until_ms:
            self._advance(min(until_ms - self.world.now_ms, 1_000 if self.away else until_ms - self.world.now_ms))

    def _advance(self, ms: int) -> None:
        self.world.wait(ms)
        for requested in list(self.world.calls):
            # What a runner answers while the circuit of its gateway is open.
            if requested.call.attempt in self.away and requested.call.operation is Operation.AUTHORISE:
                self.world.answer(requested, CallOutcome.NOT_SENT, cause="circuit open")

    def _settle(self) -> None:
        """Answer releases and captures that the case leaves out: everything settles."""
        for _ in range(20):
            open_calls = [it for it in self.world.calls if it.call.operation in (Operation.VOID, Operation.CAPTURE)]
            for requested in open_calls:
                is_void = requested.call.operation is Operation.VOID
                self.world.answer(requested, CallOutcome.VOIDED if is_void else CallOutcome.APPROVED)

    # Looking

    def attempt_of(self, step: Mapping[str, Any], newest: bool = True) -> int:
        """The number of the attempt that a report is about."""
        found = [it.number for it in self.world.payment.attempts if it.method == step["k"]]
        if "expired" in step.get("event", ""):
            return next((it for it in found if self.world.attempt(it).authorised), found[0])
        return found[-1] if newest else found[0]


def outcome(world: PaymentWorld, expected: Mapping[str, Any]) -> dict[str, Any]:
    """What a case expects, as the world has it."""
    payment = world.payment
    own = {
        "payment": payment_status(payment).value,
        "captured": sum(it.captured for it in payment.attempts),
        "refunded": sum(it.refunded for it in payment.attempts),
        "live_authorisations": sum(it.open_at_provider for it in payment.attempts),
    }
    tried = [
        # The cases name a review at the payment alone.
        (it.method, attempt_status(it).replace("in_review", "authorised"), it.authorised, it.captured, it.refunded)
        for it in payment.attempts
    ]
    return own | {"attempts": tried}


def promised(world: PaymentWorld) -> bool:
    """Whether the order was ever told that it is paid for."""
    return any(isinstance(it, to_order.PaymentAuthorised | to_order.PaymentInStore) for it in world.answers)


def cancelled(world: PaymentWorld) -> bool:
    """Whether the payment ended the order."""
    return any(isinstance(it, to_order.PaymentExhausted) for it in world.answers)
