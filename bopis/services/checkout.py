"""The checkout: places orders in the log, with nothing readable of the customer.

`place` returns once the order is accepted. The promise follows when routing has found a store.
"""

import hmac
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from bopis.contacts import is_email, is_phone
from bopis.domain.orders.events import AlternativeOffered, CommandRefused, LinesWaiting, OrderCancelled, OrderPromised
from bopis.domain.orders.lines import WantedLine
from bopis.domain.orders.messages import PaymentPlan, PlaceOrder
from bopis.domain.orders.numbers import number_from
from bopis.domain.orders.state import Order
from bopis.domain.orders.vocabulary import ORDER_LINES_MAX, Allows, Channel, CustomerRef, Refusal
from bopis.domain.payments.card_numbers import has_card_number
from bopis.domain.sourcing.request import GeoPoint, Slot
from bopis.ports import Secrets
from bopis.services.catalogue import Catalogue, GtinParser, RequestedLine
from bopis.services.counter.desk import OrderDesk, raise_refusal
from bopis.services.errors import (
    CardNumberInText,
    CustomerInvalid,
    KeyReused,
    MessageParked,
    NoNumberFree,
    TextUnclean,
    TooManyLines,
)
from bopis.services.exchange import Reply, Sent, Subscription
from bopis.wire.characters import text_problems

NUMBER_TRIES = 8
NAME_LENGTH_MAX = 200
NOTE_LENGTH_MAX = 1_000
FIRST_VERSION = 1
UNCANCELLED = (OrderPromised, AlternativeOffered, LinesWaiting)
SETTLED = (*UNCANCELLED, OrderCancelled)
POLL_SECONDS = 0.1
# In the cause with which the orders processor parks a command; a dead letter has no other reason code.
_KEY_TAKEN = "under this key"


class Customer(Struct, frozen=True, kw_only=True):
    """The customer of an order, and the channels of their notices. A customer without an id is found by mail address or
    phone number, or is new."""

    name: str = ""
    email: str = ""
    phone: str = ""
    language: str = ""
    channels: tuple[Channel, ...] = ()
    id: str = ""


class RequestedGoods(Struct, frozen=True, kw_only=True):
    """The fields of a request that every version has had. Their text is hashed, and the hash is stored with the order
    for ever: a field that is added later belongs to `OrderRequest`."""

    store: str
    lines: tuple[RequestedLine, ...]
    customer: Customer
    slot: Slot | None = None
    place: GeoPoint | None = None
    allows: Allows = Allows()
    methods: tuple[str, ...] = ()
    currency: str = ""
    note: str = ""


class OrderRequest(RequestedGoods, frozen=True, kw_only=True):
    """A request for a pickup order. Lines are as they were typed or scanned; `slot` and `place` are optional. Without a
    `payment` and without `methods` (tokens of cards) it is paid in the store."""

    payment: PaymentPlan | None = None


class PlacedOrder(Struct, frozen=True):
    """An accepted order of `lines` for a store; `repeated` if it was placed before, under the same key.

    `subscription` collects the events of the order and is open until `close`.
    """

    order: str
    customer: str
    repeated: bool
    reply: Reply
    subscription: Subscription
    store: str = ""
    lines: frozenset[int] = frozenset()

    def settled(self, seconds: float) -> Any:
        """The event that settles the order: promised, offered elsewhere, waiting, or cancelled as a whole; None if none
        comes in time. A cancellation of some lines is not the outcome of the others."""
        left, give_up = self.lines, time.monotonic() + seconds
        settled: Any = self.subscription.wait(SETTLED, seconds)
        while settled is not None and isinstance(settled.data, OrderCancelled):
            gone = {
                line
                for event in self.subscription.events
                if isinstance(event.data, OrderCancelled)
                for line in event.data.lines
            }
            others = self.subscription.wait(UNCANCELLED, 0)
            if others is not None or gone >= left:
                return others or settled
            if time.monotonic() > give_up:
                return None
            self.subscription.wait(UNCANCELLED, POLL_SECONDS)
        return settled

    def close(self) -> None:
        """Stop collecting."""
        self.subscription.close()


class AcceptedOrder(Struct, frozen=True):
    """An order that the log has; `repeated` if it was placed before, under the same key: then nothing was `sent`."""

    order: str
    customer: str
    repeated: bool
    sent: Sent | None = None


KnownOrder = Callable[[str], Order | None]


class Checkout:
    """Places orders. Requests with equal key and content place one order."""

    def __init__(self, desk: OrderDesk, catalogue: Catalogue, gtin: GtinParser, secrets: Secrets) -> None:
        self._desk = desk
        self._catalogue = catalogue
        self._gtin = gtin
        self._secrets = secrets

    def place(self, request: OrderRequest, key: str, country: str = "") -> PlacedOrder:
        """Place an order under an idempotency key. `country` (two letters) is the store's: phone numbers without a
        country code are numbers of that country.

        Raises `TextUnclean`, `TooManyLines`, `SkuNotInCatalogue`, `CustomerInvalid`, `CardNumberInText`,
        `MessageInvalid`, `KeyReused` if the key was used for another request, `NotDone` if the order is refused,
        `MessageParked` or `NotDecidedInTime`.
        """
        for order, body in self._numbered(request, key, country):
            with ExitStack() as stack:
                # Opened before the command is sent: a fast promise would be missed otherwise.
                subscription = stack.enter_context(self._desk.follow(order))
                reply = self._request(order, body, subscription, key)
                refused = reply.event(CommandRefused)
                if refused is None:
                    stack.pop_all()  # the caller closes the subscription
                    # An order answers the repeat of its own command without an event.
                    numbers = frozenset(line.line for line in body.lines)
                    is_repeat = not reply.events
                    return PlacedOrder(order, body.customer.id, is_repeat, reply, subscription, request.store, numbers)
                if refused.reason is not Refusal.NUMBER_TAKEN:
                    raise_refusal(order, reply)
        raise NoNumberFree(tries=NUMBER_TRIES)

    def accept(self, request: OrderRequest, key: str, known: KnownOrder, country: str = "") -> AcceptedOrder:
        """As `place`, without a wait for the decision: the order is accepted once the log has it. `known` finds an
        order by its number, so that a repeat and a number of another order are recognised.

        Raises as `place`, without the errors of a decision.
        """
        for order, body in self._numbered(request, key, country):
            there = known(order)
            if there is None:
                sent = self._desk.send(order, body)
                return AcceptedOrder(order, body.customer.id, repeated=False, sent=sent)
            if there.key == body.key:
                if there.request != body.request:
                    raise KeyReused(key=key, order=order)
                return AcceptedOrder(order, body.customer.id, repeated=True)
        raise NoNumberFree(tries=NUMBER_TRIES)

    def first_number(self, key: str) -> str:
        """The number that an order under this key has, unless another order has it."""
        return self._number(key, 0)

    def _number(self, key: str, salt: int) -> str:
        return number_from(hmac.digest(self._secrets.number_key, f"number/{salt}/{key}".encode(), sha256))

    def _numbered(self, request: OrderRequest, key: str, country: str) -> Iterator[tuple[str, PlaceOrder]]:
        """The command under one number after the other, until one is not taken.

        A number is derived from the key, so that a repeat finds its order; keyed, so that a number cannot be guessed
        from another one. A number of another order is refused, and the next salt gives another number.
        """
        _check_text(request, key)
        lines = self._lines(request.lines)
        check_customer(request.customer, request.note, country)
        customer = self._customer(request.customer, key, country)
        hashed, content = self._keyed("key", key), self._keyed("request", _canonical(request, lines))
        for salt in range(NUMBER_TRIES):
            order = self._number(key, salt)
            body = self._command(request, lines, order, customer)
            yield order, msgspec.structs.replace(body, key=hashed, request=content)

    def _request(self, order: str, body: PlaceOrder, subscription: Subscription, key: str) -> Reply:
        try:
            return self._desk.request(order, body, subscription)
        except MessageParked as error:
            # The same key with other content contradicts the order, so the processor parks the command.
            if _KEY_TAKEN in str(error):
                raise KeyReused(key=key, order=order) from error
            raise

    def _lines(self, requested: Sequence[RequestedLine]) -> tuple[WantedLine, ...]:
        """Each line with its SKU and, for a kit, its components."""
        if len(requested) > ORDER_LINES_MAX:
            raise TooManyLines(count=len(requested), most=ORDER_LINES_MAX)
        lines = []
        for number, line in enumerate(requested, 1):
            sku = self._catalogue.sku_of(line.code, self._gtin)
            article = self._catalogue.get(sku)
            lines.append(
                WantedLine(
                    line=number,
                    sku=sku,
                    quantity=line.quantity,
                    components=article.components if article is not None else (),
                    unit_cents=line.unit_cents,
                )
            )
        return tuple(lines)

    def _command(
        self, request: OrderRequest, lines: tuple[WantedLine, ...], order: str, customer: CustomerRef
    ) -> PlaceOrder:
        code_hash, token_hash = self._secrets.codes.hashes(order, FIRST_VERSION)
        return PlaceOrder(
            key="",
            request="",
            customer=customer,
            store=request.store,
            lines=lines,
            slot=request.slot,
            place=request.place,
            allows=request.allows,
            methods=request.methods,
            currency=request.currency,
            code_hash=code_hash,
            token_hash=token_hash,
            note=self._secrets.seal(customer.id, {"note": request.note}) if request.note else "",
            payment=request.payment,
        )

    def _customer(self, customer: Customer, key: str, country: str) -> CustomerRef:
        """The id of a known or new customer; name and contacts are sealed under the customer's key."""
        lookups, secrets = self._secrets.lookups, self._secrets
        found_by = [lookups.email(customer.email)] if customer.email else []
        found_by += [lookups.phone(customer.phone, country)] if customer.phone else []
        # Earlier versions stored phone numbers by their digits only. That form is read and no longer stored, because
        # equal digits may be numbers of two countries.
        earlier = [lookups.phone_digits(customer.phone)] if customer.phone else []
        known = next((it for it in map(secrets.find, found_by + earlier) if it is not None), None)
        customer_id = customer.id or known or f"c-{self._keyed('customer', key)[:20]}"
        fields = {"name": customer.name, "email": customer.email, "phone": customer.phone}
        sealed = secrets.seal(customer_id, {name: value for name, value in fields.items() if value})
        secrets.remember(customer_id, found_by)
        return CustomerRef(id=customer_id, language=customer.language, channels=customer.channels, sealed=sealed)

    def _keyed(self, kind: str, text: str) -> str:
        return hmac.digest(self._secrets.number_key, f"{kind}/{text}".encode(), sha256).hex()


def check_customer(customer: Customer, note: str = "", country: str = "") -> None:
    """Raise `CustomerInvalid` for a contact that is missing or invalid, or a text that is too long, and
    `CardNumberInText`."""
    email, phone = customer.email, customer.phone
    texts = (("The name", customer.name), ("The mail address", email), ("The phone number", phone), ("The note", note))
    for found in text_problems(texts):
        raise CustomerInvalid(problem=f"{found}.")
    # These are sealed before they are sent, so that nothing behind this can look into them.
    for field, text in texts:
        if field != "The phone number" and has_card_number(text):
            raise CardNumberInText(field=field[0].lower() + field[1:])
    example = " Write it with its country code, for example +1 270 555 0100."
    problems = {
        f"A name has at most {NAME_LENGTH_MAX} characters.": len(customer.name) > NAME_LENGTH_MAX,
        f"A note has at most {NOTE_LENGTH_MAX} characters.": len(note) > NOTE_LENGTH_MAX,
        f"{email!r} is no mail address that can be delivered everywhere; before the @ it has letters a to z, digits "
        "and signs.": bool(email) and not is_email(email),
        f"{phone!r} is no phone number.{example}": bool(phone) and not is_phone(phone, country),
        "For notices by mail, give a mail address.": Channel.EMAIL in customer.channels and not email,
        "For notices by text message, give a phone number.": Channel.SMS in customer.channels and not phone,
    }
    for problem, holds in problems.items():
        if holds:
            raise CustomerInvalid(problem=problem)


def _check_text(request: OrderRequest, key: str) -> None:
    """Raise `TextUnclean` for a text that no message may contain: it would fail where it is hashed or sent."""
    texts = [("key", key), ("store", request.store), ("currency", request.currency)]
    texts += [("SKU", line.code) for line in request.lines] + [("method", it) for it in request.methods]
    texts += [("customer", request.customer.id), ("language", request.customer.language)]
    plan = request.payment
    for method in plan.methods if plan is not None else ():
        texts += [("method", it) for it in (method.token, method.gateway, method.card, method.hint)]
    for problem in text_problems(texts):
        raise TextUnclean(problem=problem)


def _canonical(request: OrderRequest, lines: tuple[WantedLine, ...]) -> str:
    """A text that is equal for equal requests, also of other versions: its hash is stored with the order for ever, so
    it contains only the id of the customer, and a new field would make every repeat look like another request. What a
    request pays with is in it only where it says so."""
    goods = {name: getattr(request, name) for name in RequestedGoods.__struct_fields__}
    content = RequestedGoods(**goods | {"lines": (), "customer": Customer(id=request.customer.id), "note": ""})
    parts = (content, lines) if request.payment is None else (content, lines, request.payment)
    return msgspec.json.encode(parts, order="deterministic").decode()
