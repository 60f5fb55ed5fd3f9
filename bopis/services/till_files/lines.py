"""Records of a till file as lines of baskets, by the rules of a mapping. One reader for every format."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from bopis.domain.inventory.messages import Condition
from bopis.domain.values import ID_LENGTH_MAX, SEQUENCE_MAX, SKU_LENGTH_MAX
from bopis.services.till_files.codes import Shapes, Spelling, code, gtin_reader, store_code, unrounded
from bopis.services.till_files.defaults import columns_of
from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.expressions import Fields, Reader, ReadText, names_in, number_reader, text_reader
from bopis.services.till_files.facts import Head, Item, Line, NotStock, Record, Rejected, Warned
from bopis.services.till_files.mapping import Expression, Mapping, Rule, VoidReading
from bopis.services.till_files.numbers import number_parser, whole_units
from bopis.services.till_files.rules import (
    IN,
    VOID,
    NamedRule,
    condition_reader,
    direction_reader,
    first_reason,
    known_words,
    rules,
)
from bopis.services.till_files.times import ClockReader

TEXT_CHARACTERS_MAX = 2_000
EACH = "each"

# Whether a column belongs to the lines of a record rather than to the record.
IsOfItem = Callable[[str], bool]


class LineReader:
    """Reads records. `is_of_item` tells which columns are those of a line; where a record is one row, all are."""

    def __init__(self, mapping: Mapping, is_of_item: IsOfItem | None = None, spelling: Spelling | None = None) -> None:
        gtin = gtin_reader(mapping.gtin, spelling) if mapping.gtin else None
        leaves = dict.fromkeys(mapping.gtin.columns, gtin) if mapping.gtin and gtin else {}
        self._mapping = mapping
        self._reader = Reader(leaves, number_parser(mapping.numbers))
        self._is_of_item = is_of_item or (lambda _: False)
        self._columns = columns_of(mapping)
        self._shapes = Shapes(mapping.patterns)
        self._clock = ClockReader(mapping.time)
        self._record_rules = self._rules(mapping.not_stock, of_item=False)
        self._item_rules = self._rules(mapping.not_stock, of_item=True)
        self._check_record = known_words((it for it in mapping.words if not self._for_item(it.column)), self._reader)
        self._check_item = known_words((it for it in mapping.words if self._for_item(it.column)), self._reader)
        self._record_warnings = self._rules(mapping.warn, of_item=False)
        self._item_warnings = self._rules(mapping.warn, of_item=True)
        self._direction = direction_reader(mapping.direction, self._reader)
        self._directs_items = any(map(self._for_item, _direction_columns(mapping)))
        self._condition = condition_reader(mapping.returns, self._reader)
        self._store, self._basket, self._sku = self._text("store"), self._text("basket"), self._text("sku")
        self._sold_at, self._zone, self._unit = self._text("sold_at"), self._text("zone"), self._text("unit")
        self._device, self._sequence = self._text("device"), self._text("sequence")
        self._quantity = number_reader(self._columns["quantity"], "quantity", self._reader)
        self._quantity_text = text_reader(_first_text(self._columns["quantity"]), self._reader)
        self._factors = {word: Decimal(factor) for word, factor in mapping.units.words.items()}
        self._sku_factors = {sku: Decimal(factor) for sku, factor in mapping.units.skus.items()}

    def read(self, record: Record) -> Iterator[Line | NotStock | Rejected | Warned]:
        """The facts of one record, at least one."""
        try:
            # Rules come first, but of a row that cannot be read nothing is known.
            if record.cause and not record.fields:
                raise BadRow(record.cause)
            why = record.why or first_reason(self._record_rules, record.fields)
            if why:
                yield NotStock(record.line, why, self._head_or_none(record.fields))
                return
            if record.cause:
                raise BadRow(record.cause)
            self._check_record(record.fields)
            head = self._head(record.fields)
            direction = "" if self._directs_items else self._direction(record.fields)
            for rule in self._record_warnings:
                if rule.fits(record.fields):
                    yield Warned(record.line, rule.why)
        except BadRow as bad:
            yield Rejected(record.line, str(bad), _shown(record.text), self._head_or_none(record.fields))
            return
        if not record.items and not record.is_row:
            yield NotStock(record.line, "no-goods", head)
        for item in record.items or ((Item(record.line, record.fields),) if record.is_row else ()):
            yield from self._item(item, head, direction, record.text)

    def number_of(self, fields: Fields) -> tuple[str, int] | None:
        """The device and sequence of a record, also of one that is no stock; None if it has none."""
        if "sequence" not in self._columns:
            return None
        try:
            return self._device(fields), self._sequence_number(fields)
        except BadRow:
            return None

    def _item(self, item: Item, head: Head, direction: str, text: str) -> Iterator[Line | NotStock | Rejected | Warned]:
        try:
            why = first_reason(self._item_rules, item.fields) or item.why
            if why:
                yield NotStock(item.line, why, head)
                return
            if item.cause:
                raise BadRow(item.cause)
            self._check_item(item.fields)
            if self._directs_items:
                direction = self._direction(item.fields)
            line = self._line(item, head, item.direction or direction)
            for rule in self._item_warnings:
                if rule.fits(item.fields):
                    yield Warned(item.line, rule.why)
            yield line
        except BadRow as bad:
            yield Rejected(item.line, str(bad), _shown(text), head)

    def _line(self, item: Item, head: Head, direction: str) -> Line:
        fields = item.fields
        sku = unrounded("sku", code("sku", self._shapes.check("sku", self._sku(fields)), SKU_LENGTH_MAX))
        self._choose_quantity(fields, sku)
        units = whole_units(self._quantity(fields), self._factor(fields, sku), self._quantity_text(fields))
        if item.is_voided:
            units = self._voided(units, direction)
        elif direction in (IN, VOID):
            units = -abs(units)
        came_back = direction == IN or (not direction and units < 0)
        condition: Condition | None = self._condition(fields) if came_back else None
        return Line(item.line, head, sku, units, condition)

    def _voided(self, units: int, direction: str) -> int:
        """Units of a line that takes another one back."""
        if self._mapping.poslog.void is VoidReading.SIGNED:
            return -units if direction == IN else units
        return abs(units) if direction == IN else -abs(units)

    def _choose_quantity(self, fields: Fields, sku: str) -> None:
        """Take the quantity in the unit of the SKU, where a line has several."""
        units = self._mapping.units
        if units.measured_by and hasattr(fields, "measure"):
            kept = units.kept_in.get(sku, EACH)
            fields.measure(units.measured_by.get(kept, ()), kept)

    def _factor(self, fields: Fields, sku: str) -> Decimal:
        if "unit" not in self._columns:
            return self._sku_factors.get(sku, Decimal(1))
        unit = self._unit(fields)
        factor = self._factors.get(unit)
        if factor is None and not unit:
            factor = self._sku_factors.get(sku)
        if factor is None:
            raise BadRow(f"unit {unit!r} has no scale; add it to units.words in the mapping")
        return factor

    def _head(self, fields: Fields) -> Head:
        mapping = self._mapping
        written = mapping.store or self._store(fields)
        store = written if mapping.store else self._known_store(written)
        basket = unrounded("basket", self._shapes.check("basket", self._basket(fields)))
        basket = code("basket", basket, ID_LENGTH_MAX)
        when = self._clock.read(self._sold_at(fields), self._zone(fields) if "zone" in self._columns else None, store)
        device = self._device(fields) if "device" in self._columns else ""
        sequence = self._sequence_number(fields) if "sequence" in self._columns else 0
        parts = {"store": store, "basket": basket, "day": str(when.day), "device": device}
        key = msgspec.json.encode([parts[part] for part in mapping.basket_key]).decode()
        return Head(store, basket, when.at_ms, when.day, key, device, sequence)

    def _head_or_none(self, fields: Fields) -> Head | None:
        try:
            return self._head(fields)
        except BadRow:
            return None

    def _known_store(self, written: str) -> str:
        if self._mapping.stores:
            if written not in self._mapping.stores:
                raise BadRow(
                    f"store {written!r} is not known; add it to stores in the mapping" if written else "no store"
                )
            return self._mapping.stores[written]
        return store_code(self._shapes.check("store", written))

    def _sequence_number(self, fields: Fields) -> int:
        text = self._sequence(fields)
        if not (text.isascii() and text.isdigit() and len(text) < 17 and 1 <= int(text) <= SEQUENCE_MAX):
            raise BadRow(f"sequence {text!r} is no number from 1 on")
        return int(text)

    def _text(self, field: str) -> ReadText:
        return text_reader(self._columns.get(field, {"constant": ""}), self._reader)

    def _for_item(self, column: Expression) -> bool:
        return any(map(self._is_of_item, names_in(column).all))

    def _rules(self, stated: tuple[Rule, ...], *, of_item: bool) -> tuple[NamedRule, ...]:
        return rules((it for it in stated if self._for_item(it.column) is of_item), self._reader)


def _shown(text: str) -> str:
    """The text of a row as it can be stored: bytes that are no characters of the file's encoding are escaped."""
    return text[:TEXT_CHARACTERS_MAX].encode("utf-8", "backslashreplace").decode()


def _direction_columns(mapping: Mapping) -> Iterator[Expression]:
    stated = mapping.direction
    if stated.column is not None:
        yield stated.column
    yield from (test.column for test in stated.in_when if test.column is not None)


def _first_text(quantity: Expression) -> Expression:
    """The text that errors show for a quantity: of a product or a sum its first part."""
    if isinstance(quantity, dict):
        return next((quantity[key][0] for key in ("product", "plus") if key in quantity), quantity)
    return quantity
