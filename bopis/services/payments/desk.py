"""The payment desk: commands of staff to the payments of orders, and the payments' replies.

Each command names its reason, and its message the person who gave it: both stay in the payment's events. A command that
is sent twice under one id is decided once, so that a second click refunds nothing.
"""

from bopis.domain.orders.numbers import shown
from bopis.domain.payments.events import PaymentCommandRefused, PaymentRefusal
from bopis.domain.payments.messages import DeskCommand, ProviderReported
from bopis.domain.payments.money import plain_amount
from bopis.services.exchange import Author, Exchange, Reply
from bopis.services.payments.errors import PaymentNotChanged, PaymentUnknown

REFUSED = {
    PaymentRefusal.UNKNOWN_PAYMENT: "it has no payment; `bopis order show` says how it is paid",
    PaymentRefusal.CAPTURE_EXCEEDS_AUTHORISED: "at most {amount} of its goods are still to be handed over",
    PaymentRefusal.REFUND_EXCEEDS_CAPTURED: "at most {amount} can be refunded; `bopis payments show` lists the sums",
    PaymentRefusal.NOTHING_TO_VOID: "nothing is open that has to be released",
    PaymentRefusal.NOTHING_TO_RETRY: "nothing waits, failed or is missing, so there is nothing to ask again",
    PaymentRefusal.NOTHING_TO_PAY: "{amount} are to be paid in the store; while a gateway's answer is awaited, nothing "
    "can be taken there",
    PaymentRefusal.UNKNOWN_ATTEMPT: "it has no such attempt; `bopis payments show` numbers them",
    PaymentRefusal.NOT_UNKNOWN: "the answer to this attempt is known, so there is nothing to settle",
    PaymentRefusal.TOO_MANY_METHODS: "it has as many methods as it may have; let the customer pay in the store",
    PaymentRefusal.CURRENCY_DIFFERS: "the charge has another currency than the order; look at it with the gateway",
    PaymentRefusal.ENDED: "its payment has ended; offer to place the order again",
    PaymentRefusal.GOODS_ARE_OPEN: "its goods are still to be handed over, so the authorisation is needed; cancel the "
    "order first (`bopis order cancel`)",
}


class PaymentDesk:
    """Sends commands of one author to payments. Each call waits for its own reply."""

    def __init__(self, exchange: Exchange, author: Author, patience_seconds: float) -> None:
        self._exchange = exchange
        self._author = author
        self._patience_seconds = patience_seconds

    def command(
        self, order: str, body: DeskCommand | ProviderReported, currency: str = "", message_id: str | None = None
    ) -> Reply:
        """Send a command to the payment of an order and wait until it is decided; `currency` is that of its sums.

        Raises `PaymentNotChanged` if the payment refuses it, `PaymentUnknown`, `CardNumberInText`, `MessageParked` or
        `NotDecidedInTime`.
        """
        message = self._exchange.compose(self._author, order, body, message_id=message_id)
        reply = self._exchange.request(message, self._patience_seconds)
        refused: PaymentCommandRefused | None = reply.event(PaymentCommandRefused)
        if refused is None:
            return reply
        if refused.reason is PaymentRefusal.UNKNOWN_PAYMENT:
            raise PaymentUnknown(order=order)
        raise PaymentNotChanged(why=refusal_text(order, refused, currency), reason=refused.reason.value)


def refusal_text(order: str, refused: PaymentCommandRefused, currency: str = "") -> str:
    """One refusal as a sentence with the next action."""
    because = REFUSED[refused.reason].format(amount=plain_amount(refused.amount, currency))
    return f"Order {shown(order)}: {because}. [{refused.reason.value}]"
