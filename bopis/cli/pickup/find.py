"""`bopis pickup find`: open orders of a store by the customer's name, mail address or phone number."""

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console

from bopis.cli.app.completion import COMPLETE_STORES
from bopis.cli.app.context import STORE_VARIABLE, AsJson, open_context
from bopis.cli.app.errors import NotFound, Usage
from bopis.cli.app.render import print_line, table
from bopis.cli.order.lookup import open_book
from bopis.cli.order.session import require_store
from bopis.contacts import e164
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import Order
from bopis.domain.orders.store_queue import locations_text
from bopis.ports import Secrets
from bopis.services.catalogue import read_catalogue
from bopis.services.counter.masking import masked
from bopis.services.store_directory import read_directory

TEXT_LENGTH_MIN = 2
PHONE_DIGITS_LEAST = 4


def find(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Part of a name, a mail address or a phone number.")],
    store: Annotated[
        str,
        typer.Option(
            metavar="STORE", envvar=STORE_VARIABLE, help="The store of the counter.", autocompletion=COMPLETE_STORES
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Find open orders of a store by name, mail address or phone number, in any spelling.

    Names are stored encrypted: they are opened for this search only and shown masked.

    Examples:
        bopis pickup find "anna ex" --store 319
        bopis pickup find "(270) 555-0100" --store 319
    """
    ctx = open_context(context, as_json)
    if len(text.strip()) < TEXT_LENGTH_MIN:
        raise Usage(problem=f"Give at least {TEXT_LENGTH_MIN} characters of a name, mail address or phone number.")
    with open_book(ctx) as (reader, book), ctx.vault() as vault:
        require_store(ctx, reader, store)
        record = read_directory(reader).get(store)
        catalogue = read_catalogue(reader)
        wanted = SearchText(text, record.country if record is not None else "")
        found = [
            (order, fields)
            for order in book.in_store(store)
            if order.live and wanted.matches(fields := _contact(vault, order))
        ]
    if not found:
        raise NotFound(what=f"an open order of {text!r} in store {store}; ask for the order number or the mail")
    rows = [_row(order, store, fields) for order, fields in found]
    units = {order.order: catalogue.total(line for line in order.in_store(store) if line.live) for order, _ in found}

    def render(out: Console) -> None:
        grid = table("order", "state", "name", "contact", "units", "goods")
        for row in rows:
            contact = row["phone"] or row["email"]
            grid.add_row(row["shown"], row["state"], row["name"], contact, units[row["order"]], row["goods"])
        out.print(grid)
        if len(rows) > 1:
            print_line(out, "Several orders: ask for the pickup code or a document before anything is handed over.")

    ctx.print_result({"store": store, "orders": rows}, render)


class SearchText:
    """A text to find customers by: letters without case and accents, phone numbers by their digits."""

    def __init__(self, text: str, country: str) -> None:
        self._folded = folded(text)
        self._country = country
        digits = _digits(text)
        is_number = len(digits) >= PHONE_DIGITS_LEAST and not any(it.isalpha() or it == "@" for it in text)
        self._phone = (_digits(e164(text, country) or "") or digits.lstrip("0")) if is_number else ""

    def matches(self, contact: Mapping[str, str]) -> bool:
        """Whether a contact has this text in its name or mail address, or is called by this number."""
        if self._phone:
            known = contact.get("phone", "")
            return bool(known) and _digits(e164(known, self._country) or known).endswith(self._phone)
        name = folded(contact.get("name", ""))
        if not self._folded:
            return False
        # Each word begins a word of the name, in any order: people say their names both ways round.
        words = name.split()
        is_named = all(any(it.startswith(word) for it in words) for word in self._folded.split())
        return is_named or self._folded in folded(contact.get("email", ""))


def folded(text: str) -> str:
    """A text without case and accents, as people spell names at a counter."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(it for it in decomposed if not unicodedata.combining(it))
    return " ".join("".join(it if it.isalnum() or it in "@._+" else " " for it in letters).split())


def _digits(text: str) -> str:
    found = (unicodedata.decimal(character, None) for character in text)
    return "".join(str(digit) for digit in found if digit is not None)


def _contact(vault: Secrets, order: Order) -> dict[str, str]:
    """Name and contact of an order's customer; empty after erasure, or without any."""
    return (vault.open(order.customer.id, order.customer.sealed) or {}) if order.customer.sealed else {}


def _row(order: Order, store: str, contact: Mapping[str, str]) -> dict[str, Any]:
    work = order.at(store)
    lines = [line for line in order.in_store(store) if line.live]
    return {
        "order": order.order,
        "shown": shown(order.order),
        "state": order.state.value.replace("_", " "),
        **{field: masked(field, contact[field]) if contact.get(field) else "" for field in ("name", "email", "phone")},
        "units": sum(line.quantity for line in lines),
        "goods": locations_text(lines, work.location if work is not None else ""),
    }
