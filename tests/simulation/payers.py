"""Customers who pay by methods, tills that take money, and the desk: what people do about payments."""

from datetime import UTC, datetime
from random import Random
from typing import Any

from bopis.domain.message import Message
from bopis.domain.orders.messages import PaymentPlan
from bopis.domain.payments.gateway import MethodKind, PaymentMethod
from bopis.domain.payments.messages import AddMethod, RecordPaidInStore, RetryPayment
from bopis.domain.payments.policy import ChallengePolicy, PartialPolicy, PaymentPolicy, RefundShare
from bopis.domain.payments.state import Payment
from bopis.wire.payments import PAYMENTS
from tests.simulation.world import World

TOPIC = "payments"
PAYS_BY_METHODS = 0.4
IN_STORE = PaymentMethod(kind=MethodKind.PAY_IN_STORE)


def payment_plan(dice: Random) -> PaymentPlan | None:
    """How somebody pays: most in the store, the others with one to three methods."""
    if dice.random() >= PAYS_BY_METHODS:
        return None
    methods = [_method(dice, number) for number in range(dice.choice((1, 2, 2, 3)))]
    if dice.random() < 0.15:
        methods[-1] = IN_STORE
    policy = PaymentPolicy(
        challenge=dice.choice(list(ChallengePolicy)),
        partial=dice.choice(list(PartialPolicy)),
        refund_share=dice.choice(list(RefundShare)),
    )
    return PaymentPlan(methods=tuple(methods), policy=policy, consent=True)


def _method(dice: Random, number: int) -> PaymentMethod:
    gateway = dice.choice(("", "alpha", "beta"))
    if dice.random() < 0.1:
        return PaymentMethod(
            kind=MethodKind.GIFT_CARD, token=f"gift-{number}", gateway=gateway, limit_cents=dice.randrange(1, 30)
        )
    return PaymentMethod(token=f"card-{number}", gateway=gateway, card=f"c{dice.randrange(3)}")


class Payers:
    """Whoever acts on a payment that is there."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._said = 0

    def act(self, kind: str, dice: Random) -> None:
        """Do what a kind of step names."""
        getattr(self, kind)(dice)

    def challenge_is_answered(self, dice: Random) -> None:
        """A customer follows a link, whether or not it was sent; some refuse."""
        ledger = self.world.gateways.ledger
        if ledger.challenges:
            ledger.answer_challenge(dice.choice(list(ledger.challenges)), confirms=dice.random() < 0.8)

    def method_is_named(self, dice: Random) -> None:
        """A customer names another method: one who was asked to, or who just does."""
        payments = self.world.payments.all()
        asked = [it for it in payments if it.method_until_ms]
        if chosen := asked or (payments if dice.random() < 0.1 else []):
            self._name_method(dice.choice(chosen), dice)

    def desk_mends(self, dice: Random) -> None:
        """Somebody asks again what failed."""
        if payments := self.world.payments.all():
            self.tell(dice.choice(payments).order, RetryPayment(reason="it failed"), dice)

    def everybody_acts(self, dice: Random) -> None:
        """At the end nobody keeps others waiting: who is asked names a method, tills take what is due, and the desk
        mends what waits for it."""
        for payment in self.world.payments.all():
            if payment.method_until_ms > self.world.log.now_ms:
                self._name_method(payment, dice)
            due = min(payment.at_counter, payment.handed) - payment.paid_at_counter
            if due > 0:
                self.tell(payment.order, RecordPaidInStore(amount=due), None)
            if waits_for_the_desk(payment):
                self.tell(payment.order, RetryPayment(reason="it failed"), None)

    def tell(self, order: str, data: Any, dice: Random | None) -> None:
        """Say something to a payment."""
        self._said += 1
        log = self.world.log
        at = datetime.fromtimestamp(log.now_ms / 1000, UTC)
        message = Message(id=f"p{self._said}", source="desk", time=at, subject=order, data=data, actor="kim")
        record = (TOPIC, order.encode(), PAYMENTS.encode(message))
        if dice is None:
            log.put(*record)
        else:
            self.world.send(None, record, dice)

    def _name_method(self, payment: Payment, dice: Random) -> None:
        number = len(payment.methods)
        self.tell(payment.order, AddMethod(method=PaymentMethod(token=f"new-{number}", card=f"n{number}")), dice)


def waits_for_the_desk(payment: Payment) -> bool:
    """Whether something failed that nobody asks again by itself."""
    stuck = any(
        not step.retried and step.state in ("failed", "bounced") and step.operation in ("void", "refund")
        for attempt in payment.attempts
        for step in attempt.steps
    )
    return stuck or (payment.uncaptured > 0 and payment.pending is None)
