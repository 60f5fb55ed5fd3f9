"""Events of payments as sentences for retail staff."""

from collections.abc import Sequence
from enum import Enum
from typing import assert_never

from bopis.domain.payments import events as e
from bopis.domain.payments.gateway import (
    AttemptReason,
    CallInitiator,
    DeclineClass,
    MethodKind,
    Operation,
    PaymentMethod,
)
from bopis.domain.payments.money import plain_amount
from bopis.domain.payments.state import AttemptState, CoverState, PaymentEnding, StepState
from bopis.services.counter.store_times import StoreTimes

TOKEN_SHOWN = 24
CLASSES = {
    DeclineClass.SOFT: "declined for now",
    DeclineClass.HARD: "declined for this order",
    DeclineClass.NEVER: "declined for ever",
    DeclineClass.DATA: "declined: the card's data are wrong",
    DeclineClass.AUTHENTICATE: "declined until the customer confirms",
    DeclineClass.TECHNICAL: "not decided: the bank or the network failed",
}
REASONS = {
    AttemptReason.FIRST: "the first method of the order",
    AttemptReason.FALLBACK: "the method before did not pay",
    AttemptReason.TRY_AGAIN: "the same method once more",
    AttemptReason.REST: "the methods before cover only part of it",
    AttemptReason.DIFFERENCE: "the goods cost more than was authorised",
    AttemptReason.REAUTHORISATION: "the authorisation before ends too early, or has ended",
    AttemptReason.CAPTURE_AGAIN: "goods are out whose capture failed",
}
STATES = {
    AttemptState.REQUESTED: "asked",
    AttemptState.WAITING: "could not be sent yet; it is sent again",
    AttemptState.UNKNOWN: "the answer is unknown; the gateway is asked",
    AttemptState.ACTION_REQUIRED: "the bank wants the customer to confirm",
    AttemptState.APPROVED: "approved",
    AttemptState.DECLINED: "declined",
    AttemptState.CLOSED: "closed at the gateway: nothing came of it",
    AttemptState.NOT_CALLED: "never reached the gateway",
    AttemptState.VOIDED: "released",
    AttemptState.ENDED: "over by the gateway's clock",
    AttemptState.LOST: "its capture was refused",
}
STEP_STATES = {
    StepState.REQUESTED: "asked",
    StepState.WAITING: "could not be sent yet; it is sent again",
    StepState.UNKNOWN: "the answer is unknown; the gateway is asked",
    StepState.ACCEPTED: "received by the gateway, not done yet",
    StepState.REPAIRING: "failed at the gateway, which tries again by itself",
    StepState.DONE: "done",
    StepState.FAILED: "failed",
    StepState.BOUNCED: "came back",
}
ENDINGS = {
    PaymentEnding.ORDER_ENDED: "no more goods will leave a store",
    PaymentEnding.EXHAUSTED: "no method was left",
    PaymentEnding.LATE: "no answer came in time",
    PaymentEnding.FRAUD: "fraud is suspected",
}
NOUNS = {
    Operation.AUTHORISE: "authorisation",
    Operation.CAPTURE: "capture",
    Operation.VOID: "release",
    Operation.REFUND: "refund",
    Operation.ADJUST: "change of the amount",
    Operation.FIND: "question",
    Operation.CLOSE: "closing",
}
COVERS = {
    CoverState.AUTHORISING: "not covered yet",
    CoverState.AUTHORISED: "covered",
    CoverState.LAPSED: "no longer covered",
    CoverState.PAY_IN_STORE: "to be paid in the store",
}


def method_text(method: PaymentMethod) -> str:
    """A payment method as people know it: ``card Visa ···· 4242``, else with its token."""
    kind = spaced(method.kind)
    if method.kind is MethodKind.PAY_IN_STORE:
        return kind
    name = method.hint or method.token
    return f"{kind} {name if len(name) <= TOKEN_SHOWN else name[:TOKEN_SHOWN] + '…'}".strip()


def spaced(word: Enum) -> str:
    """The value of an enum in words."""
    return str(word.value).replace("_", " ")


class PaymentEventText:
    """Renders events of one payment, with the clock of a store and the payment's currency and methods."""

    def __init__(self, times: StoreTimes, currency: str, methods: Sequence[PaymentMethod]) -> None:
        self._at = times.instant
        self._currency = currency
        self._methods = methods

    def money(self, amount: int, currency: str = "") -> str:
        """A sum with its currency."""
        return plain_amount(amount, currency or self._currency)

    def method(self, number: int) -> str:
        """A method by its number in the list."""
        return method_text(self._methods[number - 1]) if 0 < number <= len(self._methods) else "an adopted charge"

    def sentence(self, event: e.Event) -> str:
        """One event as a sentence, without a full stop. An event without a sentence fails the type check."""
        match event:
            case e.PaymentOpened():
                names = ", then ".join(method_text(it) for it in event.methods)
                return f"payment of {self.money(event.amount, event.currency)} began: {names}"
            case e.AmountsChanged():
                return self._amounts(event)
            case e.PickupExpected():
                return f"pickup expected by {self._at(event.until_ms)}"
            case e.AttemptBegan() | e.CallRequested() | e.AttemptChanged():
                return self._attempt(event)
            case e.StepBegan() | e.StepChanged():
                return self._step(event)
            case e.ChargeAdopted():
                return f"charge {event.reference} of {self.money(event.captured)} taken into the books: {event.reason}"
            case e.RefundFound():
                return f"attempt {event.attempt}: a refund of {self.money(event.amount)} was made at the gateway"
            case e.NeedCovered():
                return "all that is needed is covered"
            case e.MethodAdded():
                return f"the customer named another method: {method_text(event.method)}"
            case e.MethodsRestarted():
                return f"the methods are asked again from the first one{_because(event.reason)}"
            case e.CustomerAsked():
                what = "confirm the payment by a link" if event.link else "name another method"
                return f"the customer is asked to {what} until {self._at(event.until_ms)}: {self.money(event.amount)}"
            case e.HoldNeeded():
                return f"the goods are held until {self._at(event.until_ms)}, as the payment is not decided"
            case e.WaitEnded():
                return "the time to wait for an answer is over; what is open is closed at the gateway"
            case e.CoverChanged():
                until = f" until {self._at(event.cover.until_ms)}" if event.cover.until_ms else ""
                return f"{COVERS[event.cover.state]}: {self.money(event.cover.amount)}{until}"
            case e.PaymentEnded():
                return f"nothing more is authorised: {ENDINGS[event.ending]}{_because(event.reason)}"
            case e.PaymentCommandRefused():
                return f"{event.command} refused: {spaced(event.reason)}"
            case _:
                assert_never(event)

    def _amounts(self, event: e.AmountsChanged) -> str:
        sums = {
            "to be handed over": event.open,
            "handed over": event.handed,
            "returned": event.returned,
            "refunded without goods": event.goodwill,
            "to be paid in the store": event.at_counter,
            "paid in the store": event.paid_at_counter,
        }
        told = ", ".join(f"{name} {self.money(amount)}" for name, amount in sums.items() if amount)
        return f"sums: {told or 'nothing is open'}{_because(event.reason)}"

    def _attempt(self, event: e.AttemptBegan | e.CallRequested | e.AttemptChanged) -> str:
        match event:
            case e.AttemptBegan():
                by = " (asked by the shop)" if event.initiated_by is CallInitiator.MERCHANT else ""
                asked = f"{self.money(event.asked)} asked of {self.method(event.method)}{by}"
                return f"attempt {event.attempt}: {asked}, because {REASONS[event.reason]}"
            case e.CallRequested(is_withdrawn=True):
                return f"attempt {event.call.attempt}: {NOUNS[event.call.operation]} withdrawn, if it was not sent yet"
            case e.CallRequested():
                again = f", request {event.request}" if event.request > 1 else ""
                return f"attempt {event.call.attempt}: {NOUNS[event.call.operation]} sent{again}, key {event.call.key}"
            case e.AttemptChanged():
                return f"attempt {event.attempt}: {self._result(event)}"
            case _:
                assert_never(event)

    def _result(self, event: e.AttemptChanged) -> str:
        text = STATES[event.state]
        if event.state is AttemptState.DECLINED and event.decline is not None:
            text = CLASSES[event.decline]
        if event.state is AttemptState.APPROVED and event.authorised is not None:
            text = f"approved for {self.money(event.authorised, event.currency)}"
            text += f" until {self._at(event.ends_ms)}" if event.ends_ms else ""
            text += ", in review" if event.review else ""
        code = f" ({event.code})" if event.code else ""
        return f"{text}{code}{_because(event.cause)}"

    def _step(self, event: e.StepBegan | e.StepChanged) -> str:
        if isinstance(event, e.StepBegan):
            noun = NOUNS[event.operation]
            return f"attempt {event.attempt}: {noun} of {self.money(event.amount)} asked{_because(event.cause)}"
        return f"attempt {event.attempt}: {event.key} {STEP_STATES[event.state]}{_because(event.cause)}"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
