"""`bopis order place`: a customer's wish becomes an order."""

import uuid
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.counter import STORE, door, events_told, vault_of, zone_of_store
from bopis.commands.errors import StoreUnknown
from bopis.commands.shell import AsJson, open_shell

if TYPE_CHECKING:
    from bopis.services.checkout import Taken

WAIT_SECONDS = 15.0


class ChannelName(StrEnum):
    """How a customer wants to be told; the core's own list."""

    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"
    CONSOLE = "console"


class ConsentName(StrEnum):
    """Whether a change needs the customer's word; the core's own list."""

    NEVER = "never"
    OFFER = "offer"
    AUTOMATIC = "automatic"


class ShortName(StrEnum):
    """What becomes of missing units; the core's own list."""

    RESOURCE = "resource"
    SUBSTITUTE = "substitute"
    PARTIAL = "partial"
    CANCEL_LINE = "cancel_line"


def place(
    context: typer.Context,
    store: STORE,
    lines: Annotated[
        list[str], typer.Argument(metavar="SKU=NUMBER...", help="What is wanted, by SKU or GTIN, for example 4011=3.")
    ],
    name: Annotated[str, typer.Option(help="The customer's name; sealed at once.")] = "",
    email: Annotated[str, typer.Option(help="The customer's mail address; sealed at once.")] = "",
    phone: Annotated[str, typer.Option(help="The customer's phone number; sealed at once.")] = "",
    language: Annotated[str, typer.Option(help="Language of what the customer is told, for example de.")] = "",
    channel: Annotated[
        list[ChannelName] | None, typer.Option(help="How the customer is told; repeat for more.")
    ] = None,
    note: Annotated[str, typer.Option(help="A note to the store; sealed at once.")] = "",
    alternatives: Annotated[
        ConsentName, typer.Option(help="Another store instead: never, offered first, or automatic.")
    ] = ConsentName.OFFER,
    substitutes: Annotated[
        ConsentName, typer.Option(help="Another SKU instead: never, offered first, or automatic.")
    ] = ConsentName.OFFER,
    on_short: Annotated[ShortName, typer.Option(help="What becomes of units that are missing.")] = ShortName.RESOURCE,
    later: Annotated[bool, typer.Option("--later", help="A later promise at the chosen store is fine, too.")] = False,
    split: Annotated[bool, typer.Option("--split", help="Several stores may serve it together.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="All of it or nothing.")] = False,
    wait_hours: Annotated[int, typer.Option(min=0, max=24 * 90, help="Wait so long for stock to appear.")] = 0,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key and basket place one order.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Also wait for the promise, or what comes instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Place a pickup order. It is paid in the store; kits are held as their components.

    The answer is immediate: the order was taken. With --wait it tells also when it will be ready.
    """
    from bopis.adapters.barcodes import gtin14
    from bopis.commands.lines import read_lines
    from bopis.domain.orders.terms import Allows, Channel, Consent, ShortPolicy
    from bopis.services.catalogue import Wanted, read_catalogue
    from bopis.services.checkout import Basket, Checkout, Customer

    shell = open_shell(context, as_json)
    person = Customer(
        name=name,
        email=email,
        phone=phone,
        language=language,
        channels=tuple(Channel(it.value) for it in channel or ()),
    )
    allows = Allows(
        later=later,
        alternatives=Consent(alternatives.value),
        split=split,
        substitutes=Consent(substitutes.value),
        partial=not whole,
        on_short=ShortPolicy(on_short.value),
        wait_hours=wait_hours,
    )
    wanted = tuple(Wanted(code=it.sku, quantity=it.units) for it in read_lines(lines, least=1))
    basket = Basket(store=store, lines=wanted, customer=person, allows=allows, note=note)
    with door(shell) as way:
        _check_store(way, store)
        vault = vault_of(shell)
        try:
            checkout = Checkout(way.desk, read_catalogue(way.reader), gtin14, vault)
            taken = checkout.place(basket, key or str(uuid.uuid4()))
        finally:
            vault.close()
        _answer(way, taken, wait)


def _check_store(way: Any, store: str) -> None:
    """A slip in the store's id is told at once, and not by a cancellation a moment later."""
    from bopis.services.directory import read_directory

    known = read_directory(way.reader)
    if known and store not in known:
        raise StoreUnknown(store=store, hint="")


def _answer(way: Any, taken: "Taken", wait: bool) -> None:
    import msgspec

    from bopis.domain.orders.numbers import shown
    from bopis.services.catalogue import read_catalogue
    from bopis.services.counter.words import Words
    from bopis.wire.orders import ORDER_EVENTS

    shell, number = way.shell, shown(taken.order)
    settled = taken.settled(WAIT_SECONDS) if wait and not taken.again else None
    catalogue, zone = read_catalogue(way.reader), zone_of_store(way.reader, _store(taken, settled))
    words = Words(zone, catalogue.name)
    outcome = None
    if settled is not None:
        kind = ORDER_EVENTS.type_name(type(settled.data))
        outcome = {"type": kind, "said": words.of(settled.data), "data": msgspec.to_builtins(settled.data)}
    document = {
        "order": taken.order,
        "shown": number,
        "customer": taken.customer,
        "again": taken.again,
        "events": events_told(taken.answered, zone, catalogue),
        "outcome": outcome,
    }

    def render(out: Any) -> None:
        out.print(f"{number}  {'was taken before, under this key' if taken.again else 'taken'}", markup=False)
        if outcome is not None:
            out.print(f"{number}  {outcome['said']}", markup=False, soft_wrap=True)
        elif wait and not taken.again:
            shell.say(f"No answer from the stores within {WAIT_SECONDS:g} s; look with: bopis order show {number}")
        else:
            shell.say(f"When it is promised: bopis order show {number}")

    shell.answer(document, render)


def _store(taken: "Taken", settled: Any) -> str:
    """The store whose clock the answer is told by."""
    told = [settled.data] if settled is not None else []
    told += [it.data for it in taken.answered.events]
    return next((str(it.store) for it in told if hasattr(it, "store")), "")
