"""Errors of till files and mappings. Each docstring is the message.

TillFileError
+-- MappingInvalid       a mapping file cannot be used
|   +-- MappingUnknown       no mapping of that name
+-- TillFileRefused      the whole file cannot be read; nothing of it is booked
BadRow                   one row is invalid; the others are read
"""

from bopis.errors import INVALID_INPUT, NOT_FOUND, BopisError


class TillFileError(BopisError):
    """The till file cannot be read."""

    exit_code = INVALID_INPUT


class MappingInvalid(TillFileError):
    """The mapping {name} is not valid: {problems}. Correct it; `bopis agent mapping show NAME` shows a shipped
    one."""


class MappingUnknown(MappingInvalid):
    """There is no mapping {name!r}{near}. Give the path of a TOML file, or the name of a shipped one: {known}."""

    exit_code = NOT_FOUND


class TillFileRefused(TillFileError):
    """{name} is refused as a whole: {cause}. Nothing of it is booked. {remedy}"""


class BadRow(Exception):
    """An invalid row; the message is the cause."""
