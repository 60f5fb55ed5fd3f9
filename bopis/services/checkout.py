"""The checkout: what a customer wants becomes an order in the log, with nothing readable of the customer in it.

The answer is immediate: the order was taken. Whether and when it is ready is said when a store has been found.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from bopis.domain.orders.events import AlternativeOffered, CommandRefused, LinesWaiting, OrderPromised
from bopis.domain.orders.messages import PlaceOrder
from bopis.domain.orders.numbers import number_from
from bopis.domain.orders.outcomes import OrderCancelled
from bopis.domain.orders.terms import Allows, Channel, CustomerRef, Refusal
from bopis.domain.orders.units import WantedLine
from bopis.domain.sourcing.request import Place, Slot
from bopis.ports import Secrets
from bopis.services.catalogue import Catalogue, Gtin, Wanted
from bopis.services.counter.answers import Answers
from bopis.services.counter.desk import Answered, Counter
from bopis.services.counter.errors import MessageParked, NotDone
from bopis.services.counter.refusals import why
from bopis.services.errors import CustomerBroken, KeyUsed, NoNumberFree

NUMBER_TRIES = 8
NAME_LENGTH_MAX = 200
NOTE_LENGTH_MAX = 1_000
PHONE_DIGITS = (5, 15)
FIRST_VERSION = 1
SETTLED = (OrderPromised, AlternativeOffered, LinesWaiting, OrderCancelled)
_KEY_TAKEN = "under this key"


class Customer(Struct, frozen=True, kw_only=True):
    """Who orders and how they want to be told. Without an id the customer is found by mail or phone, or is new."""

    name: str = ""
    email: str = ""
    phone: str = ""
    language: str = ""
    channels: tuple[Channel, ...] = ()
    id: str = ""


class Basket(Struct, frozen=True, kw_only=True):
    """What somebody wants to collect, and where. Lines are as they were typed or scanned."""

    store: str
    lines: tuple[Wanted, ...]
    customer: Customer
    slot: Slot | None = None
    place: Place | None = None
    allows: Allows = Allows()
    methods: tuple[str, ...] = ()
    currency: str = ""
    note: str = ""


class Taken(Struct, frozen=True):
    """An order that was taken; ``again`` when it had been before, under the same key."""

    order: str
    customer: str
    again: bool
    answered: Answered
    answers: Answers

    def settled(self, seconds: float) -> Any:
        """What became of it: promised, offered elsewhere, waiting or cancelled; None when that is not known in time."""
        return self.answers.until(self.order, SETTLED, seconds)


class Checkout:
    """Takes orders. The same key and basket place one order, however often they come."""

    def __init__(self, counter: Counter, catalogue: Catalogue, gtin: Gtin, secrets: Secrets) -> None:
        self._counter = counter
        self._catalogue = catalogue
        self._gtin = gtin
        self._secrets = secrets

    def place(self, basket: Basket, key: str) -> Taken:
        """Take an order under an idempotency key.

        Raises `SkuNotInCatalogue`, `CustomerBroken`, `MessageBroken`, `KeyUsed` when the key stands for another basket,
        and `NotDone` when the order is refused.
        """
        lines = self._lines(basket.lines)
        check_customer(basket.customer, basket.note)
        hashed = self._keyed("key", key)
        customer = self._customer(basket.customer, key)
        for salt in range(NUMBER_TRIES):
            order = number_from(hmac.digest(self._secrets.number_key, f"number/{salt}/{key}".encode(), sha256))
            body = self._wanted(basket, lines, order, customer)
            body = msgspec.structs.replace(body, key=hashed, request=self._keyed("request", _canonical(basket, lines)))
            try:
                answered, answers = self._counter.hear(order, body)
            except MessageParked as error:
                if _KEY_TAKEN in str(error):
                    raise KeyUsed(key=key, order=order) from error
                raise
            refused = answered.of(CommandRefused)
            if refused is None:
                return Taken(order, customer.id, not answered.events, answered, answers)
            if refused.reason is not Refusal.NUMBER_TAKEN:
                raise NotDone(why=why(order, refused), reason=refused.reason.value, line=refused.line)
        raise NoNumberFree(tries=NUMBER_TRIES)

    def _lines(self, wanted: Sequence[Wanted]) -> tuple[WantedLine, ...]:
        """Each line under its SKU, kits as what is taken from the shelf."""
        lines = []
        for number, it in enumerate(wanted, 1):
            sku = self._catalogue.sku_of(it.code, self._gtin)
            article = self._catalogue.get(sku)
            components = article.components if article is not None else ()
            lines.append(
                WantedLine(line=number, sku=sku, quantity=it.quantity, components=components, unit_cents=it.unit_cents)
            )
        return tuple(lines)

    def _wanted(self, basket: Basket, lines: tuple[WantedLine, ...], order: str, customer: CustomerRef) -> PlaceOrder:
        code_hash, token_hash = self._secrets.codes.hashes(order, FIRST_VERSION)
        return PlaceOrder(
            key="",
            request="",
            customer=customer,
            store=basket.store,
            lines=lines,
            slot=basket.slot,
            place=basket.place,
            allows=basket.allows,
            methods=basket.methods,
            currency=basket.currency,
            code_hash=code_hash,
            token_hash=token_hash,
            note=self._secrets.seal(customer.id, {"note": basket.note}) if basket.note else "",
        )

    def _customer(self, told: Customer, key: str) -> CustomerRef:
        """Who orders, by id; everything else is sealed under a key of their own."""
        lookups = self._secrets.lookups
        found_by = [lookups.email(told.email)] if told.email else []
        found_by += [lookups.phone(told.phone)] if told.phone else []
        known = next((it for it in map(self._secrets.find, found_by) if it is not None), None)
        customer = told.id or known or f"c-{self._keyed('customer', key)[:20]}"
        fields = {"name": told.name, "email": told.email, "phone": told.phone}
        sealed = self._secrets.seal(customer, {name: value for name, value in fields.items() if value})
        self._secrets.remember(customer, found_by)
        return CustomerRef(id=customer, language=told.language, channels=told.channels, sealed=sealed)

    def _keyed(self, kind: str, text: str) -> str:
        return hmac.digest(self._secrets.number_key, f"{kind}/{text}".encode(), sha256).hex()


def check_customer(told: Customer, note: str = "") -> None:
    """Raises `CustomerBroken` for what nobody could be reached by, or what does not fit."""
    digits = sum(it.isdigit() for it in told.phone)
    problems = {
        f"A name has at most {NAME_LENGTH_MAX} characters.": len(told.name) > NAME_LENGTH_MAX,
        f"A note has at most {NOTE_LENGTH_MAX} characters.": len(note) > NOTE_LENGTH_MAX,
        f"{told.email!r} is no mail address.": bool(told.email) and not _is_address(told.email),
        f"{told.phone!r} is no phone number.": bool(told.phone) and not PHONE_DIGITS[0] <= digits <= PHONE_DIGITS[1],
        "To be told by mail, give a mail address.": Channel.EMAIL in told.channels and not told.email,
        "To be told by text message, give a phone number.": Channel.SMS in told.channels and not told.phone,
    }
    for problem, holds in problems.items():
        if holds:
            raise CustomerBroken(problem=problem)


def _is_address(text: str) -> bool:
    name, at, host = text.strip().rpartition("@")
    return bool(name and at and "." in host) and not any(it.isspace() for it in text.strip())


def _canonical(basket: Basket, lines: tuple[WantedLine, ...]) -> str:
    """What was asked for, the same whenever it is asked again. Nothing of the customer but the id: its hash is kept
    for ever."""
    asked = msgspec.structs.replace(basket, lines=(), customer=Customer(id=basket.customer.id), note="")
    return msgspec.json.encode((asked, lines), order="deterministic").decode()
