"""Worked cases of payments: each is played against the real core, its gateway's answers given as the case has them.

A step that answers a call waits for the core to ask. Where the case answers two calls in an order that the core does not
need (it closes an attempt before it asks the next method), the answers are given in the core's order.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from bopis.domain.orders import messages as to_order
from bopis.domain.payments import messages as m
from bopis.domain.payments.events import CallRequested, PaymentOpened
from bopis.domain.payments.evolve import opened
from bopis.domain.payments.gateway import (
    AttemptReason,
    CallOutcome,
    DeclineClass,
    MethodKind,
    Operation,
    PaymentMethod,
    ReportKind,
    call_key,
)
from bopis.domain.payments.policy import ChallengePolicy, PartialPolicy, PaymentPolicy, RefundShare
from bopis.domain.payments.state import Attempt, AttemptState, Cover, CoverState, Step, StepState
from bopis.domain.payments.status import attempt_status, payment_status
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
EVENTS = {
    "authorised": ReportKind.AUTHORISED,
    "refused": ReportKind.DECLINED,
    "payment_failed": ReportKind.DECLINED,
    "expired": ReportKind.ENDED,
    "authorisation_expired": ReportKind.ENDED,
    "captured": ReportKind.CAPTURED,
    "capture_refused": ReportKind.CAPTURE_FAILED,
    "capture_failed": ReportKind.CAPTURE_FAILED,
    "refunded": ReportKind.REFUNDED,
    "refund_failed": ReportKind.REFUND_FAILED,
    "review_opened": ReportKind.REVIEW_OPENED,
}
TECHNICAL = frozenset({"processor_error"})
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
            self._place()
            self._answer_first()
        elif first != "place":
            self._place()

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

    def _place(self) -> None:
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
        self._take(self.world.call(Operation.AUTHORISE), {"answer": "approved"})

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
        found = self._find(operations, step)
        if found is None:
            self._answer_closing_first(index)
            found = self._find(operations, step)
        if found is None:
            found = self._wait_for(operations, step)
        assert found is not None, f"nothing asks for {step}: {[it.call.key for it in self.world.calls]}"
        self._take(found, step)

    def _answer_closing_first(self, index: int) -> None:
        """Give a later answer to an open void or close, which the core waits for before it goes on."""
        for later in range(index + 1, len(self.steps)):
            step = self.steps[later]
            if step["do"] == "call" and step["op"] in ("void", "cancel_by_key") and later not in self.done:
                found = self._find(OPERATIONS[step["op"]], step)
                if found is not None:
                    self.done.add(later)
                    self._take(found, step)
                return

    def _wait_for(self, operations: tuple[Operation, ...], step: Mapping[str, Any]) -> CallRequested | None:
        until_ms = self.world.now_ms + SEARCH_MS
        self.away -= {it.number for it in self.world.payment.attempts if it.method == step["k"]}
        found = self._find(operations, step)
        while found is None and self.world.now_ms < until_ms:
            self._leave_unanswered()
            self._advance(1_000)
            found = self._find(operations, step)
        return found

    def _leave_unanswered(self) -> None:
        """Questions of which the case says nothing have no answer; a close is not offered then."""
        for requested in list(self.world.calls):
            attempt = self.world.attempt(requested.call.attempt)
            if requested.call.operation is Operation.CLOSE:
                self.world.answer(requested, CallOutcome.UNSUPPORTED)
            elif attempt.perhaps_sent and requested.call.operation in (Operation.AUTHORISE, Operation.FIND):
                self.world.answer(requested, CallOutcome.UNKNOWN)

    def _find(self, operations: tuple[Operation, ...], step: Mapping[str, Any]) -> CallRequested | None:
        for requested in self.world.calls:
            call = requested.call
            attempt = self.world.attempt(call.attempt)
            is_ref = "ref" not in step or attempt.reference == step["ref"]
            is_method = attempt.method == step["k"] or (attempt.adopted and "ref" in step)
            is_first = step.get("which") != "first" or call.attempt == 1
            if call.operation in operations and is_method and is_ref and is_first:
                return requested
        return None

    def _take(self, requested: CallRequested, step: Mapping[str, Any]) -> None:
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

    def _facts(self, requested: CallRequested, amount: int | None) -> dict[str, Any]:
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


def _approved(play: CasePlay, call: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
    facts = play._facts(call, step.get("amount") if call.call.operation is not Operation.REFUND else None)
    if "currency" in step:
        facts["currency"] = step["currency"]
    return CallOutcome.APPROVED, facts


def _partial(play: CasePlay, call: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
    return CallOutcome.APPROVED, play._facts(call, step["approved"])


def _declined(play: CasePlay, call: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
    code = step.get("code", "")
    kind = DeclineClass.SOFT if step["answer"] == "soft_decline" else DeclineClass.HARD
    if code in TECHNICAL:
        kind = DeclineClass.TECHNICAL
    if step.get("category") == 1:
        kind = DeclineClass.NEVER
    wait_ms = 86_400_000 if step.get("advice") == "25" else 0
    return CallOutcome.DECLINED, {"decline": kind, "code": code, "wait_ms": wait_ms}


def _action(play: CasePlay, call: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
    return CallOutcome.ACTION_REQUIRED, {"link": f"https://bank.example/{call.call.attempt}"}


def _not_sent(play: CasePlay, call: CallRequested, step: Mapping[str, Any]) -> tuple[CallOutcome, dict[str, Any]]:
    if "last_digit" in play.gateway:
        return CallOutcome.UNSUPPORTED, {"code": "amount_not_payable_by_gateway"}
    return CallOutcome.NOT_SENT, {"wait_ms": 1000 * step.get("retry_after_s", 0)}


def _plain(outcome: CallOutcome) -> Callable[..., tuple[CallOutcome, dict[str, Any]]]:
    return lambda _play, _call, _step: (outcome, {})


ANSWERS: dict[str, Callable[..., tuple[CallOutcome, dict[str, Any]]]] = {
    "approved": _approved,
    "partially_approved": _partial,
    "soft_decline": _declined,
    "hard_decline": _declined,
    "action_required": _action,
    "not_sent": _not_sent,
    "rate_limited": _not_sent,
    "error": _not_sent,
    "timeout": _plain(CallOutcome.UNKNOWN),
    "in_review": _plain(CallOutcome.IN_REVIEW),
    "accepted": _plain(CallOutcome.ACCEPTED),
    "gone": _plain(CallOutcome.GONE),
    "idempotency_error": _plain(CallOutcome.KEY_REUSED),
}


def _place(play: CasePlay, _step: Mapping[str, Any]) -> None:
    play._place()


def _cancel(play: CasePlay, step: Mapping[str, Any]) -> None:
    handed = play.world.payment.handed
    if "taken back" in step.get("reason", ""):
        play.world.send(m.RefundGoods(amount=handed))
    play.world.send(m.EndPayment())


def _pick(play: CasePlay, step: Mapping[str, Any]) -> None:
    left = play.world.payment.open - step.get("short_value", 0)
    if "substitute" in step:
        left += step["substitute"]["now"] - step["substitute"]["was"]
    for sku in step.get("short", ()):
        left -= sum(it["net"] + round(float(it["tax_exact"])) for it in play.given["lines"] if it["sku"] == sku)
    play.world.send(m.ChangeAmount(open=left))


def _edit(play: CasePlay, step: Mapping[str, Any]) -> None:
    left = step.get("total", play.world.payment.open + step.get("add", 0))
    play.world.send(m.ChangeAmount(open=left))


def _hand_over(play: CasePlay, step: Mapping[str, Any]) -> None:
    if "value" in step:
        play.world.send(m.CaptureGoods(amount=step["value"]), id=step.get("id", ""))


def _return(play: CasePlay, step: Mapping[str, Any]) -> None:
    play.world.send(m.RefundGoods(amount=step["value"]))


def _refund(play: CasePlay, step: Mapping[str, Any]) -> None:
    amount = None if step["amount"] == "all" else step["amount"]
    adopted = next((it.number for it in play.world.payment.attempts if it.reference == step.get("ref")), 0)
    play.world.send(m.RefundPayment(amount=amount, attempt=adopted, reason="case"), id=step.get("id", ""))


def _challenge(play: CasePlay, step: Mapping[str, Any]) -> None:
    if step["result"] == "failed":
        play.world.report(ReportKind.DECLINED, play.attempt_of(step), decline=DeclineClass.AUTHENTICATE)
        found = play._find((Operation.AUTHORISE,), step)
        if step.get("k") and found is not None and any(it.get("attempt") == "new" for it in play.steps):
            play._take(found, {"do": "call", "answer": "action_required", "k": step["k"]})
    elif step["result"] == "passed":
        play.world.report(ReportKind.AUTHORISED, play.attempt_of(step))


def _review(play: CasePlay, step: Mapping[str, Any]) -> None:
    is_approved = step["result"] == "approved"
    play.world.report(ReportKind.REVIEW_APPROVED if is_approved else ReportKind.REVIEW_REJECTED, play.attempt_of(step))


def _callback(play: CasePlay, step: Mapping[str, Any]) -> None:
    if step["event"] not in EVENTS or step.get("signature") == "bad":
        return
    kind = EVENTS[step["event"]]
    is_old = step.get("which") == "first" or kind is ReportKind.DECLINED
    facts: dict[str, Any] = {"amount": step["amount"]} if "amount" in step else {}
    if kind is ReportKind.CAPTURE_FAILED:
        facts["repairing"] = step.get("reason") == "technical"
    if play.world.payment.attempts:
        play.world.report(kind, play.attempt_of(step, newest=not is_old), id=step.get("id", ""), **facts)


def _reconcile(play: CasePlay, step: Mapping[str, Any]) -> None:
    unknown = [it.number for it in play.world.payment.attempts if it.state is AttemptState.UNKNOWN]
    for number in unknown:
        play.world.send(m.SettleUnknown(attempt=number))
    listed = step["provider"] if isinstance(step["provider"], list) else []
    if listed:
        first = play.world.attempt(1)
        play.world.rows.rows[ORDER] = replace(
            play.world.payment, attempts=(replace(first, reference=listed[0]["ref"]), *play.world.payment.attempts[1:])
        )
    for it in listed[1:]:
        adopted = m.AdoptCharge(reference=it["ref"], gateway="", captured=it["captured"], currency="EUR")
        play.world.send(adopted)


def _nothing(_play: CasePlay, _step: Mapping[str, Any]) -> None:
    """Time has passed, that is all."""


def _add_method(play: CasePlay, step: Mapping[str, Any]) -> None:
    play.world.send(m.AddMethod(method=PaymentMethod(token=f"tok_{step['k']}")))


STEPS: dict[str, Callable[[CasePlay, Mapping[str, Any]], None]] = {
    "place": _place,
    "cancel": _cancel,
    "expire": _cancel,
    "pick": _pick,
    "edit": _edit,
    "hand_over": _hand_over,
    "return": _return,
    "refund": _refund,
    "challenge": _challenge,
    "review": _review,
    "callback": _callback,
    "reconcile": _reconcile,
    "add_method": _add_method,
    "timer": _nothing,
    "crash": _nothing,
    "restart": _nothing,
}


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
