"""Rules of mappings as functions of the fields of a row: no stock, warnings, known words, direction, condition."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from bopis.domain.inventory.messages import Condition
from bopis.services.till_files.errors import BadRow
from bopis.services.till_files.expressions import Fields, Reader, ReadText, text_reader
from bopis.services.till_files.mapping import Direction, Expression, Returns, RowTest, Rule, Words

OUT, IN, VOID = "out", "in", "void"
TRUE, FALSE = ("true", "1"), ("", "false", "0")
NEEDS_COLUMN = (
    "in_",
    "not_in",
    "blank",
    "not_blank",
    "starts_with",
    "ends_with",
    "contains",
    "matches",
    "is_true",
    "negative",
)

Fits = Callable[[Fields], bool]


class NamedRule(NamedTuple):
    """A rule and the reason it gives."""

    fits: Fits
    why: str


def test_problems(test: RowTest) -> Iterator[str]:
    """Problems of a test, as ends of a sentence."""
    is_row = bool(test.row or test.row_starts_with)
    comparisons = [name for name in NEEDS_COLUMN if getattr(test, name)]
    if is_row == (test.column is not None):
        yield 'needs a column, or row = "header", or row_starts_with'
    if test.column is not None and not comparisons:
        yield "compares its column with nothing; write in, not_in, blank, starts_with, matches ..."
    if is_row and comparisons:
        yield f"has {comparisons[0].rstrip('_')} without a column"
    try:
        re.compile(test.matches)
    except re.error as error:
        yield f"has the pattern {test.matches!r}, which is no regular expression: {error}"
    for other in test.and_:
        yield from test_problems(other)


def columns_of(test: RowTest) -> Iterator[Expression]:
    """The expressions of the columns that a test needs."""
    if test.column is not None and not test.optional:
        yield test.column
    for other in test.and_:
        yield from columns_of(other)


def rules(stated: Iterable[Rule], reader: Reader) -> tuple[NamedRule, ...]:
    """Rules about columns, in their order."""
    return tuple(NamedRule(fits(it, reader), it.why) for it in stated if it.column is not None)


def first_reason(named: Sequence[NamedRule], fields: Fields) -> str:
    """The reason of the first rule that fits; empty if none does. Raises `BadRow`."""
    for rule in named:
        if rule.fits(fields):
            return rule.why
    return ""


def row_reason(stated: Iterable[Rule], values: Sequence[str], header: Sequence[str]) -> str:
    """The reason of the first rule about whole rows that fits the cells of a row; empty if none does."""
    cells = [value.strip() for value in values]
    for rule in stated:
        if rule.row and cells == list(header[: len(cells)]):
            return rule.why
        first = next((cell for cell in cells if cell), "")
        if rule.row_starts_with and first.startswith(rule.row_starts_with):
            return rule.why
    return ""


def fits(test: RowTest, reader: Reader) -> Fits:
    """A function that returns whether a test about columns fits a row. It raises `BadRow` for an unknown text."""
    read = text_reader(test.column, reader)
    comparisons = list(_comparisons(test, reader))
    others = [fits(other, reader) for other in test.and_]
    fold = str.casefold if test.ignore_case else str

    def is_fit(fields: Fields) -> bool:
        text = fold(read(fields))
        return any(compare(text) for compare in comparisons) and all(other(fields) for other in others)

    return is_fit


def _comparisons(test: RowTest, reader: Reader) -> Iterator[Callable[[str], bool]]:
    fold = str.casefold if test.ignore_case else str
    if test.in_:
        words = frozenset(map(fold, test.in_))
        yield lambda text: text in words
    if test.not_in:
        others = frozenset(map(fold, test.not_in))
        yield lambda text: text not in others
    if test.blank:
        yield lambda text: not text
    if test.not_blank:
        yield lambda text: bool(text)
    if test.starts_with:
        yield lambda text: text.startswith(fold(test.starts_with))
    if test.ends_with:
        yield lambda text: text.endswith(fold(test.ends_with))
    if test.contains:
        yield lambda text: fold(test.contains) in text
    if test.matches:
        pattern = re.compile(test.matches, re.IGNORECASE if test.ignore_case else 0)
        yield lambda text: pattern.fullmatch(text) is not None
    if test.is_true:
        yield lambda text: is_true(text, str(test.column))
    if test.negative:
        yield lambda text: bool(text) and reader.number(text, str(test.column)) < 0


def is_true(text: str, name: str) -> bool:
    """The meaning of a flag as XML Schema defines it. Raises `BadRow` for another word."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise BadRow(f"{name} {text!r} is not known; it is true, 1, false or 0")


def known_words(stated: Iterable[Words], reader: Reader) -> Callable[[Fields], None]:
    """A function that raises `BadRow` for a word that the mapping does not name."""
    columns = [(text_reader(it.column, reader), it.column, frozenset(it.known)) for it in stated]

    def check(fields: Fields) -> None:
        for read, name, known in columns:
            text = read(fields)
            if text not in known:
                raise unknown_word(name, text, "words, not_stock")

    return check


def direction_reader(stated: Direction, reader: Reader) -> ReadText:
    """A function that returns the direction of a row: out, in, void, or empty where the quantity's sign decides."""
    tests = [fits(it, reader) for it in stated.in_when]
    if stated.column is None:
        if not tests:
            return lambda _: ""
        return lambda fields: IN if any(test(fields) for test in tests) else OUT
    read = text_reader(stated.column, reader)
    words = dict.fromkeys(stated.out, OUT) | dict.fromkeys(stated.in_, IN) | dict.fromkeys(stated.void, VOID)

    def direction(fields: Fields) -> str:
        if any(test(fields) for test in tests):
            return IN
        text = read(fields)
        if text not in words:
            raise unknown_word(stated.column, text, "direction")
        return words[text]

    return direction


def condition_reader(stated: Returns | None, reader: Reader) -> Callable[[Fields], Condition]:
    """A function that returns the condition of returned goods. It raises `BadRow` where the mapping states none."""
    if stated is None:
        return _no_condition
    general = stated.condition
    if stated.column is None:
        return lambda _: general or _no_condition(_)
    read = text_reader(stated.column, reader)

    def condition(fields: Fields) -> Condition:
        found = stated.words.get(read(fields), general)
        if found is None:
            raise unknown_word(stated.column, read(fields), "returns.words")
        return found

    return condition


def unknown_word(name: Expression, text: str, place: str) -> BadRow:
    """The error of a word that a deciding column may not have."""
    shown = name if isinstance(name, str) else str(name)
    return BadRow(f"{shown} {text!r} is not known; add it to {place} in the mapping")


def _no_condition(_: Fields) -> Condition:
    raise BadRow("a return, and the mapping states no condition of returned goods; add [returns] condition")
