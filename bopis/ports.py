"""What the services ask of the outside, as protocols: who answers is chosen where a program is put together.

Topics are named here without the prefix that an installation may put before them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from bopis.domain.calendar.hours import Calendar
from bopis.domain.calendar.stated import StatedHours
from bopis.domain.notices.letter import Letter, Verdict, Words
from bopis.domain.notices.terms import Milestone
from bopis.domain.orders.state import LineState, Order

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


class Stand(NamedTuple):
    """Up to where rows of a partition of a changelog are known: the offset of the last record that is in them, the
    newest claim to the partition, and whether the last commit came from somebody who had lost it."""

    position: int
    claim: int
    stale: bool


class OrdersWanted(NamedTuple):
    """Which orders are looked for: whose number begins so, that a store has to do with, in one state, ended or not."""

    begin: str = ""
    store: str | None = None
    state: LineState | None = None
    ended: bool = False

    def fit(self, order: Order) -> bool:
        """Whether an order is one of them."""
        return (
            order.order.startswith(self.begin)
            and (self.ended or bool(order.live))
            and self.state in (None, order.state)
            and (self.store in (None, order.store) or any(it.store == self.store for it in order.lines))
        )


class KnownOrders(Protocol):
    """Orders as a read side has them. What it answers is never older than its stands were before."""

    def stands(self) -> dict[int, Stand]:
        """Up to where each partition of the orders' changelog is in the answers."""
        ...

    def get(self, number: str) -> Order | None:
        """The order of a number."""
        ...

    def find(self, wanted: OrdersWanted, limit: int) -> Iterable[Order]:
        """Orders of a kind, the newest first, at most so many."""
        ...

    def in_store(self, store: str) -> Iterable[Order]:
        """At least every order with live lines or open tasks in a store."""
        ...

    def read_up_to(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The offset of the last record that was read of each partition; those of which nothing was are left out."""
        ...

    def places(self, number: str) -> dict[tuple[str, int], list[int]]:
        """Where the conclusions about an order and its decisions stand in the log, by (topic, partition), rising."""
        ...


class Codes(Protocol):
    """Pickup codes, derived from the installation's key; the log keeps keyed hashes of them only."""

    def code(self, order: str, version: int) -> str:
        """Six digits to speak."""
        ...

    def token(self, order: str, version: int) -> str:
        """128 bits to scan."""
        ...

    def hashes(self, order: str, version: int) -> tuple[str, str]:
        """The keyed hashes of both, for the log."""
        ...

    def hash_of_code(self, order: str, presented: str) -> str: ...

    def hash_of_token(self, order: str, presented: str) -> str: ...


class Finding(Protocol):
    """Keyed hashes of how customers are reached."""

    def email(self, address: str) -> str: ...

    def phone(self, number: str) -> str: ...


class Secrets(Protocol):
    """Customers' data, sealed under a key per customer."""

    @property
    def codes(self) -> Codes: ...
    @property
    def lookups(self) -> Finding: ...
    @property
    def number_key(self) -> bytes:
        """What order numbers are derived from."""
        ...

    def remember(self, customer: str, found_by: list[str]) -> None:
        """Make a customer findable by keyed hashes of how they are reached."""
        ...

    def find(self, lookup: str) -> str | None:
        """The customer that a keyed hash leads to."""
        ...

    def seal(self, customer: str, fields: Mapping[str, str]) -> str:
        """Named texts as one sealed value; the first call makes the customer's key."""
        ...

    def open(self, customer: str, sealed: str) -> dict[str, str] | None:
        """The named texts again; None once the customer was erased."""
        ...

    def erase(self, customer: str) -> bool:
        """Make everything sealed for a customer unreadable. True if there was a key."""
        ...


class OpeningHours(Protocol):
    """Reads what stores state about their hours."""

    def problems(self, stated: StatedHours) -> list[str]:
        """Everything that is wrong with stated hours, each with what to write instead."""
        ...

    def calendar(self, stated: StatedHours, at_ms: int, days: int) -> Calendar:
        """The store's calendar from the day before an instant's day on, over so many days."""
        ...


class Sender(Protocol):
    """One way to customers: mail, text message, webhook."""

    async def send(self, letter: Letter) -> Verdict:
        """Try once. Raises nothing for what a provider or a network does: the verdict says it."""
        ...

    async def close(self) -> None: ...


class Wording(Protocol):
    """What is said, in the customer's language."""

    def words(self, milestone: Milestone, language: str, facts: Mapping[str, Any]) -> Words: ...
