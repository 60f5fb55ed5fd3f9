"""How the customers of the day pay in advance: their methods, what the gateway makes of them, and what they do when
they are asked. Pure."""

import random
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from bopis.domain.orders.messages import PaymentPlan
from bopis.domain.payments.gateway import MethodKind, PaymentMethod
from bopis.domain.payments.policy import PaymentPolicy

# Less than the cheapest order: the next method pays the rest.
GIFT_CENTS = 150
# Longer than a killed runner takes to come back: an answer that is late for that is no reason to ask another method.
POLICY = PaymentPolicy(unknown_patience_s=240)
IN_STORE, GIFT = "pay_in_store", "gift"
# For each order of another course so many whose first method is approved.
APPROVED_MORE = 3


class Paying(StrEnum):
    """The course of a payment. The first ones name how the first method is declined before the next one approves."""

    SOFT = "soft"
    HARD = "hard"
    NEVER = "never"  # the same card behind another token is not asked
    DATA = "data"
    TECHNICAL = "technical"  # asked twice
    AUTHENTICATE = "authenticate"
    CHALLENGED = "challenged"  # its bank wants the customer, who is not bothered
    TWO_DECLINED = "two_declined"  # the third one approves
    APPROVED = "approved"
    TIMED_OUT = "timed_out"  # approved, and the answer never comes
    CAPTURED_LATER = "captured_later"  # the capture is received first, and done later
    CONFIRMS = "confirms"  # its bank wants the customer, who confirms
    NAMES_OTHER = "names_other"  # does not confirm, and names another card when asked
    GIVES_UP = "gives_up"  # all are declined, and the customer names no other
    IN_STORE = "in_store"  # declined, and paid at the till
    BRINGS_BACK = "brings_back"  # a gift card and a card for the rest; a unit comes back


METHODS: Mapping[Paying, tuple[str, ...]] = MappingProxyType(
    {
        Paying.SOFT: ("soft", "ok"),
        Paying.HARD: ("hard", "ok"),
        Paying.NEVER: ("never", "never", "ok"),
        Paying.DATA: ("data", "ok"),
        Paying.TECHNICAL: ("technical", "ok"),
        Paying.AUTHENTICATE: ("authenticate", "ok"),
        Paying.CHALLENGED: ("challenge", "ok"),
        Paying.TWO_DECLINED: ("soft", "hard", "ok"),
        Paying.APPROVED: ("ok",),
        Paying.TIMED_OUT: ("timeout_after",),
        Paying.CAPTURED_LATER: ("capture_accepted",),
        Paying.CONFIRMS: ("challenge",),
        Paying.NAMES_OTHER: ("challenge",),
        Paying.GIVES_UP: ("soft", "hard"),
        Paying.IN_STORE: ("soft", IN_STORE),
        Paying.BRINGS_BACK: (GIFT, "ok"),
    }
)
BY_NEXT = frozenset(list(Paying)[: list(Paying).index(Paying.APPROVED)])
ASKS = frozenset({Paying.CONFIRMS, Paying.NAMES_OTHER, Paying.GIVES_UP})
# Only for orders that are collected as usual.
COLLECTED_ONLY = ASKS | {Paying.IN_STORE, Paying.BRINGS_BACK}


def dealt(are_usual: Sequence[bool], chance: random.Random) -> list[Paying | None]:
    """A course for every second order, and None for those that are paid at the till. Each course occurs once as soon as
    there are enough orders; later the first methods of three quarters are approved."""
    found: list[Paying | None] = []
    deck = _shuffled(chance)
    for number, is_usual in enumerate(are_usual):
        if number % 2:
            found.append(None)
            continue
        if not any(_suits(it, is_usual) for it in deck):
            deck += [*[Paying.APPROVED] * APPROVED_MORE * len(METHODS), *_shuffled(chance)]
            chance.shuffle(deck)
        rare = [it for it in deck if is_usual and it in COLLECTED_ONLY]
        chosen = rare[0] if rare else next(it for it in deck if _suits(it, is_usual))
        deck.remove(chosen)
        found.append(chosen)
    return found


def plan_of(order: str, paying: Paying) -> PaymentPlan:
    """The payment of an order as its customer wants it."""
    words = METHODS[paying]
    methods = tuple(_method(word, f"{order}.{number}", order) for number, word in enumerate(words, 1))
    if paying is Paying.NEVER:
        methods = tuple(PaymentMethod(token=it.token, card=methods[0].card) for it in methods[:2]) + methods[2:]
    return PaymentPlan(methods=methods, policy=POLICY, consent=len(methods) > 1)


def other_card(order: str) -> PaymentMethod:
    """The card that a customer names when asked for one."""
    return _method("ok", f"{order}.other", order)


def _method(word: str, name: str, order: str) -> PaymentMethod:
    if word == IN_STORE:
        return PaymentMethod(kind=MethodKind.PAY_IN_STORE)
    if word == GIFT:
        token = f"gift_{order}_{GIFT_CENTS}"
        return PaymentMethod(kind=MethodKind.GIFT_CARD, token=token, limit_cents=GIFT_CENTS)
    return PaymentMethod(token=f"tok_{word}.{name}", card=name)


def _suits(paying: Paying, is_usual: bool) -> bool:
    return is_usual or paying not in COLLECTED_ONLY


def _shuffled(chance: random.Random) -> list[Paying]:
    return chance.sample(list(Paying), len(Paying))
