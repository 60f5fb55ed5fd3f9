"""A row of an export as a line of a till's basket, or why it cannot be one."""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import NamedTuple

from bopis.domain.values import (
    AMOUNT_CENTS_MAX,
    ID_LENGTH_MAX,
    QUANTITY_MAX,
    SKU_LENGTH_MAX,
    STORE_LENGTH_MAX,
)
from bopis.services.replay.columns import Columns
from bopis.services.replay.errors import BadRow, OptionBroken
from bopis.services.replay.rows import Row
from bopis.services.replay.times import TimeReader

CENTS = 100
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]{1,2}")  # "1,000" could be either, and is refused


class TillLine(NamedTuple):
    """One line of a basket as the export has it. ``day`` is the one written there, in the till's own zone."""

    number: int
    store: str
    basket: str
    day: int
    at_ms: int
    sku: str
    quantity: int
    amount_cents: int


class LineReader:
    """Turns rows into till lines. The store is that of the column, or the one given for the whole file."""

    def __init__(self, columns: Columns, times: TimeReader, store: str | None) -> None:
        self._store = None if columns.store else _given_store(store or "")
        self._times = times
        self._columns = columns
        self._store_field = _field(columns.store)
        self._basket_field = _field(columns.basket)
        self._sku_field = _field(columns.sku)
        self._quantity_field = _field(columns.quantity)
        self._sold_at_field = _field(columns.sold_at)
        self._amount_field = _field(columns.amount)

    def read(self, row: Row) -> TillLine:
        """The till line in a row. Raises `BadRow`, whose message is the cause."""
        if row.cause:
            raise BadRow(row.cause)
        fields = row.fields
        store = self._store or _store_code(self._store_field(fields))
        quantity = _whole(self._quantity_field(fields))
        when = self._times.read(store, self._sold_at_field(fields))
        return TillLine(
            row.line,
            store,
            _code("basket", self._basket_field(fields), ID_LENGTH_MAX),
            when.day,
            when.at_ms,
            _code("sku", self._sku_field(fields), SKU_LENGTH_MAX),
            quantity,
            self._amount(self._amount_field(fields), quantity) if self._columns.amount else 0,
        )

    def _amount(self, text: str, quantity: int) -> int:
        if not text:
            return 0
        if self._columns.money == "amount_cents":
            cents = Decimal(_whole(text, "amount"))
        elif self._columns.money == "amount":
            cents = _decimal(text, "amount") * CENTS
        else:
            cents = _decimal(text, "price") * CENTS * quantity
        amount = int(cents.to_integral_value(ROUND_HALF_EVEN))
        if abs(amount) > AMOUNT_CENTS_MAX:
            raise BadRow(f"amount {text!r} is beyond {AMOUNT_CENTS_MAX} cents")
        return amount


def _field(columns: tuple[str, ...]) -> Callable[[dict[str, str]], str]:
    """What a field's columns hold in a row; a NDJSON row may lack one, which then is empty."""
    if len(columns) == 1:
        (column,) = columns
        return lambda fields: fields.get(column, "").strip()
    return lambda fields: " ".join(fields.get(column, "").strip() for column in columns)


def _given_store(text: str) -> str:
    try:
        return _store_code(text)
    except BadRow as error:
        raise OptionBroken(option="--store", value=text, cause=error) from None


def _store_code(text: str) -> str:
    store = _code("store", text, STORE_LENGTH_MAX)
    if "|" in store or store[0] == "@":
        raise BadRow(f"store {store!r} may not contain '|' nor start with '@'")
    return store


def _code(field: str, text: str, length_max: int) -> str:
    if not text:
        raise BadRow(f"no {field}")
    if len(text) > length_max:
        raise BadRow(f"{field} is longer than {length_max} characters")
    if not text.isprintable():
        raise BadRow(f"{field} {text!r} has characters that cannot be printed; check --encoding")
    return text


def _whole(text: str, field: str = "quantity") -> int:
    if _INTEGER.fullmatch(text):
        number = int(text)
    else:
        value = _decimal(text, field)
        if value != value.to_integral_value():
            raise BadRow(f"{field} {text!r} is not a whole number; count in a smaller unit")
        number = int(value)
    if field == "quantity" and abs(number) > QUANTITY_MAX:
        raise BadRow(f"quantity {text!r} is beyond {QUANTITY_MAX}")
    return number


def _decimal(text: str, field: str) -> Decimal:
    if not text:
        raise BadRow(f"no {field}")
    plain = text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text
    try:
        value = Decimal(plain) if "_" not in plain else Decimal("NaN")
    except InvalidOperation:
        raise BadRow(f"{field} {text!r} is not a number") from None
    if not value.is_finite() or value.adjusted() > len(str(AMOUNT_CENTS_MAX)):
        raise BadRow(f"{field} {text!r} is not a number that can be booked")
    return value
