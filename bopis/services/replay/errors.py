"""What can go wrong with a till export. Each docstring is the message and says what to do next.

ReplayError
+-- ExportUnreadable     the file cannot be opened, unpacked or decoded
+-- ExportEmpty          there is nothing in it, not even a header
+-- NoGoodRow            every row was rejected
+-- ColumnMissing        a field has no column
+-- ColumnUnknown        a named column is not in the file
+-- FieldUnknown         `--column` names a field that does not exist
+-- OptionBroken         an option has a value that means nothing
+-- OptionsChanged       the same file was replayed in another reading before
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


class OptionsChanged(ReplayError):
    """This file was replayed into this data directory before with other {names}, so its baskets would contradict
    those already in the books. Use the same options again, or another data directory."""

    exit_code = 4


class BadRow(Exception):
    """A row that cannot be true; its message is the cause."""
