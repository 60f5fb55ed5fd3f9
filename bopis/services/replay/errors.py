"""What can go wrong with a till export. Each docstring is the message and says what to do next.

ReplayError
+-- ExportUnreadable     the file cannot be opened, unpacked or decoded
+-- ExportEmpty          there is nothing in it, not even a header
+-- NoGoodRow            every row was rejected
+-- ColumnMissing        a field has no column
+-- ColumnUnknown        a named column is not in the file
+-- FieldUnknown         `--column` names a field that does not exist
+-- OptionBroken         an option has a value that means nothing
+-- ReadingChanged       the same file was read in another way before
+-- StoresUnreadable     the stores file is not sound
+-- NotCaughtUp          the books did not take everything in time
BadRow                   one row says something impossible; the others go on
"""

from typing import ClassVar


class ReplayError(Exception):
    """The export cannot be replayed."""

    exit_code: ClassVar[int] = 5

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**facts))


class ExportUnreadable(ReplayError):
    """{name} cannot be read: {cause}. Nothing was sent. Mend the file or name its encoding with --encoding."""


class ExportEmpty(ReplayError):
    """{name} is empty. A CSV export needs a header line, an NDJSON export one object per line."""


class NoGoodRow(ReplayError):
    """None of the {rows} rows of {name} could be read, so nothing was sent. The first: line {line}: {cause}."""


class ColumnMissing(ReplayError):
    """No column holds the {field}. The file has: {columns}. Name one with --column {field}=NAME{instead}."""


class ColumnUnknown(ReplayError):
    """There is no column {column!r} for the {field}. The file has: {columns}."""


class FieldUnknown(ReplayError):
    """{given!r} does not name a column. Write --column FIELD=NAME with one of the fields {fields}."""

    exit_code = 2


class OptionBroken(ReplayError):
    """{option} {value!r} means nothing here: {cause}."""

    exit_code = 2


class ReadingChanged(ReplayError):
    """This file was replayed into this data directory before and came to other baskets ({changed}), which would
    contradict the books. Use the same options again, or another data directory."""

    exit_code = 4


class StoresUnreadable(ReplayError):
    """{name}, line {line}: {cause}. A stores file is CSV with at least the column store_id."""


class NotCaughtUp(ReplayError):
    """The baskets are in the log, but for {seconds:g} s the read side took none of the {left} records left. Look with
    `bopis status`; repeat this command when the processors run, nothing is taken twice."""

    exit_code = 75


class BadRow(Exception):
    """A row that cannot be true; its message is the cause."""
