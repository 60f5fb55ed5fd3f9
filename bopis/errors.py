"""The base of our errors, and what the exit codes of our programs mean."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
CONFLICT = 4
INVALID_INPUT = 5
UNAVAILABLE = 69
INTERNAL_FAULT = 70
TRY_AGAIN = 75
CONFIGURATION = 78
STALLED = 80
LOG_REFUSED = 81
INTERRUPTED = 130

EXIT_CODES = {
    OK: "ok",
    FAILED: "error, or a check found something",
    USAGE: "usage: the command line is wrong",
    NOT_FOUND: "not found",
    CONFLICT: "conflict, or refused in the current state",
    INVALID_INPUT: "invalid input",
    UNAVAILABLE: "unavailable: a required service does not run",
    INTERNAL_FAULT: "internal fault; what was acknowledged is safe",
    TRY_AGAIN: "try again: not done in time, or another worker has the partitions",
    CONFIGURATION: "configuration: a setting, right, topic or limit does not fit; starting again would not help",
    STALLED: "a watchdog ended a worker that made no progress; it may be started again",
    LOG_REFUSED: "the log refused a request of a worker; the error names it",
    INTERRUPTED: "interrupted",
}


class BopisError(Exception):
    """Something failed."""

    # The docstring is the message: it says what to do next. Facts fill its braces; where `shows_facts` is true, they
    # are appended to it instead.
    exit_code: ClassVar[int] = FAILED
    shows_facts: ClassVar[bool] = False
    # More about the error, for JSON documents: rows, columns.
    details: Mapping[str, object] = MappingProxyType({})

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        words = " ".join((type(self).__doc__ or "").split())
        if not self.shows_facts:
            super().__init__(words.format(**facts))
            return
        shown = ", ".join(f"{name}={value!r}" for name, value in facts.items())
        super().__init__(f"{words} [{shown}]" if shown else words)


class ConfigurationError(BopisError):
    """The configuration does not fit."""

    exit_code = CONFIGURATION


class SettingUnknown(ConfigurationError):
    """No setting {name!r} ({place}){hint} `bopis config show` lists the settings."""


class SettingsFileInvalid(ConfigurationError):
    """A setting is not valid: {file}: {cause}. Correct the file, or move it away."""


class DatabaseUrlInvalid(ConfigurationError):
    """The setting database is not the URL of a database that can be used: {cause}. Write
    sqlite:////srv/bopis/readside.sqlite3 or postgresql+psycopg://USER@HOST/NAME."""


class DatabaseUnreachable(BopisError):
    """The read side {url} cannot be opened: {cause}. Start the database, or correct the setting database; `bopis config
    show` has its value and source."""

    exit_code = UNAVAILABLE


class DirectoryUnusable(ConfigurationError):
    """{folder} cannot be written ({cause}). Change its owner, or give --data-dir."""
