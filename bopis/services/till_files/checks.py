"""Checks of a mapping beyond its types: every problem at once, each as a sentence with its remedy."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, time
from decimal import Decimal, InvalidOperation

from bopis.domain.values import STORE_LENGTH_MAX
from bopis.services.till_files.codes import store_code
from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.expressions import problems_of
from bopis.services.till_files.mapping import CarryDown, Kind, Mapping
from bopis.services.till_files.numbers import NEGATIVE_FORMS
from bopis.services.till_files.rules import test_problems
from bopis.services.till_files.times import NAMED_FORMS, has_hours, zone_of
from bopis.tables.header import nearest

FIELDS = ("store", "basket", "sku", "quantity", "sold_at", "unit", "zone", "device", "sequence")
REQUIRED = ("basket", "sku", "quantity", "sold_at")
# Fields that a format has by itself.
GIVEN = {
    Kind.POSLOG: ("basket", "quantity", "sold_at"),
    Kind.DSFINVK: ("basket", "sku", "quantity", "sold_at"),
    Kind.SLSRPT: ("basket", "sku", "quantity", "sold_at"),
}
WITH_STORE = (Kind.POSLOG, Kind.SLSRPT)
FACTOR_MAX = 1_000_000
NO_RETURNS = "[returns] is missing: state the condition"
PATTERNED = ("store", "basket", "sku")
FORM_CHECK = datetime(2026, 10, 25, 14, 30, 15)


def problems_in(mapping: Mapping) -> Iterator[str]:
    """Every problem of a mapping."""
    yield from _columns(mapping)
    yield from _store(mapping)
    yield from _times(mapping)
    yield from _numbers(mapping)
    yield from _rules(mapping)
    yield from _kind(mapping)
    if mapping.carry_down is not None:
        yield from _carry_down(mapping.carry_down)
    for field, pattern in mapping.patterns.items():
        if field not in PATTERNED:
            yield f"patterns.{field} is unknown; patterns are of {', '.join(PATTERNED)}"
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"patterns.{field} {pattern!r} is no regular expression: {error}"


def _columns(mapping: Mapping) -> Iterator[str]:
    for field, expression in mapping.columns.items():
        if field not in FIELDS:
            near = nearest(field, FIELDS)
            hint = f"did you mean {near}?" if near else f"fields are {', '.join(FIELDS)}"
            yield f"columns.{field} is unknown ({hint})"
            continue
        for problem in problems_of(expression, field == "quantity"):
            yield f"columns.{field} {problem}"
    given = GIVEN.get(mapping.kind, ())
    for field in REQUIRED:
        if field not in mapping.columns and field not in given:
            yield f"columns.{field} is missing; name the column of the {field}"
    if mapping.gtin is not None and not mapping.gtin.columns:
        yield "gtin.columns is empty; name the columns that have GTINs"
    if "device" in mapping.basket_key and "device" not in mapping.columns:
        yield "basket_key has the device, so columns.device is needed"
    if "basket" not in mapping.basket_key:
        yield "basket_key needs at least the basket"
    if ("sequence" in mapping.columns) != ("device" in mapping.columns) and "device" not in mapping.basket_key:
        yield "columns.sequence and columns.device belong together; name both"


def _store(mapping: Mapping) -> Iterator[str]:
    has_column = "store" in mapping.columns or mapping.kind in WITH_STORE
    if not mapping.store and not has_column:
        yield 'no store is stated; name columns.store, or give store = "ID" for files of one store'
    if mapping.store and "store" in mapping.columns:
        yield "store and columns.store exclude each other; remove one of them"
    for store in (*mapping.stores.values(), *([mapping.store] if mapping.store else [])):
        try:
            store_code(store)
        except BadRow as error:
            yield f"{error} (at most {STORE_LENGTH_MAX} characters)"


def _times(mapping: Mapping) -> Iterator[str]:
    stated = mapping.time
    for name in (stated.zone, *stated.zones.values(), *stated.store_zones.values()):
        try:
            zone_of(name or "UTC")
        except ValueError as error:
            yield f"time: {error}"
    if not stated.formats:
        yield 'time.formats is empty; write for example ["%Y-%m-%d %H:%M:%S"] or ["iso"]'
    for form in stated.formats:
        yield from _form_problems(form, bool(stated.time_of_day), mapping.kind)
    if ("zone" in mapping.columns) != bool(stated.zones):
        yield "columns.zone and time.zones belong together: the column, and the zone of each of its words"
    try:
        time.fromisoformat(stated.time_of_day or "00:00")
    except ValueError:
        yield f"time.time_of_day {stated.time_of_day!r} is no time; write for example 23:59:59"


def _form_problems(form: str, has_time_of_day: bool, kind: Kind) -> Iterator[str]:
    if form in NAMED_FORMS:
        return
    if "%" not in form:
        near = nearest(form, NAMED_FORMS)
        hint = f" (did you mean {near}?)" if near else ""
        yield f"time.formats {form!r} is unknown{hint}; write strptime codes or {', '.join(NAMED_FORMS)}"
        return
    if "%Z" in form:
        yield f"time.formats {form!r}: abbreviations such as EST are not unique; write the letters and state the zone"
        return
    try:
        written = FORM_CHECK.strftime(form)
        datetime.strptime(written.replace("%z", ""), form.replace("%z", ""))
    except ValueError as error:
        yield f"time.formats {form!r} cannot be read: {error}"
        return
    if not has_hours(form) and not has_time_of_day and kind is not Kind.SLSRPT:
        yield f"time.formats {form!r} has no hour; state time.time_of_day, at which a day is booked"


def _numbers(mapping: Mapping) -> Iterator[str]:
    stated = mapping.numbers
    if stated.decimal and stated.decimal == stated.thousands:
        yield f"numbers.decimal and numbers.thousands are both {stated.decimal!r}"
    for form in stated.negative:
        if form not in NEGATIVE_FORMS:
            yield f"numbers.negative {form!r} is unknown; forms of minus one are {', '.join(NEGATIVE_FORMS)}"
    for place, factors in (("units.words", mapping.units.words), ("units.skus", mapping.units.skus)):
        for name, factor in factors.items():
            if not _is_factor(factor):
                yield f'{place} {name!r} = {factor!r} is no factor; write 1000, or "0.001" in quotes'
    for word, number in stated.words.items():
        if not _is_factor(number, zero=True):
            yield f"numbers.words {word!r} = {number!r} is no number"


def _is_factor(factor: int | str, zero: bool = False) -> bool:
    try:
        value = Decimal(factor)
    except (InvalidOperation, ValueError):
        return False
    return value.is_finite() and (0 < value <= FACTOR_MAX or (zero and value == 0))


def _rules(mapping: Mapping) -> Iterator[str]:
    for place, stated in (("not_stock", mapping.not_stock), ("warn", mapping.warn)):
        for number, rule in enumerate(stated, start=1):
            yield from (f"{place}[{number}] {problem}" for problem in test_problems(rule))
            if rule.column is not None:
                yield from (f"{place}[{number}].column {problem}" for problem in problems_of(rule.column))
    yield from _word_problems((f"words[{n}]", it.column, it.known) for n, it in enumerate(mapping.words, start=1))
    way = mapping.direction
    for number, test in enumerate(way.in_when, start=1):
        yield from (f"direction.in_when[{number}] {problem}" for problem in test_problems(test))
    if way.column is None and (way.out or way.in_ or way.void):
        yield "direction has words without a column"
    if way.column is not None:
        yield from _word_problems([("direction", way.column, (*way.out, *way.in_, *way.void))])
        for word, count in Counter((*way.out, *way.in_, *way.void)).items():
            if count > 1:
                yield f"direction has {word!r} {count} times"
    returns = mapping.returns
    if returns is None and (way.in_ or way.in_when):
        yield f"{NO_RETURNS} of returned goods, sellable, damaged or quarantine; only sellable ones return to the shelf"
    if returns is not None and returns.condition is None and returns.column is None:
        yield "[returns] needs a condition, or a column and words"


def _word_problems(stated: Iterable[tuple[str, object, tuple[str, ...]]]) -> Iterator[str]:
    for place, column, known in stated:
        yield from (f"{place}.column {problem}" for problem in problems_of(column))
        if not known:
            yield f"{place} has no words"


def _carry_down(stated: CarryDown) -> Iterator[str]:
    if bool(stated.while_same) == bool(stated.while_blank):
        yield "carry_down needs while_same or while_blank: how a further row of an order is recognised"
    if not stated.columns:
        yield "carry_down.columns is empty; name the columns that only the first row of an order has"


def _kind(mapping: Mapping) -> Iterator[str]:
    layout = mapping.layout
    try:
        "".encode(layout.encoding or "utf-8")
    except (LookupError, ValueError):
        yield f"layout.encoding {layout.encoding!r} is unknown; write for example utf-8, utf-16 or windows-1252"
    if len(layout.delimiter) > 1:
        yield f"layout.delimiter {layout.delimiter!r} is more than one character"
    if layout.header_at < 0 or not 1 <= layout.header_lines <= 5:
        yield "layout.header_at counts from 1, and header_lines is 1 to 5"
    for place, pattern in (
        *((f"titles.{name}", it) for name, it in layout.titles.items()),
        ("file_name", layout.file_name),
    ):
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"layout.{place} {pattern!r} is no regular expression: {error}"
    if mapping.rows is not None and (layout.names or layout.header_at):
        yield "rows names the columns of each type of row, so layout.names and layout.header_at do not fit"
    if mapping.kind is Kind.POSLOG and mapping.returns is None:
        yield f"{NO_RETURNS} of the goods in elements Return, sellable, damaged or quarantine"
    if mapping.kind is Kind.SLSRPT and not mapping.time.time_of_day:
        yield "time.time_of_day is missing: a sales report has only days; state the time at which a day is booked"
    if mapping.items is not None:
        try:
            if not re.compile(mapping.items.pattern).groupindex:
                yield "items.pattern has no named groups such as (?P<sku>...)"
        except re.error as error:
            yield f"items.pattern is no regular expression: {error}"
