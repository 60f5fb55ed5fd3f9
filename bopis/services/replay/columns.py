"""The column of each field of an export: named by the user, a constant, or guessed from names in common use."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from bopis.services.replay.errors import ColumnMissing, ColumnRepeated, ColumnUnknown, FieldUnknown
from bopis.tables.header import folded, nearest
from bopis.tables.numbers import decimal_of

# For each field the first name that the file has wins. Names are compared without case, spaces and punctuation.
ALIASES: dict[str, tuple[str, ...]] = {
    "store": ("store_id", "store", "store_code", "store_number", "store_no", "shop_id", "shop", "branch", "outlet",
              "location_id", "location"),
    "basket": ("basket_id", "basket", "invoice", "invoice_no", "invoice_number", "invoice_id", "transaction_id",
               "transaction", "transaction_no", "transaction_number", "receipt", "receipt_id", "receipt_no",
               "receipt_number", "ticket", "ticket_id", "ticket_no", "ticket_number", "bill_no", "bill_number",
               "order_id", "order_no", "order_number"),
    "sku": ("sku", "product_id", "product", "stock_code", "item_id", "item_code", "item", "article", "article_id",
            "article_no", "article_number", "item_no", "item_number", "product_code", "upc", "ean", "gtin", "barcode"),
    "quantity": ("quantity", "qty", "units", "units_sold", "quantity_sold", "qty_sold"),
    "sold_at": ("sold_at", "timestamp", "datetime", "date_time", "transaction_timestamp", "transaction_time",
                "invoice_date", "sale_date", "transaction_date", "time", "date"),
    "amount_cents": ("amount_cents",),
    "amount": ("amount", "sales_value", "line_total", "total"),
    "price": ("price", "unit_price"),
    "unit": (),
}  # fmt: skip
REQUIRED = ("store", "basket", "sku", "quantity", "sold_at")
MONEY = ("amount_cents", "amount", "price")
CONSTANTS = ("quantity", *MONEY)  # a number for these that is no column's name is the value of every row
DATE, TIME = "date", "time"
JOINED_BY = "+"


class Columns(Struct, frozen=True, kw_only=True):
    """The columns of each field. Several are joined with a space; none means a constant or no value.

    `money` is the meaning of the amount column: ``amount_cents`` (minor units), ``amount`` (decimal, of the line) or
    ``price`` (decimal, per unit). `unit` is the column that names the unit of a quantity. `constants` are values of
    fields without a column. `others` are columns that could have been guessed for a field as well.
    """

    store: tuple[str, ...]
    basket: tuple[str, ...]
    sku: tuple[str, ...]
    quantity: tuple[str, ...]
    sold_at: tuple[str, ...]
    amount: tuple[str, ...] = ()
    money: str = "amount_cents"
    unit: tuple[str, ...] = ()
    constants: dict[str, str] = {}
    others: dict[str, tuple[str, ...]] = {}

    @property
    def taken(self) -> dict[str, str]:
        """The column or the constant of each field, as `--column` names it."""
        fields = {**{field: getattr(self, field) for field in REQUIRED}, self.money: self.amount, "unit": self.unit}
        return {field: JOINED_BY.join(columns) for field, columns in fields.items() if columns} | self.constants


def named_columns(given: Sequence[str]) -> dict[str, str]:
    """The options ``FIELD=NAME`` as a mapping. Raises `FieldUnknown`."""
    names = {}
    for option in given:
        field, equals, column = option.partition("=")
        if not equals or field not in ALIASES or not column:
            near = nearest(field, ALIASES) if field not in ALIASES else ""
            hint = f" (did you mean {near}?)" if near else ""
            raise FieldUnknown(given=option, fields=", ".join(ALIASES), near=hint)
        names[field] = column
    return names


def find_columns(present: Sequence[str], named: Mapping[str, str], store_given: bool) -> Columns:
    """The columns of a file whose header has the names `present`.

    Raises `ColumnMissing`, `ColumnUnknown` or `ColumnRepeated`.
    """
    constants = {
        field: named[field]
        for field in CONSTANTS
        if field in named and named[field] not in present and decimal_of(named[field]) is not None
    }
    named = {field: name for field, name in named.items() if field not in constants}
    found: dict[str, tuple[str, ...]] = {}
    for field in REQUIRED:
        if field in constants or (field == "store" and store_given):
            found[field] = ()
            continue
        columns = _find(field, present, named)
        if not columns:
            raise ColumnMissing(field=field, columns=", ".join(present), instead=_instead(field))
        found[field] = columns
    # A column that the user named wins over a guessed one, whatever its kind of money.
    kinds = [kind for kind in MONEY if kind in named or kind in constants] or list(MONEY)
    amounts = {kind: _find(kind, present, named) for kind in kinds}
    money = next((kind for kind in kinds if amounts[kind] or kind in constants), MONEY[0])
    taken = Columns(
        **found,
        amount=() if money in constants else amounts.get(money, ()),
        money=money,
        unit=_find("unit", present, named),
        constants=constants,
        others={field: others for field in REQUIRED if found[field] and field not in named
                if (others := _others(field, present, found[field]))},
    )  # fmt: skip
    _check_once(present, taken)
    return taken


def _instead(field: str) -> str:
    """Further advice for a field without a column."""
    match field:
        case "store":
            return ", or give --store for a file of one store"
        case "quantity":
            return ", or --column quantity=1 for a file with one row per unit"
        case _:
            return ", or name the columns of a file without a header with --columns NAME,NAME,..."


def _find(field: str, present: Sequence[str], named: Mapping[str, str]) -> tuple[str, ...]:
    if field in named:
        name = named[field]
        # A column whose own name contains the plus wins over two joined ones.
        columns = (name,) if name in present else tuple(name.split(JOINED_BY))
        return tuple(present_column(column, field, present, "--column") for column in columns)
    by_folded = _by_folded(present)
    guessed = next((by_folded[name] for alias in ALIASES[field] if (name := folded(alias)) in by_folded), "")
    # Tills that have a column for each write a date without a time, and a time without a date.
    if field == "sold_at" and folded(guessed) in (DATE, TIME) and {DATE, TIME} <= by_folded.keys():
        return by_folded[DATE], by_folded[TIME]
    return (guessed,) if guessed else ()


def present_column(column: str, field: str, present: Sequence[str], option: str) -> str:
    """A named column as the file spells it: names compare without case, as those of imports do.

    Raises `ColumnUnknown`, with the nearest one that is in the file.
    """
    alike = [it for it in present if it.casefold() == column.strip().casefold()]
    if column in present or len(alike) == 1:
        return column if column in present else alike[0]
    near = nearest(column, present)
    hint = f" (did you mean {near!r}?)" if near else ""
    raise ColumnUnknown(column=column, field=field, columns=", ".join(present), near=hint, option=option)


def _others(field: str, present: Sequence[str], found: tuple[str, ...]) -> tuple[str, ...]:
    """Columns that could have been guessed for a field instead."""
    by_folded = _by_folded(present)
    guesses = (by_folded.get(folded(alias)) for alias in ALIASES[field])
    return tuple(column for column in guesses if column is not None and column not in found)


def _by_folded(present: Sequence[str]) -> dict[str, str]:
    by_folded: dict[str, str] = {}
    for column in present:
        by_folded.setdefault(folded(column), column)
    return by_folded


def _check_once(present: Sequence[str], columns: Columns) -> None:
    for field in (*REQUIRED, "amount", "unit"):
        for column in getattr(columns, field):
            if present.count(column) > 1:
                raise ColumnRepeated(column=column, field=field, count=present.count(column))
