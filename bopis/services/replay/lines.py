"""Rows of an export as lines of till baskets."""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from bopis.domain.values import (
    AMOUNT_CENTS_MAX,
    ID_LENGTH_MAX,
    QUANTITY_MAX,
    SKU_LENGTH_MAX,
)
from bopis.services.replay.columns import REQUIRED, Columns
from bopis.services.replay.errors import OptionInvalid
from bopis.services.replay.rules import ReadingRules, scale_reader
from bopis.services.replay.times import TimeReader
from bopis.services.till_files.codes import code, store_code, unrounded
from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.numbers import bounded, decimal_in
from bopis.tables.rows import TableRow

CENTS = 100
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


class TillLine(NamedTuple):
    """One line of a basket in the export. `day` is the date in the till's own time zone, as an ordinal."""

    number: int
    store: str
    basket: str
    day: int
    at_ms: int
    sku: str
    quantity: int
    amount_cents: int


class LineReader:
    """Parses rows into till lines. The store comes from its column, or is given for the whole file."""

    def __init__(
        self, columns: Columns, times: TimeReader, store: str | None, rules: ReadingRules = ReadingRules()
    ) -> None:
        self._store = None if columns.store else _given_store(store or "")
        self._times = times
        self._columns = columns
        self._rules = rules
        self._scale = scale_reader(columns, rules.scales)
        self._used = frozenset(column for field in (*REQUIRED, "amount", "unit") for column in getattr(columns, field))
        self._store_field = _field(columns.store)
        self._basket_field = _field(columns.basket)
        self._sku_field = _field(columns.sku)
        self._quantity_field = _field(columns.quantity, columns.constants.get("quantity"))
        self._sold_at_field = _field(columns.sold_at)
        self._amount_field = _field(columns.amount, columns.constants.get(columns.money))

    def read(self, row: TableRow) -> TillLine | None:
        """The till line in a row, None if the row is no sale by the rules. Raises `BadRow` with the cause."""
        if row.cause:
            raise BadRow(row.cause)
        fields = row.fields
        if not self._rules.is_sale(fields):
            return None
        if row.nested and not self._used.isdisjoint(row.nested):
            raise BadRow(f"{', '.join(row.nested)} is a list or an object")
        store = self._store or store_code(self._store_field(fields))
        sku = unrounded("sku", code("sku", self._sku_field(fields), SKU_LENGTH_MAX))
        quantity = self._quantity(fields, sku)
        when = self._times.read(store, self._sold_at_field(fields))
        return TillLine(
            row.line,
            store,
            code("basket", self._basket_field(fields), ID_LENGTH_MAX),
            when.day,
            when.at_ms,
            sku,
            quantity,
            self._amount(self._amount_field(fields), quantity) if self._has_amount else 0,
        )

    @property
    def _has_amount(self) -> bool:
        return bool(self._columns.amount) or self._columns.money in self._columns.constants

    def _quantity(self, fields: dict[str, str], sku: str) -> int:
        units = _whole(self._quantity_field(fields), "quantity", self._scale(fields, sku), self._rules.decimal_mark)
        # Some tills write a return with a minus and some without.
        return -abs(units) if self._rules.is_return(fields) else units

    def _amount(self, text: str, quantity: int) -> int:
        if not text:
            return 0
        mark = self._rules.decimal_mark
        if self._columns.money == "amount_cents":
            cents = Decimal(_whole(text, "amount", decimal_mark=mark))
        elif self._columns.money == "amount":
            cents = _decimal(text, "amount", mark) * CENTS
        else:
            cents = _decimal(text, "price", mark) * CENTS * quantity
        amount = int(cents.to_integral_value(ROUND_HALF_EVEN))
        if abs(amount) > AMOUNT_CENTS_MAX:
            raise BadRow(f"amount {text!r} is beyond {AMOUNT_CENTS_MAX} cents")
        return amount


def _field(columns: tuple[str, ...], constant: str | None = None) -> Callable[[dict[str, str]], str]:
    """A function that returns a field's text from a row; a column that an NDJSON row lacks is empty."""
    if constant is not None:
        return lambda _: constant
    if len(columns) == 1:
        (column,) = columns
        return lambda fields: fields.get(column, "").strip()
    return lambda fields: " ".join(fields.get(column, "").strip() for column in columns)


def _given_store(text: str) -> str:
    try:
        return store_code(text)
    except BadRow as error:
        raise OptionInvalid(option="--store", value=text, cause=error) from None


def _whole(text: str, field: str = "quantity", scale: int = 1, decimal_mark: str = "") -> int:
    # Nearly every quantity is a plain integer, and Decimal is several times slower.
    if _INTEGER.fullmatch(text):
        number = int(text) * scale
    else:
        value = _decimal(text, field, decimal_mark) * scale
        if value != value.to_integral_value():
            scaled = f"times {scale} " if scale > 1 else ""
            raise BadRow(f"{field} {text!r} {scaled}is not a whole number; count in a smaller unit, with --scale")
        number = int(value)
    if field == "quantity" and abs(number) > QUANTITY_MAX:
        raise BadRow(f"quantity {text!r} is beyond {QUANTITY_MAX}")
    return number


def _decimal(text: str, field: str, decimal_mark: str) -> Decimal:
    return bounded(decimal_in(text, field, decimal_mark), text, field)
