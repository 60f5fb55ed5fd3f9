"""Protocol of an uplink, and the result of sending a batch."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from bopis.errors import BopisError
from bopis.journal.entries import Entry, Reject
from bopis.journal.ledger import Centre


class Sent(Struct, frozen=True, kw_only=True):
    """Result of a batch: every message up to `position` is in the log or among the `refused`, which the other side will
    never take. `problem` is why the rest was not sent. `clock_ahead_ms` is how far this machine's clock is ahead of the
    other side's."""

    position: int
    refused: tuple[Reject, ...] = ()
    problem: BopisError | None = None
    clock_ahead_ms: int | None = None


class Uplink(Protocol):
    """Sends messages to the centre, in order. It connects when it is first used, and again after a problem."""

    def send(self, entries: Sequence[Entry]) -> Sent:
        """Send a batch and wait until it is acknowledged. A problem is a part of the result."""
        ...

    def centre(self) -> Centre | None:
        """The other side of a ledger comparison, whose methods raise `UplinkError`; None where it cannot be asked."""
        ...

    def close(self) -> None: ...


def refused(entry: Entry, cause: object) -> Reject:
    """A message that the other side will never take."""
    return Reject(place=f"journal {entry.position}, {entry.source}", cause=f"refused: {cause}", content=entry.value)
