"""Events of the inventory, in the past tense. Reports are not copied into events: the log is their record."""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from bopis.domain.inventory.messages import MisplacedRow, OrderLine, SplitLine, StockLine
from bopis.domain.inventory.rows import Terms


class StockRefusal(StrEnum):
    """Why a command was refused, in the order in which it is checked."""

    PICKUP_OFF = "pickup_off"
    DEADLINE_PASSED = "deadline_passed"
    NOT_ENOUGH_STOCK = "not_enough_stock"
    UNKNOWN_HOLD = "unknown_hold"
    UNKNOWN_LINE = "unknown_line"
    HOLD_ENDED = "hold_ended"
    COUNT_TOO_OLD = "count_too_old"
    UNKNOWN_DOCUMENT = "unknown_document"


class HoldEnd(StrEnum):
    """How units of a hold ended; each unit ends exactly once."""

    COLLECTED = "collected"
    RELEASED = "released"
    EXPIRED = "expired"
    LOST = "lost"


class Shortage(Struct, frozen=True, kw_only=True):
    """A SKU that could not be promised: units wanted, and the terms of what could be."""

    sku: str
    wanted: int
    terms: Terms


class ShortfallHit(Struct, frozen=True, kw_only=True):
    """Units that one line of a hold lost to a shortfall."""

    hold: str
    order: str
    line: int
    lost: int


class Discrepancy(Struct, frozen=True, kw_only=True):
    """Units of a SKU shipped and received, where they differ."""

    sku: str
    shipped: int
    received: int


class StockReserved(Struct, frozen=True, kw_only=True):
    """All lines of a reservation are held until the deadline."""

    hold: str
    order: str
    lines: tuple[OrderLine, ...]
    hold_until_ms: int


class ReservationRefused(Struct, frozen=True, kw_only=True):
    """A reservation was refused as a whole."""

    hold: str
    order: str
    reason: StockRefusal
    shortages: tuple[Shortage, ...] = ()


class HoldChanged(Struct, frozen=True, kw_only=True):
    """Lines of a hold ended: collected, released or expired, with the units they still had."""

    hold: str
    order: str
    end: HoldEnd
    lines: tuple[OrderLine, ...]
    reason: str = ""


class HoldExtended(Struct, frozen=True, kw_only=True):
    """A hold has a later deadline."""

    hold: str
    order: str
    hold_until_ms: int


class HoldSplit(Struct, frozen=True, kw_only=True):
    """Units of lines of a hold became lines of their own, with what the hold still covered of them."""

    hold: str
    order: str
    lines: tuple[SplitLine, ...]


class HoldCommandRefused(Struct, frozen=True, kw_only=True):
    """A message did not fit its hold. ``order`` is empty when the hold is unknown."""

    hold: str
    order: str = ""
    command: str
    reason: StockRefusal


class ShortfallFound(Struct, frozen=True, kw_only=True):
    """More units were held than are on hand; ``hits`` are the hold lines that lost them."""

    sku: str
    missing: int
    on_hand: int
    held: int
    hits: tuple[ShortfallHit, ...]


class ShortPickFound(Struct, frozen=True, kw_only=True):
    """Units of a hold were missing on the shelf; they are in doubt until a count settles them."""

    hold: str
    order: str
    line: int
    sku: str
    missing: int


class DoubtSettled(Struct, frozen=True, kw_only=True):
    """A count settled the units that a pick of this hold had reported missing."""

    sku: str
    hold: str
    order: str
    on_hand: int


class GapFound(Struct, frozen=True, kw_only=True):
    """Sequences ``first`` to ``last`` of a device are missing although a later one has arrived."""

    device: str
    first: int
    last: int


class GapFilled(Struct, frozen=True, kw_only=True):
    """A missing sequence of a device has arrived."""

    device: str
    sequence: int


class GapClosed(Struct, frozen=True, kw_only=True):
    """A count covered everything that the missing messages could have changed."""

    device: str
    first: int
    last: int


class CountRefused(Struct, frozen=True, kw_only=True):
    """A count is too old to be placed among later movements; the SKU must be counted again."""

    sku: str
    counted: int
    reason: StockRefusal
    newest_forgotten_ms: int


class TransferDispatched(Struct, frozen=True, kw_only=True):
    """Goods left this store for another one."""

    transfer: str
    to_store: str
    lines: tuple[StockLine, ...]


class TransferDiscrepancyFound(Struct, frozen=True, kw_only=True):
    """A transfer brought other units than were shipped."""

    transfer: str
    from_store: str
    lines: tuple[Discrepancy, ...]


class ReceiptDifference(Struct, frozen=True, kw_only=True):
    """Units of a SKU expected and received, where they differ."""

    sku: str
    expected: int
    received: int


class ReceiptDiscrepancyFound(Struct, frozen=True, kw_only=True):
    """A receipt brought less or more than expected under its document; the rest is no longer expected."""

    document: str
    lines: tuple[ReceiptDifference, ...]


class ReceiptOverdue(Struct, frozen=True, kw_only=True):
    """Expected goods have not arrived in time; they count for no promise until a new date is announced."""

    document: str
    expected_ms: int
    lines: tuple[StockLine, ...]


class ExpectationRefused(Struct, frozen=True, kw_only=True):
    """A withdrawal named a document under which nothing is expected."""

    document: str
    reason: StockRefusal


class ThresholdCrossed(Struct, frozen=True, kw_only=True):
    """A SKU went out of pickup stock, or came back into it; ``available`` disregards staleness."""

    sku: str
    in_pickup_stock: bool
    available: int


class StockRuleSet(Struct, frozen=True, kw_only=True):
    """A stock rule was set, or removed when both terms are null."""

    rule: str
    safety_stock: int | None
    walk_in_reserve: int | None


class StorePolicySet(Struct, frozen=True, kw_only=True):
    """The store's policy after a change."""

    pickup: bool
    staleness_grace_minutes: int
    finishes_open: bool = False
    staleness_percent: int = 100


class MisplacedRowsDropped(Struct, frozen=True, kw_only=True):
    """Rows of a store were dropped from a partition that it does not belong in, with the on hand that they had."""

    store: str
    rows: tuple[MisplacedRow, ...]


HoldEvent = (
    StockReserved
    | ReservationRefused
    | HoldChanged
    | HoldExtended
    | HoldSplit
    | HoldCommandRefused
    | ShortfallFound
    | ShortPickFound
    | DoubtSettled
)
BooksEvent = (
    GapFound
    | GapFilled
    | GapClosed
    | CountRefused
    | TransferDispatched
    | TransferDiscrepancyFound
    | ReceiptDiscrepancyFound
    | ReceiptOverdue
    | ExpectationRefused
    | ThresholdCrossed
    | StockRuleSet
    | StorePolicySet
    | MisplacedRowsDropped
)
Event = HoldEvent | BooksEvent


class StoreEvent(NamedTuple):
    """An event, and the store that it is about."""

    store: str
    event: Event
