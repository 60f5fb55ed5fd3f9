"""`bopis order place`: take a customer's order."""

import uuid
from difflib import get_close_matches
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from bopis.adapters.barcodes import gtin14
from bopis.adapters.gateways.policy import policy_of
from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.errors import Conflict, StoreUnknown
from bopis.cli.app.readside import SIMILARITY_LEAST, SUGGESTIONS_MAX
from bopis.cli.app.render import print_line
from bopis.cli.app.typed_articles import unit_in
from bopis.cli.order.methods import read_methods
from bopis.cli.order.prices import read_currency, read_slot, read_wanted
from bopis.cli.order.session import (
    OrderSession,
    event_row,
    event_rows,
    order_session,
    presentation_of,
    zone_of_store,
)
from bopis.domain.orders.events import OrderCancelled
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.vocabulary import Allows, Channel, Consent, ShortPolicy
from bopis.services.catalogue import read_catalogue
from bopis.services.checkout import Checkout, Customer, OrderRequest, PlacedOrder
from bopis.services.store_directory import read_directory

WAIT_SECONDS = 15.0


def place(
    context: typer.Context,
    store: StoreId,
    lines: Annotated[
        list[str],
        typer.Argument(metavar="SKU=NUMBER", help="Units wanted, by SKU or GTIN, with the price of one: 4011=3@0.59."),
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="The customer's name; stored encrypted.")] = "",
    email: Annotated[str, typer.Option(metavar="ADDRESS", help="The customer's mail address; stored encrypted.")] = "",
    phone: Annotated[str, typer.Option(metavar="NUMBER", help="The customer's phone number; stored encrypted.")] = "",
    language: Annotated[
        str, typer.Option(metavar="LANGUAGE", help="Language of the customer's notices, for example de.")
    ] = "",
    channel: Annotated[
        list[Channel] | None, typer.Option(help="Channel of the customer's notices; repeat for more.")
    ] = None,
    note: Annotated[str, typer.Option(help="A note to the store; stored encrypted.")] = "",
    currency: Annotated[
        str, typer.Option(metavar="CODE", help="Currency of the prices (ISO 4217), for example USD.")
    ] = "",
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:TOKEN",
            help="Payment method, repeated in the order in which they are asked: card:TOKEN, wallet:TOKEN, "
            "gift_card:TOKEN, pay_in_store; a token alone is a card.",
        ),
    ] = None,
    consent: Annotated[
        bool, typer.Option("--consent", help="The customer agreed that the methods are asked one after the other.")
    ] = False,
    slot: Annotated[
        str, typer.Option(metavar="FROM/TO", help="Slot in the store's time zone: 2026-12-05T10:00/12:00.")
    ] = "",
    alternatives: Annotated[
        Consent, typer.Option(help="Another store instead: never, after an offer, or automatically.")
    ] = Consent.OFFER,
    substitutes: Annotated[
        Consent, typer.Option(help="Another SKU instead: never, after an offer, or automatically.")
    ] = Consent.OFFER,
    on_short: Annotated[
        ShortPolicy,
        typer.Option(
            help="Missing units: find another store, offer a substitute, go on without them, or cancel the line."
        ),
    ] = ShortPolicy.RESOURCE,
    later: Annotated[bool, typer.Option("--later", help="Allow a later promise at the chosen store.")] = False,
    split: Annotated[bool, typer.Option("--split", help="Allow several stores to serve it together.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="All of it or nothing.")] = False,
    wait_hours: Annotated[
        int, typer.Option(min=0, max=24 * 90, metavar="HOURS", help="How long it may wait for stock.")
    ] = 0,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Idempotency key: the same key and basket place one order.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Also wait for the outcome: promised, offered elsewhere, or cancelled.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Place a pickup order, paid in the store or by methods that are asked one after the other in the background.

    Kits are held as their components. A method is a gateway's token, never a card number.

    The command returns as soon as the order is accepted. With --wait it also prints when the order will be ready; an
    order that no store can serve ends with exit code 4 and the stock that is missing.

    Examples:
        bopis order place 319 4011=3 --name "Anna Example" --email anna@example.org
        bopis order place 319 4011=3@0.59 852159=1@4.99 --currency USD --wait
        bopis order place 319 MUG=1@9 --currency EUR --method card:tok_ok --wait
    """
    ctx = open_context(context, as_json)
    customer = Customer(name=name, email=email, phone=phone, language=language, channels=tuple(channel or ()))
    allows = Allows(
        later=later,
        alternatives=alternatives,
        split=split,
        substitutes=substitutes,
        partial=not whole,
        on_short=on_short,
        wait_hours=wait_hours,
    )
    money = read_currency(currency)
    plan = read_methods(method or (), consent, money, policy_of(ctx.settings))
    with order_session(ctx) as session:
        catalogue = read_catalogue(session.reader)
        wanted = read_wanted(lines, money, lambda code: unit_in(catalogue, code))
        basket = OrderRequest(
            store=store, lines=wanted, customer=customer, allows=allows, currency=money, note=note, payment=plan
        )
        country = _country(session, store)
        if slot:
            chosen = read_slot(slot, zone_of_store(session.reader, store))
            basket = msgspec.structs.replace(basket, slot=chosen)
        with ctx.vault() as vault:
            checkout = Checkout(session.desk, catalogue, gtin14, vault)
            placed = checkout.place(basket, key or str(uuid.uuid4()), country)
        _print_placed(session, placed, wait)


def _country(session: OrderSession, store: str) -> str:
    """The store's country, empty if it is not known.

    Raises `StoreUnknown`: a mistyped store fails at once instead of by a cancellation a moment later.
    """
    known = read_directory(session.reader)
    if known and store not in known:
        similar = get_close_matches(store, known, SUGGESTIONS_MAX, SIMILARITY_LEAST)
        raise StoreUnknown(store=store, hint=f"; did you mean {' or '.join(similar)}" if similar else "")
    return known[store].country if known else ""


def _print_placed(session: OrderSession, placed: PlacedOrder, wait: bool) -> None:
    ctx, number = session.ctx, shown(placed.order)
    settled = placed.settled(WAIT_SECONDS) if wait and not placed.repeated else None
    presentation = presentation_of(session.reader, placed.store)
    order = session.book().get(placed.order) if settled is not None else None
    words = (presentation if order is None else presentation.about(order)).words
    outcome = None if settled is None else event_row(settled, words)
    document = {
        "order": placed.order,
        "shown": number,
        "customer": placed.customer,
        "again": placed.repeated,
        "events": event_rows(placed.reply, words),
        "outcome": outcome,
    }

    def render(out: Console) -> None:
        print_line(out, f"{number}  {'was placed before, with this key' if placed.repeated else 'placed'}")
        if outcome is not None:
            print_line(out, f"{number}  {outcome['said']}")
        elif wait and not placed.repeated:
            ctx.note(f"No outcome within {WAIT_SECONDS:g} s. See: bopis order show {number}")
        else:
            ctx.note(f"When will it be ready? bopis order show {number}")

    ctx.print_result(document, render)
    if settled is not None and isinstance(settled.data, OrderCancelled):
        raise typer.Exit(Conflict.exit_code)
