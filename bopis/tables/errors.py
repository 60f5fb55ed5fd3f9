"""Errors of tables from outside. Each docstring is the message.

TableError
+-- TableUnreadable     the file cannot be unpacked or decoded
|   +-- TableNotOpened      the file cannot be opened
+-- TableEmpty          the file is empty
+-- TableWithoutRows    there is a header and nothing below it
+-- NotATable           the file is of another kind: HTML, PDF, an old workbook ...
+-- HeaderInvalid       columns are unknown, missing or repeated
+-- EncodingUnknown     `--encoding` names no encoding
"""

from bopis.errors import INVALID_INPUT, USAGE, BopisError


class TableError(BopisError):
    """The file cannot be read as a table."""

    exit_code = INVALID_INPUT


class TableUnreadable(TableError):
    """{name} cannot be read: {cause}. Nothing was sent. Save it as CSV in UTF-8, or give its encoding with
    --encoding."""


class TableNotOpened(TableUnreadable):
    """{name} cannot be opened: {cause}. Nothing was sent. Check the path and the rights."""


class TableEmpty(TableError):
    """{name} is empty. A CSV file needs a header line, an NDJSON file one object per line."""


class TableWithoutRows(TableError):
    """{name} has a header and no row below it, so nothing was sent. Check that the export is complete."""


class NotATable(TableError):
    """{name} is {kind}, not a table. Nothing was sent. {remedy}"""


class HeaderInvalid(TableError):
    """{name}: {problems}. Nothing was sent. Correct the header{instead}. Known columns: {known}."""


class EncodingUnknown(TableError):
    """--encoding {encoding!r} is invalid: no such encoding, for example utf-8, utf-16 or windows-1252."""

    exit_code = USAGE
