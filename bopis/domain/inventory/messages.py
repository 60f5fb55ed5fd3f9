"""Messages about stock: reports, which are facts and may not be refused, and commands, which may."""

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from bopis.domain.inventory.articles import CatalogueChanged
from bopis.domain.inventory.ledger import LedgerComparison
from bopis.domain.values import (
    LINES_MAX,
    AmountCents,
    Category,
    Change,
    ChangeLine,
    Counted,
    Id,
    Instant,
    Quantity,
    Sku,
    StoreId,
    Text,
    Units,
)

ROW_KEY_LENGTH_MAX = 500
MISPLACED_ROWS_MAX = 300
STALENESS_PERCENT_MAX = 1_000

ConclusionNumber = Annotated[int, Meta(ge=0)]


class Condition(StrEnum):
    """Condition of a returned unit; only sellable units join the books."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"
    QUARANTINE = "quarantine"


class AdjustmentReason(StrEnum):
    """Reason of a manual adjustment of the books."""

    DAMAGE = "damage"
    THEFT = "theft"
    FOUND = "found"
    SPOILED = "spoiled"
    OWN_USE = "own_use"
    CORRECTION = "correction"
    QUARANTINE_RELEASED = "quarantine_released"
    QUARANTINE_SCRAPPED = "quarantine_scrapped"
    DRIFT = "drift"


class SaleLine(Struct, frozen=True, gc=False):
    """One line of a till's basket; a negative quantity is a sellable return, zero changes nothing."""

    sku: Sku
    quantity: Change
    amount_cents: AmountCents = 0


class ReturnLine(Struct, frozen=True, kw_only=True):
    """One line of returned goods."""

    sku: Sku
    quantity: Quantity
    condition: Condition = Condition.SELLABLE
    amount_cents: AmountCents = 0


class StockLine(Struct, frozen=True, kw_only=True):
    """Units of one SKU."""

    sku: Sku
    quantity: Quantity


class CountLine(Struct, frozen=True, kw_only=True):
    """Units of one SKU found by a count."""

    sku: Sku
    counted: Counted


class OrderLine(Struct, frozen=True, kw_only=True):
    """One line of an order: its number there, SKU and units."""

    line: Annotated[int, Meta(ge=1, le=LINES_MAX)]
    sku: Sku
    quantity: Quantity


class PickLine(Struct, frozen=True, kw_only=True):
    """Pick of one line of a hold: units set aside, and units missing on the shelf."""

    line: Annotated[int, Meta(ge=1, le=LINES_MAX)]
    picked: Units
    missing: Units = 0


class DoubtedLine(Struct, frozen=True, kw_only=True):
    """Units of one line of a hold that nobody can vouch for: not found, lost or damaged."""

    line: Annotated[int, Meta(ge=1, le=LINES_MAX)]
    units: Quantity


class SplitLine(Struct, frozen=True, kw_only=True):
    """Units of one line of a hold that become line ``into`` of it; ``picked`` of them are set aside."""

    line: Annotated[int, Meta(ge=1, le=LINES_MAX)]
    into: Annotated[int, Meta(ge=1, le=LINES_MAX)]
    quantity: Units
    picked: Units = 0


class CategoryLine(Struct, frozen=True, kw_only=True):
    """Category of one SKU."""

    sku: Sku
    category: Category


SaleLines = Annotated[tuple[SaleLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
ReturnLines = Annotated[tuple[ReturnLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
StockLines = Annotated[tuple[StockLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
CountLines = Annotated[tuple[CountLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
ChangeLines = Annotated[tuple[ChangeLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
OrderLines = Annotated[tuple[OrderLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
PickLines = Annotated[tuple[PickLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
DoubtedLines = Annotated[tuple[DoubtedLine, ...], Meta(max_length=LINES_MAX)]
SplitLines = Annotated[tuple[SplitLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
CategoryLines = Annotated[tuple[CategoryLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
LineNumbers = Annotated[tuple[int, ...], Meta(max_length=LINES_MAX)]


# Reports


class PosSale(Struct, frozen=True, kw_only=True):
    """A till sold a basket."""

    basket: Id
    lines: SaleLines


class PosReturn(Struct, frozen=True, kw_only=True):
    """A customer returned goods."""

    basket: Id
    lines: ReturnLines


class StockReceived(Struct, frozen=True, kw_only=True):
    """Goods arrived from a supplier or a distribution centre. It ends what was expected under the document."""

    document: Id
    lines: StockLines


class StockExpected(Struct, frozen=True, kw_only=True):
    """Goods of a document will arrive at an instant; they count for promises from then on.

    A newer announcement for the same document replaces the older one, by message time.
    """

    document: Id
    lines: StockLines
    expected_at: Instant


class ExpectationWithdrawn(Struct, frozen=True, kw_only=True):
    """Goods of a document are no longer expected."""

    document: Id


class StockCounted(Struct, frozen=True, kw_only=True):
    """The shelf was counted at the message's time.

    By default the count is of the shelf only, and staged goods are added. ``closes_gaps`` states that the count covers
    everything that messages still missing from devices could have changed, so their holes are closed.
    """

    lines: CountLines
    staged_counted: bool = False
    closes_gaps: bool = False


class StockAdjusted(Struct, frozen=True, kw_only=True):
    """The books were adjusted by hand, for a reason."""

    reason: AdjustmentReason
    lines: ChangeLines
    note: Text = ""


class TransferShipped(Struct, frozen=True, kw_only=True):
    """Goods left this store for another one; ``expected_at`` is when they arrive there, if known."""

    transfer: Id
    to_store: StoreId
    lines: StockLines
    expected_at: Instant | None = None


class TransferAnnounced(Struct, frozen=True, kw_only=True):
    """Goods are on their way to this store; sent when the other store ships them."""

    transfer: Id
    from_store: StoreId
    lines: StockLines
    expected_at: Instant | None = None


class TransferReceived(Struct, frozen=True, kw_only=True):
    """Goods of a transfer arrived; ``complete`` when no more of them are expected."""

    transfer: Id
    from_store: StoreId
    lines: StockLines
    complete: bool = True


class TransferDiverted(Struct, frozen=True, kw_only=True):
    """Goods on their way to this store arrived in another one; no more of the transfer is expected here."""

    transfer: Id
    from_store: StoreId
    arrived_in: StoreId


class StockPicked(Struct, frozen=True, kw_only=True):
    """Goods of a hold were set aside, or were missing on the shelf."""

    hold: Id
    lines: PickLines


class AgentHeartbeat(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The store is connected and has nothing older to report.

    A store agent adds its version, how far its clock is ahead of the log (milliseconds, below zero: behind), the
    messages that came in meanwhile and wait, and the records that wait for a person: rejects and changed baskets.
    ``ledger`` is the result of a comparison of its journal with the centre's books since the heartbeat before.
    """

    version: Text = ""
    clock_ahead_ms: int | None = None
    depth: Counted = 0
    rejects: Counted = 0
    changed: Counted = 0
    ledger: LedgerComparison | None = None


class StockTick(Struct, frozen=True, kw_only=True):
    """Deadlines of this partition have passed; written by the processor's own timer.

    ``numbers`` are set only in a tick that was moved with its store to another partition: it is about its subject
    alone, and its events keep the numbers that they had before the move.
    """

    at: Instant
    numbers: tuple[ConclusionNumber, ...] | UnsetType = UNSET


# Commands


class ReserveStock(Struct, frozen=True, kw_only=True):
    """Hold all lines for an order until a deadline, or none of them."""

    hold: Id
    order: Id
    lines: OrderLines
    hold_until: Instant
    promised_for: Instant | None = None


class ReleaseStock(Struct, frozen=True, kw_only=True):
    """Release held units; without line numbers, all lines that are still held.

    Units ``in_doubt`` leave the hold and are not promised again until a count settles them.
    """

    hold: Id
    lines: LineNumbers = ()
    reason: Text = ""
    in_doubt: DoubtedLines = ()


class CollectStock(Struct, frozen=True, kw_only=True):
    """Hand held units over; without line numbers, all lines that are still held."""

    hold: Id
    lines: LineNumbers = ()


class ExtendHold(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Extend a hold to a later deadline. ``promised_for`` is set when its goods are promised for a later time, too."""

    hold: Id
    hold_until: Instant
    promised_for: Instant | None = None


class SplitHold(Struct, frozen=True, kw_only=True):
    """Split units off lines of a hold, so that they can end apart. Nothing is promised or released by it."""

    hold: Id
    lines: SplitLines


class SetStockRule(Struct, frozen=True, kw_only=True):
    """Set the units that are never promised online, for a SKU, a category or the whole store.

    A term left out is set by the next wider rule. A rule without terms is removed.
    """

    sku: Sku | None = None
    category: Category | None = None
    safety_stock: Units | None = None
    walk_in_reserve: Units | None = None


class SetStorePolicy(Struct, frozen=True, kw_only=True):
    """Set whether the store takes pickups and when its data become stale; a term left out stays unchanged.

    A store that takes no more pickups gives its open orders away, unless it ``finishes_open`` ones. Staleness counts
    ``staleness_percent`` of the sales expected since the store's last report; 0 switches it off.
    """

    pickup: bool | None = None
    staleness_grace_minutes: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    finishes_open: bool | None = None
    staleness_percent: Annotated[int, Meta(ge=0, le=STALENESS_PERCENT_MAX)] | None = None


class MisplacedRow(Struct, frozen=True, kw_only=True):
    """A row of a store in a partition that the store does not belong in; ``on_hand`` if it is the level of a SKU."""

    key: Annotated[str, Meta(min_length=1, max_length=ROW_KEY_LENGTH_MAX)]
    on_hand: int | None = None


class DropMisplacedRows(Struct, frozen=True, kw_only=True):
    """Drop rows of a store from a partition that it does not belong in; the subject of the message is ``-``.

    Versions that did not check the partition of a record kept a second set of books there.
    """

    store: StoreId
    rows: Annotated[tuple[MisplacedRow, ...], Meta(min_length=1, max_length=MISPLACED_ROWS_MAX)]


class CategoriseSkus(Struct, frozen=True, kw_only=True):
    """Set the category of SKUs in this store."""

    lines: CategoryLines


Report = (
    PosSale
    | PosReturn
    | StockReceived
    | StockExpected
    | ExpectationWithdrawn
    | StockCounted
    | StockAdjusted
    | TransferShipped
    | TransferAnnounced
    | TransferReceived
    | TransferDiverted
    | StockPicked
    | AgentHeartbeat
)
Command = (
    ReserveStock
    | ReleaseStock
    | CollectStock
    | ExtendHold
    | SplitHold
    | SetStockRule
    | SetStorePolicy
    | CategoriseSkus
    | DropMisplacedRows
)

StockMessage = Report | Command | StockTick | CatalogueChanged

# Idempotent through the state of the hold, so their ids need not be remembered.
HOLD_COMMANDS = (ReserveStock, ReleaseStock, CollectStock, ExtendHold, SplitHold)
