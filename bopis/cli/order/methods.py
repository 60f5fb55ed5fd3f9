"""Payment methods as they are typed with an order."""

from collections.abc import Sequence

from bopis.cli.app.errors import Usage
from bopis.domain.orders.messages import PaymentPlan
from bopis.domain.payments.card_numbers import has_card_number
from bopis.domain.payments.gateway import METHODS_MAX, MethodKind, PaymentMethod
from bopis.domain.payments.policy import PaymentPolicy
from bopis.services.errors import CardNumberInText


def read_methods(words: Sequence[str], consent: bool, currency: str, policy: PaymentPolicy) -> PaymentPlan | None:
    """The payment plan of the methods that were typed; None without any: the order is paid in the store.

    Raises `Usage`, or `CardNumberInText` for the number of a card, which is not repeated.
    """
    if not words:
        if consent:
            raise Usage(problem="--consent is about a list of methods; name them with --method.")
        return None
    if len(words) > METHODS_MAX:
        raise Usage(problem=f"An order has at most {METHODS_MAX} payment methods.")
    if not currency:
        raise Usage(problem="An order with payment methods needs prices and their --currency: SKU=NUMBER@PRICE.")
    methods = tuple(read_method(word) for word in words)
    if any(it.kind is MethodKind.PAY_IN_STORE for it in methods[:-1]):
        raise Usage(problem="pay_in_store is the last method: nothing is asked after it.")
    return PaymentPlan(methods=methods, policy=policy, consent=consent)


def read_method(word: str) -> PaymentMethod:
    """One method: ``card:tok_ok``, ``gift_card:gift_ANNA_2000``, ``pay_in_store``; a token alone is a card."""
    if has_card_number(word):
        raise CardNumberInText(field="a payment method")
    name, colon, token = word.partition(":")
    kinds = {kind.value: kind for kind in MethodKind}
    if word == MethodKind.PAY_IN_STORE:
        return PaymentMethod(kind=MethodKind.PAY_IN_STORE)
    if not colon or name not in kinds:
        name, token = MethodKind.CARD, word
    if not token or kinds[name] is MethodKind.PAY_IN_STORE:
        raise Usage(
            problem=f"{word!r} is no payment method. Write KIND:TOKEN, for example card:tok_ok, or pay_in_store."
        )
    return PaymentMethod(kind=kinds[name], token=token)
