"""What the queries answer: frozen values, ready to be written as JSON. Instants are aware and in UTC."""

from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct

from bopis.domain.inventory.rows import Terms

ROWS_DEFAULT = 100
ROWS_MAX = 10_000


class Clock(StrEnum):
    """Which of the two clocks a question is about.

    ``occurred`` asks what was true at an instant, by everything known today; ``recorded`` asks what the books
    said at that instant.
    """

    OCCURRED = "occurred"
    RECORDED = "recorded"


class Page(Struct, frozen=True, kw_only=True):
    """How many rows, and after which cursor; a cursor is what the page before gave as ``next``."""

    limit: int = ROWS_DEFAULT
    cursor: str | None = None

    @property
    def rows(self) -> int:
        return max(1, min(self.limit, ROWS_MAX))


class Span(Struct, frozen=True, kw_only=True):
    """From an instant to before another one on one of the clocks; newest first."""

    since: datetime | None = None
    until: datetime | None = None
    clock: Clock = Clock.OCCURRED
    limit: int = ROWS_DEFAULT
    cursor: str | None = None


class StoreAnswer(Struct, frozen=True, kw_only=True):
    """A store: where it is, its policy, and up to when it was heard from."""

    store: str
    name: str
    street: str
    city: str
    state: str
    postal_code: str
    latitude: float | None
    longitude: float | None
    time_zone: str
    pickup: bool
    staleness_grace_minutes: int
    rules: dict[str, dict[str, int]]
    heard_at: datetime | None


class LevelAnswer(Struct, frozen=True, kw_only=True):
    """One SKU in one store, term by term; the data age is how long the store has been silent."""

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
    """A store that can promise a SKU."""

    store: str
    name: str
    city: str
    state: str
    distance_km: float | None
    atp: int
    terms: Terms
    heard_at: datetime | None


class IncomingAnswer(Struct, frozen=True, kw_only=True):
    """Units of a SKU on their way to a store, by document or transfer, and when; overdue ones count for nothing."""

    store: str
    sku: str
    quantity: int
    expected_at: datetime
    overdue: bool
    document: str | None = None
    transfer: str | None = None


class LaterAnswer(Struct, frozen=True, kw_only=True):
    """What may be promised of a SKU for a later instant: what is free now, and what is expected by then."""

    store: str
    sku: str
    on: datetime
    available: int
    atp_now: int
    incoming: tuple[IncomingAnswer, ...]


class TransferLineAnswer(Struct, frozen=True, kw_only=True):
    """Units of one SKU: what was announced, what arrived, what is still on its way, and what the end found missing."""

    sku: str
    announced: int
    received: int
    on_the_way: int
    short: int


class TransferAnswer(Struct, frozen=True, kw_only=True):
    """Goods between two stores, as the receiving one knows them."""

    transfer: str
    from_store: str
    to_store: str
    state: str
    expected_at: datetime | None
    heard_at: datetime
    lines: tuple[TransferLineAnswer, ...]


class MovementAnswer(Struct, frozen=True, kw_only=True):
    """One line of one message: what it said, what it changed in the books, and on hand after it.

    For a count, ``change`` is what was counted. ``applied`` differs from ``change`` where a newer count had
    already seen the movement.
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
    """What could be promised at a past instant."""

    store: str
    sku: str
    instant: datetime
    clock: Clock
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
    """Units promised to an order; without lines it is the memory of a refusal."""

    store: str
    hold: str
    order: str
    granted_at: datetime
    until: datetime
    promised_for: datetime | None
    active: bool
    lines: tuple[HoldLineAnswer, ...]


class GapAnswer(Struct, frozen=True, kw_only=True):
    """Sequences of a device that have not arrived although later ones have."""

    store: str
    source: str
    first: int
    last: int
    heard_at: datetime


class PositionAnswer(Struct, frozen=True, kw_only=True):
    """How far a partition was read; of a changelog, also which position of its source the rows stand for."""

    topic: str
    partition: int
    position: int
    source_position: int | None
    recorded_at: datetime
    updated_at: datetime


class TotalsAnswer(Struct, frozen=True, kw_only=True):
    """Everything in the books, added up."""

    stores: int
    skus: int
    cells: int
    on_hand: int
    held: int
    staged: int
    in_doubt: int
    quarantined: int
    damaged: int
    holds_active: int
    gaps_open: int


def instant(ms: int) -> datetime:
    """The aware instant of milliseconds since the epoch."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def instant_or_none(ms: int | None) -> datetime | None:
    """The instant, or None where the row has none (nothing, zero or below)."""
    return instant(ms) if ms is not None and ms > 0 else None
