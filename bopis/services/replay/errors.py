"""Errors of a replay. Each docstring is the message.

ReplayError
+-- NoGoodRow            every row was rejected
+-- NoRowMeets           no row meets the conditions
+-- ColumnMissing        a field has no column
+-- ColumnUnknown        a named column is not in the file
+-- ColumnRepeated       a column that is needed occurs twice
+-- FieldUnknown         `--column` names a field that does not exist
+-- OptionInvalid        an option has an invalid value
+-- ReadingChanged       the same file was read in another way before
+-- NotCaughtUp          the read side did not catch up in time
"""

from bopis.errors import CONFLICT, INVALID_INPUT, TRY_AGAIN, USAGE, BopisError


class ReplayError(BopisError):
    """The export cannot be replayed."""

    exit_code = INVALID_INPUT


class NoGoodRow(ReplayError):
    """No row of {name} is valid ({rows} read), so nothing was sent. The first: line {line}: {cause}. Columns:
    {columns}."""


class NoRowMeets(ReplayError):
    """No row of {name} meets the conditions ({conditions}; {rows} read), so nothing was sent. Correct --where."""


class ColumnMissing(ReplayError):
    """No column has the {field}. The file has: {columns}. Name one with --column {field}=NAME{instead}."""


class ColumnUnknown(ReplayError):
    """There is no column {column!r} for the {field}{near}. The file has: {columns}. Correct {option}."""


class ColumnRepeated(ReplayError):
    """Column {column!r} for the {field} occurs {count} times in the file. Give the columns other names, or name all of
    them with --columns and remove the header."""


class FieldUnknown(ReplayError):
    """{given!r} does not name a column{near}. Write --column FIELD=NAME; the fields are {fields}."""

    exit_code = USAGE


class OptionInvalid(ReplayError):
    """{option} {value!r} is invalid: {cause}."""

    exit_code = USAGE


class ReadingChanged(ReplayError):
    """This file was replayed into this data directory before, with other baskets ({changed}). These baskets would
    contradict the books. Use the same options as before, or another data directory."""

    exit_code = CONFLICT


class NotCaughtUp(ReplayError):
    """The baskets are in the log, but for {seconds:g} s the read side took none of the {left} records left. Check
    `bopis status`, and repeat this command when the processors run: nothing is booked twice."""

    exit_code = TRY_AGAIN
