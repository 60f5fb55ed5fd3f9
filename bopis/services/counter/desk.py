"""The order desk: commands to orders, from a customer or from staff, and the orders' replies."""

from collections.abc import Callable

from msgspec.structs import replace

from bopis.domain.orders.events import CodeFailed, CommandRefused, MoveEnded, OrderMoved
from bopis.domain.orders.messages import Command, CustomerArrived, MoveOrder
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.vocabulary import Refusal
from bopis.services.catalogue import NO_CATALOGUE, Catalogue
from bopis.services.counter.errors import NotDone, OrderUnknown
from bopis.services.counter.refusal_text import move_end_text, why
from bopis.services.exchange import Author, Exchange, Reply, Sent, Subscription


class OrderDesk:
    """Sends commands of one author to orders. Each call waits for its own reply."""

    def __init__(
        self, exchange: Exchange, author: Author, patience_seconds: float, ended: Callable[[str], str] | None = None
    ) -> None:
        """``ended`` tells by its number how an order ended, or what of it is not paid, for refusals; see
        `refusal_text.ended_text` and `refusal_text.unpaid_text`."""
        self._ended = ended
        self._exchange = exchange
        self._author = author
        self._patience_seconds = patience_seconds

    def command(self, order: str, body: Command | CustomerArrived, message_id: str | None = None) -> Reply:
        """Send a command to an order and wait until it is decided.

        Raises `NotDone` if the order refuses it, `OrderUnknown`, `MessageParked` or `NotDecidedInTime`.
        """
        with self._exchange.subscribe(order) as subscription:
            reply = self.request(order, body, subscription, message_id)
        raise_refusal(order, reply, self._ended)
        return reply

    def request(
        self,
        order: str,
        body: Command | CustomerArrived,
        subscription: Subscription,
        message_id: str | None = None,
    ) -> Reply:
        """As `command`, with a refusal as one of the reply's events. The caller closes the subscription."""
        message = self._exchange.compose(self._author, order, body, message_id=message_id)
        return self._exchange.reply(self._exchange.send(message), subscription, self._patience_seconds)

    def move(
        self, order: str, body: MoveOrder, message_id: str | None = None, catalogue: Catalogue = NO_CATALOGUE
    ) -> Reply:
        """Change the store of an order, and wait until the new store holds its goods and the old one is released.

        The reply has the events so far when that takes longer than the reply's own time. Raises `NotDone` when the
        order keeps its store, and what `command` raises.
        """
        with self._exchange.subscribe(order) as subscription:
            reply = self.request(order, body, subscription, message_id)
            raise_refusal(order, reply, self._ended)
            # A repeat has no events, and nothing to wait for.
            if not reply.events:
                return reply
            outcome = subscription.wait(
                (OrderMoved, MoveEnded), self._patience_seconds, lambda event: event.store == body.store
            )
            events = tuple(subscription.events)
        if outcome is not None and isinstance(outcome.data, MoveEnded):
            because = move_end_text(outcome.data, catalogue)
            sentence = f"Order {shown(order)} keeps its store: {because}. [{outcome.data.reason.value}]"
            raise NotDone(why=sentence, reason=outcome.data.reason.value, line=None)
        known = {event.id for event in reply.events}
        return replace(reply, events=(*reply.events, *(it for it in events if it.id not in known)))

    def send(self, order: str, body: Command, message_id: str | None = None) -> Sent:
        """Send a command to an order and wait only until the log has it."""
        return self._exchange.send(self._exchange.compose(self._author, order, body, message_id=message_id))

    def follow(self, order: str) -> Subscription:
        """Collect the events of an order from now on."""
        return self._exchange.subscribe(order)


def raise_refusal(order: str, reply: Reply, ended: Callable[[str], str] | None = None) -> None:
    """Raise `NotDone` or `OrderUnknown` for a reply that is a refusal; ``ended`` tells how an ended order ended, and
    what of another one is not paid."""
    refused = reply.event(CommandRefused)
    if refused is None:
        return
    if refused.reason is Refusal.UNKNOWN_ORDER:
        raise OrderUnknown(order=order)
    failed = reply.event(CodeFailed)
    is_asked = refused.reason in (Refusal.CANCELLED, Refusal.EXPIRED, Refusal.UNPAID)
    how = ended(order) if ended is not None and is_asked else ""
    sentence = why(order, refused, failed.tries_left if failed is not None else None, how)
    raise NotDone(why=sentence, reason=refused.reason.value, line=refused.line)
