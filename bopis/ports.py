"""Protocols of the outside that services use. Each program chooses the implementations at its composition root.

Topics are named here without the prefix that an installation may put before them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from bopis.domain.calendar.hours import Calendar
from bopis.domain.calendar.store_hours import ClosedDay, StoreHours
from bopis.domain.notices.delivery import OutgoingMessage, RenderedText, SendResult
from bopis.domain.notices.vocabulary import Milestone
from bopis.domain.orders.state import LineState, Order
from bopis.domain.payments.gateway import Capabilities, GatewayAnswer, GatewayCall, GatewayEntry, GatewayReport

Headers = Sequence[tuple[str, bytes]]
# A topic without the prefix and the number of one of its partitions: the key by which clients keep offsets.
TopicPartition = tuple[str, int]


class RecordMetadata(NamedTuple):
    """The place of a record in the log, and its append time in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Record(NamedTuple):
    """One record of the log. A record without a value (a tombstone) deletes its key from a compacted topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def timestamp(self) -> int:
        """`timestamp_ms` under the name that aiokafka and kafka-python use."""
        return self.timestamp_ms


class RecordCopy(NamedTuple):
    """One record to append to a partition with its own timestamp (milliseconds since 1970)."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


# Called once per record on the client's own I/O thread, with the record's place or the error: return quickly.
OnDelivery = Callable[[RecordMetadata | Exception], None]


class PendingDelivery(Protocol):
    """A record that was sent and is not acknowledged yet."""

    def wait(self, timeout_seconds: float | None = None) -> RecordMetadata:
        """Wait for the acknowledgement and return the record's place. Raises the error of a failed delivery."""
        ...


class Publisher(Protocol):
    """Publishes records to the log. Records with equal keys keep their order."""

    def publish(
        self,
        topic: str,
        key: str | bytes,
        value: bytes | None,
        *,
        headers: Headers = (),
        on_delivery: OnDelivery | None = None,
    ) -> PendingDelivery:
        """Send a record without waiting. Raises at once what is known at once, for example a missing topic."""
        ...

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Wait until every record that was sent is acknowledged or has failed."""
        ...

    def close(self) -> None: ...


Offsets = Mapping[TopicPartition, int]


class LogTail(Protocol):
    """Records appended to some topics after the tail was opened."""

    def poll(self, seconds: float) -> list[Record]:
        """The records since the last call, in order within a partition; waits at most this long for the first."""
        ...

    def has_reached(self, ends: Offsets) -> bool:
        """Whether `poll` has returned every record before these offsets."""
        ...


class Log(Protocol):
    """Reads the log. Offsets are kept by (topic, partition)."""

    def start_offsets(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """The oldest offset of every partition. Topics that do not exist are omitted."""
        ...

    def end_offsets(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """The offset after the newest record of every partition. Topics that do not exist are omitted."""
        ...

    def offsets_at(self, topics: Iterable[str], at_ms: int) -> dict[TopicPartition, int]:
        """The offset of the first record of every partition that was appended at or after an instant; the partition's
        end if there is none."""
        ...

    def read(self, first: Offsets, end: Offsets) -> Iterator[Record]:
        """Every record from `first` (inclusive) to `end` (exclusive), in order within a partition."""
        ...

    def tail(self, topics: Iterable[str]) -> LogTail:
        """Follow topics from their current ends. A topic that is created later is read from its first record."""
        ...


class ProjectedPosition(NamedTuple):
    """How far a projection has read one partition of a changelog: the offset of the last record that is in its rows,
    the offset of the newest claim, and whether the last commit came from an owner that had lost the partition."""

    position: int
    claim: int
    fenced: bool


class ListKey(NamedTuple):
    """The place of an order in lists: the newest first, then by number."""

    placed_ms: int
    order: str


class OrderFilter(NamedTuple):
    """Which orders are listed. A field with its default does not restrict, except that only open orders are listed
    unless `ended` is true.

    `store` is the store that the customer chose, or one that a line is or was in. `after` continues a list behind an
    order of it.
    """

    prefix: str = ""
    store: str | None = None
    state: LineState | None = None
    customer: str | None = None
    placed_since_ms: int | None = None
    placed_before_ms: int | None = None
    ended: bool = False
    after: ListKey | None = None

    def matches(self, order: Order) -> bool:
        """Whether an order is listed."""
        return (
            order.order.startswith(self.prefix)
            and (self.ended or bool(order.live))
            and self.state in (None, order.state)
            and (self.store in (None, order.store) or any(line.store == self.store for line in order.lines))
            and self.customer in (None, order.customer.id)
            and (self.placed_since_ms is None or order.placed_ms >= self.placed_since_ms)
            and (self.placed_before_ms is None or order.placed_ms < self.placed_before_ms)
            and (self.after is None or list_key(order) > (-self.after.placed_ms, self.after.order))
        )


def list_key(order: Order) -> tuple[int, str]:
    """The sort key of lists of orders."""
    return -order.placed_ms, order.order


class Orders(Protocol):
    """Orders of one moment."""

    def get(self, number: str) -> Order | None:
        """The order with this number."""
        ...

    def find(self, wanted: OrderFilter, limit: int | None) -> list[Order]:
        """Orders that match a filter, the newest first, at most `limit`."""
        ...

    def in_store(self, store: str) -> list[Order]:
        """At least every order with live lines or open tasks in a store, in any order."""
        ...


class ProjectedOrders(Orders, Protocol):
    """Orders of a projection at one moment, and what of the log is in them."""

    def changelog_positions(self) -> dict[int, ProjectedPosition]:
        """How far each partition of the orders' changelog was read; partitions that were never read are omitted."""
        ...

    def positions(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """The offset of the last record that was read of each (topic, partition); those never read are omitted."""
        ...

    def history_offsets(self, number: str) -> dict[TopicPartition, list[int]]:
        """Offsets of the events and decisions of an order in the log, rising, by (topic, partition)."""
        ...


class OrderProjection(Protocol):
    """A projection of orders, for example the read side."""

    def snapshot(self) -> AbstractContextManager[ProjectedOrders]:
        """Its orders at one moment. Keep it open briefly: the database cannot clean up behind a snapshot."""
        ...


class Codes(Protocol):
    """Pickup codes, derived from the installation's key. The log stores only keyed hashes of them."""

    def code(self, order: str, version: int) -> str:
        """The six digits that a customer reads out."""
        ...

    def token(self, order: str, version: int) -> str:
        """The 128 bits of the QR code, as text."""
        ...

    def hashes(self, order: str, version: int) -> tuple[str, str]:
        """The keyed hashes of code and token."""
        ...

    def hash_of_code(self, order: str, presented: str) -> str:
        """The keyed hash of digits as they were typed."""
        ...

    def hash_of_token(self, order: str, presented: str) -> str:
        """The keyed hash of a token as it was scanned."""
        ...

    def store_key(self, store: str, day: str) -> bytes:
        """The key under which a store checks codes on one UTC day."""
        ...


class CustomerLookups(Protocol):
    """Keyed hashes of addresses and phone numbers, by which a customer is found and none can be read."""

    def email(self, address: str) -> str: ...

    def phone(self, number: str, country: str = "") -> str:
        """The hash of a number in the form of E.164; `country` is that of numbers without a country code."""
        ...

    def phone_digits(self, number: str) -> str:
        """The hash of a number's digits, under which earlier versions stored customers."""
        ...


class Secrets(Protocol):
    """Customers' data, sealed (encrypted) under a key per customer."""

    @property
    def codes(self) -> Codes: ...
    @property
    def lookups(self) -> CustomerLookups: ...
    @property
    def number_key(self) -> bytes:
        """The key from which order numbers are derived."""
        ...

    @property
    def webhook_key(self) -> bytes:
        """The key that seals the secrets of webhooks."""
        ...

    def remember(self, customer: str, lookups: list[str]) -> None:
        """Store the keyed hashes by which `find` returns a customer. A hash returns the customer stored last."""
        ...

    def find(self, lookup: str) -> str | None:
        """The id of the customer stored under a keyed hash."""
        ...

    def seal(self, customer: str, fields: Mapping[str, str]) -> str:
        """Named texts as one sealed value. The first call creates the customer's key."""
        ...

    def open(self, customer: str, sealed: str) -> dict[str, str] | None:
        """The named texts of a sealed value; None after the customer was erased."""
        ...

    def erase(self, customer: str) -> bool:
        """Make every value sealed for a customer unreadable. Returns whether the customer had a key."""
        ...

    def last_backup_ms(self) -> int | None:
        """When the newest complete back-up of the installation was made, in epoch milliseconds; None without any."""
        ...


class OpeningHours(Protocol):
    """Parses the opening hours of stores."""

    def problems(self, stated: StoreHours) -> list[str]:
        """Every error in a store's hours, each with a valid example; an empty list if there is none."""
        ...

    def faults(self, stated: StoreHours) -> list[str]:
        """Errors for which there is no calendar. Hours that an import would ask about have one all the same."""
        ...

    def closed_days(self, stated: StoreHours, at_ms: int, days: int) -> list[ClosedDay]:
        """Holidays and closures from the day of `at_ms` on, for `days` days, by date. A store may have hours on one."""
        ...

    def calendar(self, stated: StoreHours, at_ms: int, days: int) -> Calendar:
        """The store's calendar: from the day before the day of `at_ms` on its clock, for `days` days after that."""
        ...


class Sender(Protocol):
    """Sends notices over one channel: mail, text message, webhook."""

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Try once. Errors of the provider or the network are results, not exceptions."""
        ...

    async def close(self) -> None: ...


class NoticeRenderer(Protocol):
    """Renders the text of a notice."""

    def render(self, milestone: Milestone, language: str, facts: Mapping[str, Any]) -> RenderedText:
        """The text in the customer's language, or in the nearest language that has templates."""
        ...


class GatewayPage(NamedTuple):
    """Part of a gateway's list, oldest first; `cursor` continues it, None at its end."""

    entries: Sequence[GatewayEntry]
    cursor: str | None


class CallbackAnswer(NamedTuple):
    """How a callback is to be answered: the HTTP status, its id (empty: none) and the reports in it.

    `refusal` names why nothing of it is used: ``bad_signature``, ``too_old``, ``from_the_future``, ``unreadable``. A
    callback of a kind that is of no interest has no reports and no refusal.
    """

    status: int
    event: str = ""
    reports: Sequence[GatewayReport] = ()
    refusal: str = ""


class Gateway(Protocol):
    """A payment gateway."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def call(self, call: GatewayCall) -> GatewayAnswer:
        """Do one call, once: no retry inside. Every error of the gateway or the network is an answer, not an exception:
        ``not_sent`` when it surely never left, ``unknown`` when it may have arrived."""
        ...

    async def entries(self, since_ms: int, cursor: str | None = None) -> GatewayPage:
        """Its own list of authorisations created since an instant. Raises `GatewayUnavailable`."""
        ...

    def callback(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> CallbackAnswer:
        """Check a callback's signature over the raw body, then read it. Never raises."""
        ...

    async def close(self) -> None: ...
