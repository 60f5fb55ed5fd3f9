"""The errors of the embedded log, drawn as one tree.

::

    BrokerError
    ├── AlreadyRunning          another process serves the data directory
    ├── LogDamaged              the file does not contain what was written
    ├── LogFormatUnknown        the file is of another version
    ├── StorageFull             no space: writes are refused, reads are served
    ├── StorageBusy             another program writes into the file
    ├── StorageFailed           the disk refused a write: the process must stop
    ├── MalformedFrame          bytes that are not a Kafka request
    └── Refused                 an error code of the protocol, sent to the client
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bopis.broker.error_codes import ErrorCode


class BrokerError(Exception):
    """The embedded log failed."""

    exit_code = 1


class AlreadyRunning(BrokerError):
    """Another process already serves this log. Stop it first, or give this one another data directory."""

    # EX_TEMPFAIL of sysexits.h: the same command may succeed later.
    exit_code = 75

    def __init__(self, directory: Path, owner: str) -> None:
        self.owner = owner
        super().__init__(
            f"The log in {directory} is already served by process {owner}."
            " Stop that process first, or give this one another data directory."
        )


class LogDamaged(BrokerError):
    """The log file is damaged. Restore it from a copy; readable parts can be exported with sqlite3."""

    # EX_CONFIG of sysexits.h: starting again does not help, so a supervisor does not try.
    exit_code = 78

    def __init__(self, path: Path, damage: str) -> None:
        super().__init__(
            f"The log file {path} is damaged: {damage}."
            f" Keep the file aside and restore a copy; 'sqlite3 {path} .recover' exports what can still be read."
        )


class LogFormatUnknown(BrokerError):
    """The log file was written by another version. Start the version that wrote it."""

    exit_code = 78

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"The log file {path} has format {found}, this version reads format {known}."
            " Start the version that wrote it, or give another data directory."
        )


class StorageFull(BrokerError):
    """The disk is full. Free some space: writing resumes by itself, nothing acknowledged is lost."""


class StorageBusy(BrokerError):
    """Another program is writing into the log's file. Let it finish, or stop it: writing resumes by itself."""


class StorageFailed(BrokerError):
    """The disk refused a write. Check it before starting again: nothing acknowledged is lost so far."""

    def __init__(self, path: Path, cause: BaseException) -> None:
        super().__init__(
            f"Writing {path} failed ({cause}). Check the disk, then start again:"
            " what was acknowledged was on the disk before this."
        )


class MalformedFrame(BrokerError):
    """The bytes are not a Kafka request. The connection is closed."""


class Refused(BrokerError):
    """The request is refused with an error code of the protocol, which tells the client how to react."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(message or code.name)
        self.code = code
        self.message = message


class ErrorFields(NamedTuple):
    """An error as the fields of a response: `error_code` and `error_message`."""

    code: ErrorCode
    message: str | None


def error_fields(error: BrokerError | None) -> ErrorFields:
    """The fields for an error that ended a request, or for success (None)."""
    if error is None:
        return ErrorFields(ErrorCode.NONE, None)
    if isinstance(error, Refused):
        return ErrorFields(error.code, error.message)
    return ErrorFields(ErrorCode.KAFKA_STORAGE_ERROR, str(error))
