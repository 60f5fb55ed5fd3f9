"""Decision on one message: the payment so far and the events emitted; and how a call to a gateway is requested."""

from msgspec.structs import replace

from bopis.domain.payments.events import (
    AmountsChanged,
    AttemptBegan,
    AttemptChanged,
    CallRequested,
    Event,
    PaymentCommandRefused,
    PaymentOpened,
    PaymentRefusal,
    StepBegan,
    StepChanged,
)
from bopis.domain.payments.evolve import evolve, opened
from bopis.domain.payments.gateway import AttemptReason, CallInitiator, GatewayCall, Operation, call_key
from bopis.domain.payments.limits import ASK_AGAIN_MS, STEP_MS, WAIT_MS_MAX
from bopis.domain.payments.methods import is_patient
from bopis.domain.payments.state import Attempt, AttemptState, Payment, Step, StepState


class PaymentDecision:
    """One message being decided; each event is folded into the payment at once."""

    __slots__ = ("actor", "command", "events", "message_id", "now_ms", "number", "state")

    def __init__(self, payment: Payment | None, number: str, now_ms: int, command: str, message_id: str) -> None:
        """``number`` is the order's. ``now_ms`` is the append time of the message: the only clock here."""
        self.state = payment
        self.number = number
        self.now_ms = now_ms
        self.command = command
        self.message_id = message_id
        self.actor = ""
        self.events: list[Event] = []

    @property
    def payment(self) -> Payment:
        """The payment; only read once it exists."""
        assert self.state is not None
        return self.state

    def emit(self, event: Event) -> None:
        """Add an event and fold it into the payment."""
        self.events.append(event)
        if self.state is None:
            if isinstance(event, PaymentOpened):
                self.state = opened(self.number, event)
            return
        self.state = evolve(self.state, event)

    def refuse(self, reason: PaymentRefusal, amount: int = 0) -> None:
        """Refuse the command."""
        refused = PaymentCommandRefused(
            at_ms=self.now_ms, command=self.command, reason=reason, message=self.message_id, amount=amount
        )
        self.emit(refused)

    def amounts(self, *, reason: str = "", **changed: int) -> None:
        """Change sums of goods; those that are not named stay."""
        payment = self.payment
        names = ("open", "handed", "returned", "goodwill", "at_counter", "paid_at_counter")
        sums = {name: getattr(payment, name) for name in names} | changed
        self.emit(AmountsChanged(at_ms=self.now_ms, actor=self.actor, reason=reason, **sums))

    def attempt(self, number: int) -> Attempt:
        """An attempt that exists, as it is now."""
        found = self.payment.attempt(number)
        assert found is not None, f"there is no attempt {number}"
        return found

    def change(self, attempt: Attempt, state: AttemptState, *, next_ms: int = 0, cause: str = "") -> None:
        """Change the state of an attempt, without new facts about it."""
        changed = AttemptChanged(
            at_ms=self.now_ms,
            attempt=attempt.number,
            state=state,
            given_up=attempt.given_up,
            next_ms=next_ms,
            cause=cause,
            wait_ms=attempt.wait_ms,
            actor=self.actor,
        )
        self.emit(changed)

    def change_step(self, attempt: Attempt, step: Step, state: StepState, cause: str = "", next_ms: int = 0) -> None:
        """Change the state of a step of an attempt."""
        changed = StepChanged(
            at_ms=self.now_ms,
            attempt=attempt.number,
            key=step.key,
            state=state,
            next_ms=next_ms,
            perhaps_sent=state in (StepState.UNKNOWN, StepState.ACCEPTED),
            cause=cause,
        )
        self.emit(changed)

    def begin(self, method: int, amount: int, reason: AttemptReason, replaces: int = 0) -> None:
        """Ask a method for an authorisation. All but the first of an order are initiated by the merchant."""
        payment = self.payment
        number = len(payment.attempts) + 1
        by_customer = reason is AttemptReason.FIRST or (not payment.attempts)
        began = AttemptBegan(
            at_ms=self.now_ms,
            attempt=number,
            method=method,
            reason=reason,
            asked=amount,
            key=call_key(payment.order, number, Operation.AUTHORISE),
            round=payment.round,
            initiated_by=CallInitiator.CUSTOMER if by_customer else CallInitiator.MERCHANT,
            replaces=replaces,
        )
        self.emit(began)
        self.ask(self.attempt(number), Operation.AUTHORISE)

    def ask(self, attempt: Attempt, operation: Operation) -> None:
        """Request a call about an authorisation itself: to make it, to find it, to close it."""
        number = attempt.requests + 1
        if operation is Operation.AUTHORISE:
            call = attempt.call or self._authorisation(attempt)
        else:
            key = call_key(self.payment.order, attempt.number, operation, number)
            call = self._call(attempt, operation, key, attempt.asked)
        self._request(call, number, attempt.since_ms)

    def withdraw(self, attempt: Attempt) -> None:
        """Request that the open call of an authorisation is not sent any more. The answer tells whether it was."""
        assert attempt.call is not None, f"attempt {attempt.number} has no call"
        self._request(attempt.call, attempt.requests + 1, attempt.since_ms, is_withdrawn=True)

    def take(
        self, attempt: Attempt, operation: Operation, amount: int, *, final: bool = False, cause: str = ""
    ) -> None:
        """Begin a step of an authorisation, and request its call."""
        key = call_key(self.payment.order, attempt.number, operation, len(attempt.of(operation)) + 1)
        began = StepBegan(
            at_ms=self.now_ms,
            attempt=attempt.number,
            key=key,
            operation=operation,
            amount=amount,
            final=final,
            cause=cause,
        )
        self.emit(began)
        self.send(attempt.number, key)

    def send(self, number: int, key: str) -> None:
        """Request the call of a step; again, when it was requested before: with the same key and parameters."""
        attempt = self.attempt(number)
        step = attempt.step(key)
        assert step is not None, f"attempt {number} has no step {key}"
        call = step.call
        if call is None:
            call = replace(self._call(attempt, step.operation, key, step.amount), final=step.final)
        self._request(call, step.requests + 1, step.since_ms)

    def _authorisation(self, attempt: Attempt) -> GatewayCall:
        """The call of an authorisation. All repeats of it are equal to the first one."""
        is_merchants = attempt.initiated_by is CallInitiator.MERCHANT
        earlier = self.payment.attempts[: attempt.number - 1] if is_merchants else ()
        return replace(
            self._call(attempt, Operation.AUTHORISE, attempt.key, attempt.asked),
            # Of the method's first authorisation, for one that the merchant initiates.
            transaction=next((it.transaction for it in earlier if it.method == attempt.method and it.transaction), ""),
            estimated=not self.payment.handed,
        )

    def _call(self, attempt: Attempt, operation: Operation, key: str, amount: int) -> GatewayCall:
        method = self.payment.method(attempt)
        return GatewayCall(
            key=key,
            order=self.payment.order,
            attempt=attempt.number,
            operation=operation,
            gateway=method.gateway,
            amount=amount,
            currency=self.payment.currency,
            authorisation=attempt.key,
            kind=method.kind,
            token=method.token,
            reference=attempt.reference,
            initiated_by=attempt.initiated_by,
            reason=attempt.reason,
            transaction=attempt.transaction,
        )

    def _request(self, call: GatewayCall, request: int, first_ms: int, *, is_withdrawn: bool = False) -> None:
        payment, attempt = self.payment, self.attempt(call.attempt)
        is_authorise = call.operation is Operation.AUTHORISE
        is_step = attempt.step(call.key) is not None
        is_first = is_authorise and not payment.covered_once
        # The end of the hold as the order was placed: one that was prolonged behind a gateway that is away, or while
        # the customer chose another method, does not put its order behind later ones.
        hold_ends_ms = max(payment.first_hold_ms or payment.hold_until_ms, payment.opened_ms)
        # Beyond the wait for an answer the goods are given away; a first authorisation is of no use then.
        not_after_ms = payment.until_ms if is_first else 0
        requested = CallRequested(
            at_ms=self.now_ms,
            call=call,
            request=request,
            first_ms=first_ms,
            urgent_ms=hold_ends_ms if is_first else first_ms + STEP_MS,
            not_after_ms=self.now_ms if is_withdrawn else not_after_ms,
            patient=is_step or (is_authorise and not is_withdrawn and is_patient(payment, attempt)),
        )
        self.emit(requested)


def back_off_ms(requests: int, wait_ms: int = 0) -> int:
    """How long to wait before the next request, after so many; at least what the gateway asked for."""
    usual = ASK_AGAIN_MS[min(requests, len(ASK_AGAIN_MS)) - 1] if requests else ASK_AGAIN_MS[0]
    return max(usual, min(wait_ms, WAIT_MS_MAX))
