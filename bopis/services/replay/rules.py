"""Rules for reading an export beyond its columns: which rows are sales, which are returns, and the scale of units."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from bopis.services.replay.columns import Columns, present_column
from bopis.services.replay.errors import OptionInvalid
from bopis.services.till_files.errors import BadRow
from bopis.tables.numbers import COMMA, POINT

_CONDITION = re.compile(r"(?P<column>.+?)\s*(?P<sign>!?=)\s*(?P<value>.*)", re.DOTALL)
SCALE_MAX = 1_000_000


class RowCondition(Struct, frozen=True):
    """A column has one of the values, or, if `is_equal` is false, none of them. Values compare exactly."""

    column: str
    is_equal: bool
    values: tuple[str, ...]

    def is_met(self, fields: Mapping[str, str]) -> bool:
        return (fields.get(self.column, "").strip() in self.values) is self.is_equal

    @property
    def text(self) -> str:
        return f"{self.column}{'=' if self.is_equal else '!='}{' or '.join(self.values)}"


class UnitScales(Struct, frozen=True):
    """Factors of quantities: `all` of every row, `by_name` of a unit, or of a SKU where no column has the unit."""

    all: int = 1
    by_name: dict[str, int] = {}


class ReadingRules(Struct, frozen=True):
    """Conditions of sales (all of them) and of returns (any of them), scales, and the decimal mark."""

    where: tuple[RowCondition, ...] = ()
    returns: tuple[RowCondition, ...] = ()
    scales: UnitScales = UnitScales()
    decimal_mark: str = ""

    def named_as_in(self, present: Sequence[str]) -> "ReadingRules":
        """The same rules with the columns as the file spells them. Raises `ColumnUnknown` for one that it has not."""

        def named(conditions: Iterable[RowCondition], option: str) -> tuple[RowCondition, ...]:
            return tuple(
                replace(it, column=present_column(it.column, "condition", present, option)) for it in conditions
            )

        return replace(self, where=named(self.where, "--where"), returns=named(self.returns, "--returns"))

    def is_sale(self, fields: Mapping[str, str]) -> bool:
        return all(condition.is_met(fields) for condition in self.where)

    def is_return(self, fields: Mapping[str, str]) -> bool:
        return any(condition.is_met(fields) for condition in self.returns)


class _Pair(NamedTuple):
    """A column and a sign."""

    column: str
    sign: str


def read_conditions(option: str, given: Sequence[str]) -> tuple[RowCondition, ...]:
    """Conditions ``COLUMN=VALUE`` and ``COLUMN!=VALUE``; those of one column and sign are one condition with several
    values. Raises `OptionInvalid`."""
    values: dict[_Pair, list[str]] = {}
    for text in given:
        found = _CONDITION.fullmatch(text.strip())
        if found is None:
            raise OptionInvalid(option=option, value=text, cause="write COLUMN=VALUE or COLUMN!=VALUE")
        values.setdefault(_Pair(found["column"], found["sign"]), []).append(found["value"].strip())
    return tuple(RowCondition(column, sign == "=", tuple(found)) for (column, sign), found in values.items())


def read_scales(given: Sequence[str]) -> UnitScales:
    """Scales ``1000``, ``kg=1000`` (a unit) or ``20110=1000`` (a SKU). Raises `OptionInvalid`."""
    of_all, by_name = 1, {}
    for text in given:
        name, equals, number = text.rpartition("=")
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= SCALE_MAX) or (equals and not name):
            cause = f"write a whole number from 1 to {SCALE_MAX}, for a unit or a SKU kg=1000"
            raise OptionInvalid(option="--scale", value=text, cause=cause)
        if equals:
            by_name[name.strip()] = int(number)
        else:
            of_all = int(number)
    return UnitScales(of_all, by_name)


def read_decimal_mark(given: str | None) -> str:
    """The decimal mark, a point or a comma; empty if none is given. Raises `OptionInvalid`."""
    if given not in (None, COMMA, POINT):
        raise OptionInvalid(option="--decimal", value=given, cause="write . or ,")
    return given or ""


def scale_reader(columns: Columns, scales: UnitScales) -> Callable[[Mapping[str, str], str], int]:
    """A function that returns the scale of a row with its SKU. It raises `BadRow` for a unit that has none."""
    if not columns.unit:
        return lambda _, sku: scales.by_name.get(sku, scales.all)
    (column, *_) = columns.unit

    def of_unit(fields: Mapping[str, str], _: str) -> int:
        unit = fields.get(column, "").strip()
        if unit not in scales.by_name:
            raise BadRow(f"unit {unit!r} has no scale; give one with --scale '{unit or 'UNIT'}=NUMBER'")
        return scales.by_name[unit]

    return of_unit
