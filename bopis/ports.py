"""What the services ask of the outside, as protocols: who answers is chosen where a program is put together.

Topics are named here without the prefix that an installation may put before them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes]]


class Placed(NamedTuple):
    """Where a record stands in the log, and when the log learned it."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Record(NamedTuple):
    """One record of the log; a record without a value takes its key out of a compacted topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def timestamp(self) -> int:
        """When the log learned it, under the name that the log's own clients use."""
        return self.timestamp_ms


# Called once per record on the client's own thread, with its place or with what went wrong: be quick there.
OnDelivery = Callable[[Placed | Exception], None]


class Delivery(Protocol):
    """What becomes of one record that was handed over."""

    def wait(self, timeout_seconds: float | None = None) -> Placed:
        """Where the record stands, once the log has acknowledged it; raises if it did not."""
        ...


class Publisher(Protocol):
    """Puts records into the log; those of one key keep their order."""

    def publish(
        self,
        topic: str,
        key: str | bytes,
        value: bytes | None,
        *,
        headers: Headers = (),
        on_delivery: OnDelivery | None = None,
    ) -> Delivery: ...

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Wait until everything handed over was acknowledged or failed."""
        ...

    def close(self) -> None: ...


Offsets = Mapping[tuple[str, int], int]


class Log(Protocol):
    """Reads the log. Offsets are kept by (topic, partition)."""

    def start_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The oldest offset of every partition; topics that are absent are left out."""
        ...

    def end_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The offset after the newest record of every partition; topics that are absent are left out."""
        ...

    def offsets_at(self, topics: Iterable[str], at_ms: int) -> dict[tuple[str, int], int]:
        """The first offset of every partition whose record the log learned at or after an instant."""
        ...

    def read(self, first: Offsets, end: Offsets) -> Iterator[Record]:
        """Every record from `first` up to, not with, `end`; in order within a partition."""
        ...
