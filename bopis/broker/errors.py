"""Every way the embedded log can fail, drawn as one tree.

::

    BrokerError
    ├── AlreadyRunning          another process owns the data directory
    ├── LogDamaged              the file is not what was written
    ├── LogFormatUnknown        the file is of another version
    ├── StorageFull             no space: writes are refused, reads go on
    ├── StorageBusy             another program writes into the file
    ├── StorageFailed           the disk broke its promise: the process must stop
    ├── MalformedFrame          bytes that are not a Kafka request
    └── Refused                 the protocol's own error code, sent to the client
"""

from __future__ import annotations

from pathlib import Path

from bopis.broker.codes import Code

EXIT_FAILED = 1
EXIT_ALREADY_RUNNING = 75


class BrokerError(Exception):
    """The embedded log failed."""

    exit_code = EXIT_FAILED


class AlreadyRunning(BrokerError):
    """Another process already serves this log. Stop it first, or give this one another data directory."""

    exit_code = EXIT_ALREADY_RUNNING

    def __init__(self, directory: Path, owner: str) -> None:
        super().__init__(
            f"The log in {directory} is already served by process {owner}."
            " Stop that process first, or give this one another data directory."
        )


class LogDamaged(BrokerError):
    """The log file is damaged. Restore it from a copy; what can still be read can be exported with sqlite3."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            f"The log file {path} is damaged: {found}."
            f" Keep the file aside and restore a copy; 'sqlite3 {path} .recover' exports what can still be read."
        )


class LogFormatUnknown(BrokerError):
    """The log file was written by another version. Start the version that wrote it."""

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
    """The request is refused with a code of the protocol; the client knows what to do with it."""

    def __init__(self, code: Code, message: str | None = None) -> None:
        super().__init__(message or code.name)
        self.code = code
        self.message = message
