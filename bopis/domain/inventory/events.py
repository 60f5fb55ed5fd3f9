"""What the inventory concludes, in the past tense. Reports are not copied: the log is their record."""

from enum import StrEnum

from msgspec import Struct

from bopis.domain.inventory.messages import OrderLine, StockLine
from bopis.domain.inventory.rows import Terms


class Refusal(StrEnum):
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
    """Why a SKU could not be promised: what was wanted and each term of what could be."""

    sku: str
    wanted: int
    terms: Terms


class ShortfallHit(Struct, frozen=True, kw_only=True):
    """Units that one line of a hold lost."""

    hold: str
    order: str
    line: int
    lost: int


class Discrepancy(Struct, frozen=True, kw_only=True):
    sku: str
    shipped: int
    received: int


class StockReserved(Struct, frozen=True, kw_only=True):
    hold: str
    order: str
    lines: tuple[OrderLine, ...]
    hold_until_ms: int


class ReservationRefused(Struct, frozen=True, kw_only=True):
    hold: str
    order: str
    reason: Refusal
    shortages: tuple[Shortage, ...] = ()


class HoldChanged(Struct, frozen=True, kw_only=True):
    """Lines of a hold ended: collected, released or expired, with the units they still had."""

    hold: str
    order: str
    end: HoldEnd
    lines: tuple[OrderLine, ...]
    reason: str = ""


class HoldExtended(Struct, frozen=True, kw_only=True):
    hold: str
    order: str
    hold_until_ms: int


class HoldCommandRefused(Struct, frozen=True, kw_only=True):
    """A message about a hold did not fit it. ``order`` is empty where the hold is not known."""

    hold: str
    order: str = ""
    command: str
    reason: Refusal


class ShortfallFound(Struct, frozen=True, kw_only=True):
    """More units were held than the books now have; the holds that lost units are named."""

    sku: str
    missing: int
    on_hand: int
    held: int
    hits: tuple[ShortfallHit, ...]


class ShortPickFound(Struct, frozen=True, kw_only=True):
    """Units of a hold were not on the shelf; they are in doubt until a count settles them."""

    hold: str
    order: str
    line: int
    sku: str
    missing: int


class DoubtSettled(Struct, frozen=True, kw_only=True):
    """A count told what became of units that a pick of this hold had not found."""

    sku: str
    hold: str
    order: str
    on_hand: int


class GapFound(Struct, frozen=True, kw_only=True):
    """Sequences ``first`` to ``last`` of a device have not arrived although later ones have."""

    device: str
    first: int
    last: int


class GapFilled(Struct, frozen=True, kw_only=True):
    device: str
    sequence: int


class GapClosed(Struct, frozen=True, kw_only=True):
    """A count settled what the missing messages could have moved."""

    device: str
    first: int
    last: int


class CountRefused(Struct, frozen=True, kw_only=True):
    """A count lies too far back among later movements to be placed; the SKU must be counted again."""

    sku: str
    counted: int
    reason: Refusal
    newest_forgotten_ms: int


class TransferDispatched(Struct, frozen=True, kw_only=True):
    transfer: str
    to_store: str
    lines: tuple[StockLine, ...]


class TransferDiscrepancyFound(Struct, frozen=True, kw_only=True):
    transfer: str
    from_store: str
    lines: tuple[Discrepancy, ...]


class ReceiptDifference(Struct, frozen=True, kw_only=True):
    sku: str
    expected: int
    received: int


class ReceiptDiscrepancyFound(Struct, frozen=True, kw_only=True):
    """A receipt brought less or more than was expected under its document; the rest is expected no longer."""

    document: str
    lines: tuple[ReceiptDifference, ...]


class ReceiptOverdue(Struct, frozen=True, kw_only=True):
    """Goods were expected by now and have not been received: they count for no promise until a new date is said."""

    document: str
    expected_ms: int
    lines: tuple[StockLine, ...]


class ExpectationRefused(Struct, frozen=True, kw_only=True):
    """A withdrawal names a document under which nothing is expected."""

    document: str
    reason: Refusal


class ThresholdCrossed(Struct, frozen=True, kw_only=True):
    """A SKU went out of pickup stock, or came back into it; ``available`` leaves staleness aside."""

    sku: str
    in_pickup_stock: bool
    available: int


class StockRuleSet(Struct, frozen=True, kw_only=True):
    rule: str
    safety_stock: int | None
    walk_in_reserve: int | None


class StorePolicySet(Struct, frozen=True, kw_only=True):
    pickup: bool
    staleness_grace_minutes: int


Event = (
    StockReserved
    | ReservationRefused
    | HoldChanged
    | HoldExtended
    | HoldCommandRefused
    | ShortfallFound
    | ShortPickFound
    | DoubtSettled
    | GapFound
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
)
