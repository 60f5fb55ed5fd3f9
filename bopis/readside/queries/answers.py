"""Questions and answers of the queries: frozen values, ready to be written as JSON. Instants are aware and in UTC."""

from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct

from bopis.domain.calendar.store_hours import StatedHours
from bopis.domain.inventory.rows import Terms
from bopis.geography import Point

ROWS_DEFAULT = 100
ROWS_MAX = 10_000


class HistoryClock(StrEnum):
    """The clock that a question is about.

    ``occurred``: the truth at an instant, by everything known today. ``recorded``: the books at that instant, with the
    messages that the log had by then.
    """

    OCCURRED = "occurred"
    RECORDED = "recorded"


class Page(Struct, frozen=True, kw_only=True):
    """At most `limit` rows, after the `next` cursor of the page before."""

    limit: int = ROWS_DEFAULT
    cursor: str | None = None

    @property
    def rows(self) -> int:
        return max(1, min(self.limit, ROWS_MAX))


class HistorySpan(Struct, frozen=True, kw_only=True):
    """From `since` to before `until` on one of the clocks, newest first, a page at a time."""

    since: datetime | None = None
    until: datetime | None = None
    clock: HistoryClock = HistoryClock.OCCURRED
    limit: int = ROWS_DEFAULT
    cursor: str | None = None


class StoreSearch(Struct, frozen=True):
    """A search for stores with at least `minimum` units of a SKU, the nearest to a point first."""

    sku: str
    near: Point | None = None
    minimum: int = 1


class StoreAnswer(Struct, frozen=True, kw_only=True):
    """A store: its place, its hours as stated (None if an earlier version recorded none), its policy, and the time up
    to which its devices have reported."""

    store: str
    name: str
    street: str
    city: str
    state: str
    postal_code: str
    latitude: float | None
    longitude: float | None
    time_zone: str
    hours: StatedHours | None
    pickup: bool
    staleness_grace_minutes: int
    staleness_percent: int
    rules: dict[str, dict[str, int]]
    heard_at: datetime | None


class LevelAnswer(Struct, frozen=True, kw_only=True):
    """One SKU in one store, term by term. `data_age_ms` is the time since the store's newest report."""

    store: str
    sku: str
    category: str
    atp: int
    terms: Terms
    staged: int
    quarantined: int
    damaged: int
    counted_at: datetime | None
    heard_at: datetime | None
    data_age_ms: int | None


class LevelPage(Struct, frozen=True, kw_only=True):
    levels: tuple[LevelAnswer, ...]
    next: str | None


class FoundAnswer(Struct, frozen=True, kw_only=True):
    """A store that can promise a SKU; `distance_km` is None where the search has no point or the store no place."""

    store: str
    name: str
    city: str
    state: str
    distance_km: float | None
    atp: int
    terms: Terms
    heard_at: datetime | None


class IncomingAnswer(Struct, frozen=True, kw_only=True):
    """Units of a SKU on their way to a store, by document or transfer. Overdue units cannot be promised."""

    store: str
    sku: str
    quantity: int
    expected_at: datetime
    overdue: bool
    document: str | None = None
    transfer: str | None = None


class LaterAnswer(Struct, frozen=True, kw_only=True):
    """Units of a SKU that can be promised for a later instant: available now, or expected by then."""

    store: str
    sku: str
    on: datetime
    available: int
    atp_now: int
    incoming: tuple[IncomingAnswer, ...]


class TransferLineAnswer(Struct, frozen=True, kw_only=True):
    """Units of one SKU in a transfer, and its state. `short` is what was missing when the transfer was complete."""

    sku: str
    announced: int
    received: int
    on_the_way: int
    short: int
    state: str


class TransferAnswer(Struct, frozen=True, kw_only=True):
    """Goods between two stores, as the receiving store knows them."""

    transfer: str
    from_store: str
    to_store: str
    state: str
    expected_at: datetime | None
    heard_at: datetime
    lines: tuple[TransferLineAnswer, ...]


class MovementAnswer(Struct, frozen=True, kw_only=True):
    """One line of one message, and on hand after it.

    `change` is the movement as reported (of a count: the counted units), `applied` the change of the books. They differ
    where a newer count had already included the movement.
    """

    store: str
    sku: str
    kind: str
    change: int
    applied: int
    on_hand_after: int
    occurred_at: datetime
    recorded_at: datetime
    source: str
    actor: str | None
    message_id: str
    sequence: int | None
    reference: str | None
    staged_counted: bool | None
    partition: int
    offset: int
    line: int


class MovementPage(Struct, frozen=True, kw_only=True):
    movements: tuple[MovementAnswer, ...]
    next: str | None


class AtAnswer(Struct, frozen=True, kw_only=True):
    """Available to promise at a past instant, term by term."""

    store: str
    sku: str
    instant: datetime
    clock: HistoryClock
    pickup: bool
    atp: int
    terms: Terms
    staged: int
    quarantined: int
    damaged: int
    heard_at: datetime | None


class HoldLineAnswer(Struct, frozen=True, kw_only=True):
    line: int
    sku: str
    quantity: int
    picked: int
    lost: int
    state: str


class HoldAnswer(Struct, frozen=True, kw_only=True):
    """A hold: units reserved for an order. Without lines it records a refusal."""

    store: str
    hold: str
    order: str
    granted_at: datetime
    until: datetime
    promised_for: datetime | None
    active: bool
    lines: tuple[HoldLineAnswer, ...]


class GapAnswer(Struct, frozen=True, kw_only=True):
    """Messages `first` to `last` of a device that are missing although later ones have arrived."""

    store: str
    source: str
    first: int
    last: int
    heard_at: datetime


class PositionAnswer(Struct, frozen=True, kw_only=True):
    """How far a partition was read. `source_position` is set for changelogs: the position of the source that is in the
    rows."""

    topic: str
    partition: int
    position: int
    source_position: int | None
    recorded_at: datetime
    updated_at: datetime


def instant(ms: int) -> datetime:
    """Milliseconds since the epoch as an aware instant."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def instant_or_none(ms: int | None) -> datetime | None:
    """The instant, or None for a column that has none (null, zero or less)."""
    return instant(ms) if ms is not None and ms > 0 else None
