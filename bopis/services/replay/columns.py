"""Which column of an export holds which field: named by the user, or guessed from names in common use."""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from bopis.services.replay.errors import ColumnMissing, ColumnUnknown, FieldUnknown

# In each row the first name found wins; names are compared without case, spaces and punctuation.
ALIASES: dict[str, tuple[str, ...]] = {
    "store": ("store_id", "store", "store_code", "store_number", "store_no", "shop_id", "shop", "branch", "outlet",
              "location_id", "location"),
    "basket": ("basket_id", "basket", "invoice", "invoice_no", "invoice_number", "invoice_id", "transaction_id",
               "transaction", "transaction_no", "receipt", "receipt_id", "receipt_no", "ticket", "ticket_id"),
    "sku": ("sku", "product_id", "product", "stock_code", "item_id", "item_code", "item", "article", "article_id",
            "upc", "ean", "gtin"),
    "quantity": ("quantity", "qty", "units", "units_sold"),
    "sold_at": ("sold_at", "time", "timestamp", "datetime", "date_time", "transaction_timestamp", "transaction_time",
                "invoice_date", "date"),
    "amount_cents": ("amount_cents",),
    "amount": ("amount", "sales_value", "line_total", "total"),
    "price": ("price", "unit_price"),
}  # fmt: skip
REQUIRED = ("store", "basket", "sku", "quantity", "sold_at")
MONEY = ("amount_cents", "amount", "price")
JOINED_BY = "+"


class Columns(Struct, frozen=True, kw_only=True):
    """The column or columns of each field: several are joined by a space, none means a constant or nothing.

    ``money`` says what the amount column holds: minor units, a decimal line amount, or a decimal unit price.
    """

    store: tuple[str, ...]
    basket: tuple[str, ...]
    sku: tuple[str, ...]
    quantity: tuple[str, ...]
    sold_at: tuple[str, ...]
    amount: tuple[str, ...] = ()
    money: str = "amount_cents"


def named_columns(given: Sequence[str]) -> dict[str, str]:
    """The ``FIELD=NAME`` options as a mapping."""
    named = {}
    for option in given:
        field, equals, column = option.partition("=")
        if not equals or field not in ALIASES or not column:
            raise FieldUnknown(given=option, fields=", ".join(ALIASES))
        named[field] = column
    return named


def find_columns(present: Sequence[str], named: Mapping[str, str], store_given: bool) -> Columns:
    """The columns of a file with these names in its header."""
    found: dict[str, tuple[str, ...]] = {}
    for field in REQUIRED:
        if field == "store" and store_given:
            found[field] = ()
            continue
        columns = _find(field, present, named)
        if not columns:
            instead = ", or give --store for a file of one store" if field == "store" else ""
            raise ColumnMissing(field=field, columns=", ".join(present), instead=instead)
        found[field] = columns
    # What the user named comes before what is guessed, whichever kind of money it is.
    kinds = [kind for kind in MONEY if kind in named] or list(MONEY)
    amounts = {kind: _find(kind, present, named) for kind in kinds}
    money = next((kind for kind in kinds if amounts[kind]), MONEY[0])
    return Columns(**found, amount=amounts.get(money, ()), money=money)


def _find(field: str, present: Sequence[str], named: Mapping[str, str]) -> tuple[str, ...]:
    if field in named:
        name = named[field]
        columns = (name,) if name in present else tuple(name.split(JOINED_BY))
        for column in columns:
            if column not in present:
                raise ColumnUnknown(column=column, field=field, columns=", ".join(present))
        return columns
    by_folded: dict[str, str] = {}
    for column in present:
        by_folded.setdefault(_folded(column), column)
    for alias in ALIASES[field]:
        guessed = by_folded.get(_folded(alias))
        if guessed is not None:
            return (guessed,)
    return ()


def _folded(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
