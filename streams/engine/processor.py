"""A processor: the functions that the exact step calls."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from streams.engine.rows import PartitionRows

Headers = tuple[tuple[str, bytes], ...]


class LogRecord(Protocol):
    """One record of the log, as the C parser makes it. `timestamp`: the append time in milliseconds since 1970."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class Output(msgspec.Struct, frozen=True):
    """One message for another topic, named without prefix. The key chooses the partition."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers = ()


class Poison(Exception):
    """Raised by `handle` before it changed any row: this record can never be handled. It is parked with its cause
    among the dead letters and the partition continues."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Processor(Protocol):
    """(source topic, rows) to (rows, outputs). Pure: no clock, no chance, no I/O, no wait.

    The outputs of `handle` depend on nothing but the rows and the record, because after a crash the same records are
    handled again and must give the same rows and the same outputs, with the same ids. Topics are named without prefix.
    A record without a value is parked before it comes here.
    """

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def changelog(self) -> str: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...

    def handle(self, rows: PartitionRows, record: LogRecord) -> Sequence[Output]:
        """Decode, decide, evolve. Any exception but `Poison` is a bug and stops the worker."""
        ...

    def encode(self, key: str, row: Any) -> bytes:
        """A row as the value of its record in the changelog."""
        ...

    def decode(self, key: str, value: bytes) -> Any:
        """A row from the value of its record in the changelog."""
        ...

    def deadline(self, key: str, value: bytes) -> int | None:
        """The deadline of a recovered row, in milliseconds since 1970. Called once for every row: keep it cheap."""
        ...

    def tick(self, rows: PartitionRows, at_ms: int) -> Sequence[tuple[bytes, bytes]]:
        """Messages (key, value) for the processor's own partition. Called only when a deadline has come.

        It changes no row: `handle` decides what the deadline means, when the message comes back in order.
        """
        ...
