"""Expressions of mappings as functions: the text of a field, or the number in it, from the fields of a row."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.mapping import Expression
from bopis.tables.header import nearest

TABLE_KEYS = ("first_of", "join", "with", "column", "pattern", "constant", "product", "blank", "plus", "minus")


class Fields(Protocol):
    """The fields of a row by name; a name that the row has not is empty."""

    def get(self, name: str, default: str, /) -> str: ...


ReadText = Callable[[Fields], str]
ReadNumber = Callable[[Fields], Decimal]
# Reads the number in a text that is not empty; raises `BadRow`.
ParseNumber = Callable[[str, str], Decimal]


class Names(NamedTuple):
    """Columns that a file must have, and groups of columns of which it must have one."""

    needed: tuple[str, ...]
    alternatives: tuple[tuple[str, ...], ...]

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.needed, *(name for group in self.alternatives for name in group))


class Reader(NamedTuple):
    """How columns are read: the text of a column, for those that need more than their text; and numbers."""

    leaves: Mapping[str, Callable[[str], str]]
    number: ParseNumber


def problems_of(expression: Expression, is_number: bool = False) -> Iterator[str]:
    """Problems of an expression, as ends of a sentence that begins with its name."""
    match expression:
        case str():
            if not expression.strip():
                yield "is empty"
        case list() | tuple():
            if not expression:
                yield "is an empty list"
            for part in expression:
                yield from problems_of(part)
        case dict():
            yield from _table_problems(expression, is_number)
        case _:
            yield f"is {expression!r}; write a column's name, a list to join, or a table such as {{first_of = [...]}}"


def _table_problems(table: dict[str, Any], is_number: bool) -> Iterator[str]:
    for key in table:
        if key not in TABLE_KEYS:
            near = nearest(key, TABLE_KEYS)
            yield f"has the unknown key {key!r}{f' (did you mean {near}?)' if near else ''}"
    kinds = [key for key in ("first_of", "join", "column", "constant", "product", "plus") if key in table]
    if len(kinds) != 1:
        yield "needs exactly one of first_of, join, column, constant, product and plus"
        return
    value, parts = table[kinds[0]], [*table.get("minus", ())]
    match kinds[0]:
        case "column":
            yield from problems_of(value)
            yield from _pattern_problems(table.get("pattern", ""))
        case "constant":
            if not isinstance(value, str):
                yield "has a constant that is no text; write it in quotes"
        case kind:
            if kind in ("product", "plus") and not is_number:
                yield f"has {kind}, which only quantities can have"
            if not isinstance(value, list) or not value:
                yield f"has a {kind} that is no list"
            else:
                parts += value
    for part in parts:
        yield from problems_of(part)


def _pattern_problems(pattern: Any) -> Iterator[str]:
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        yield f"has the pattern {pattern!r}, which is no regular expression: {error}"


def names_in(expression: Expression) -> Names:
    """The columns that an expression reads."""
    match expression:
        case str():
            return Names((expression,), ())
        case list() | tuple():
            return _together(map(names_in, expression))
        case {"first_of": parts}:
            return Names((), (tuple(name for part in parts for name in names_in(part).all),))
        case {"column": column}:
            return names_in(column)
        case {"join": parts} | {"product": parts}:
            return _together(map(names_in, parts))
        case {"plus": parts}:
            return _together(map(names_in, [*parts, *expression.get("minus", ())]))
        case _:
            return Names((), ())


def _together(found: Iterator[Names]) -> Names:
    names = list(found)
    return Names(
        tuple(name for it in names for name in it.needed),
        tuple(group for it in names for group in it.alternatives),
    )


def text_reader(expression: Expression, reader: Reader) -> ReadText:
    """A function that returns the text of an expression, without blanks around it."""
    match expression:
        case str():
            leaf = reader.leaves.get(expression)
            if leaf is None:
                return lambda fields: fields.get(expression, "").strip()
            return lambda fields: leaf(fields.get(expression, "").strip())
        case list() | tuple():
            return _joined([text_reader(part, reader) for part in expression], " ")
        case {"join": parts}:
            return _joined([text_reader(part, reader) for part in parts], expression.get("with", " "))
        case {"first_of": parts}:
            readers = [text_reader(part, reader) for part in parts]
            return lambda fields: next((text for read in readers if (text := read(fields))), "")
        case {"column": column, "pattern": pattern}:
            return _searched(text_reader(column, reader), re.compile(pattern))
        case {"column": column}:
            return text_reader(column, reader)
        case {"constant": constant}:
            return lambda _: constant
    raise TypeError(expression)


def _joined(readers: Sequence[ReadText], separator: str) -> ReadText:
    if len(readers) == 1:
        return readers[0]
    return lambda fields: separator.join(read(fields) for read in readers).strip()


def _searched(read: ReadText, pattern: re.Pattern[str]) -> ReadText:
    def search(fields: Fields) -> str:
        found = pattern.search(read(fields))
        if found is None:
            return ""
        return (found[1] if pattern.groups else found[0]) or ""

    return search


def number_reader(expression: Expression, field: str, reader: Reader) -> ReadNumber:
    """A function that returns the number of an expression. It raises `BadRow` for a text that is not one."""
    match expression:
        case {"product": parts}:
            factors = [_term(part, field, reader, expression.get("blank")) for part in parts]
            return lambda fields: _product(read(fields) for read in factors)
        case {"plus": parts}:
            plus = [_term(part, field, reader, "0") for part in parts]
            minus = [_term(part, field, reader, "0") for part in expression.get("minus", ())]
            return lambda fields: (
                sum((read(fields) for read in plus), Decimal()) - sum((read(fields) for read in minus), Decimal())
            )
    read = text_reader(expression, reader)
    return lambda fields: _number(read(fields), field, reader)


def _term(expression: Expression, field: str, reader: Reader, blank: str | None) -> ReadNumber:
    read = text_reader(expression, reader)
    return lambda fields: _number(read(fields) or (blank or ""), field, reader)


def _number(text: str, field: str, reader: Reader) -> Decimal:
    if not text:
        raise BadRow(f"no {field}")
    return reader.number(text, field)


def _product(factors: Iterator[Decimal]) -> Decimal:
    found = Decimal(1)
    for factor in factors:
        found *= factor
    return found
