"""What can be said about stock: reports (facts that may not be refused) and commands (which may)."""

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from bopis.domain.values import (
    LINES_MAX,
    AmountCents,
    Category,
    Change,
    Counted,
    Id,
    Instant,
    Quantity,
    Sku,
    StoreId,
    Text,
    Units,
)

ConclusionNumber = Annotated[int, Meta(ge=0)]


class Condition(StrEnum):
    """What a returned unit is good for; only sellable units join the books."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"
    QUARANTINE = "quarantine"


class Reason(StrEnum):
    """Why the books were adjusted by hand."""

    DAMAGE = "damage"
    THEFT = "theft"
    FOUND = "found"
    SPOILED = "spoiled"
    OWN_USE = "own_use"
    CORRECTION = "correction"
    QUARANTINE_RELEASED = "quarantine_released"
    QUARANTINE_SCRAPPED = "quarantine_scrapped"


class SaleLine(Struct, frozen=True, gc=False):
    """One line of a till's basket; a negative quantity is a sellable return, zero moves nothing."""

    sku: Sku
    quantity: Change
    amount_cents: AmountCents = 0


class ReturnLine(Struct, frozen=True, kw_only=True):
    sku: Sku
    quantity: Quantity
    condition: Condition = Condition.SELLABLE
    amount_cents: AmountCents = 0


class StockLine(Struct, frozen=True, kw_only=True):
    sku: Sku
    quantity: Quantity


class CountLine(Struct, frozen=True, kw_only=True):
    sku: Sku
    counted: Counted


class ChangeLine(Struct, frozen=True, kw_only=True):
    sku: Sku
    change: Change


class OrderLine(Struct, frozen=True, kw_only=True):
    """One line of an order: its number there, and how many units of which SKU."""

    line: Annotated[int, Meta(ge=1, le=LINES_MAX)]
    sku: Sku
    quantity: Quantity


class PickLine(Struct, frozen=True, kw_only=True):
    """What was found for one line of a hold: set aside, and missing on the shelf."""

    line: Annotated[int, Meta(ge=1, le=LINES_MAX)]
    picked: Units
    missing: Units = 0


class CategoryLine(Struct, frozen=True, kw_only=True):
    sku: Sku
    category: Category


SaleLines = Annotated[tuple[SaleLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
ReturnLines = Annotated[tuple[ReturnLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
StockLines = Annotated[tuple[StockLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
CountLines = Annotated[tuple[CountLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
ChangeLines = Annotated[tuple[ChangeLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
OrderLines = Annotated[tuple[OrderLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
PickLines = Annotated[tuple[PickLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
CategoryLines = Annotated[tuple[CategoryLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
LineNumbers = Annotated[tuple[int, ...], Meta(max_length=LINES_MAX)]


# Reports


class PosSale(Struct, frozen=True, kw_only=True):
    """A till sold a basket."""

    basket: Id
    lines: SaleLines


class PosReturn(Struct, frozen=True, kw_only=True):
    """A customer brought goods back."""

    basket: Id
    lines: ReturnLines


class StockReceived(Struct, frozen=True, kw_only=True):
    """Goods arrived from a supplier or a distribution centre; what was expected under the document is so no longer."""

    document: Id
    lines: StockLines


class StockExpected(Struct, frozen=True, kw_only=True):
    """Goods of a document will arrive at an instant: they count for promises from then on, never for today's.

    Said again, all of it stands anew: of the words about one document the newest by its own time counts.
    """

    document: Id
    lines: StockLines
    expected_at: Instant


class ExpectationWithdrawn(Struct, frozen=True, kw_only=True):
    """Goods of a document are expected no longer."""

    document: Id


class StockCounted(Struct, frozen=True, kw_only=True):
    """Somebody counted the shelf at the message's time.

    The default is shelf only: staged goods are added. ``closes_gaps`` says that the count covered all that
    messages still missing from devices could have touched, so their holes are closed.
    """

    lines: CountLines
    staged_counted: bool = False
    closes_gaps: bool = False


class StockAdjusted(Struct, frozen=True, kw_only=True):
    """The books were corrected by hand, for a reason."""

    reason: Reason
    lines: ChangeLines
    note: Text = ""


class TransferShipped(Struct, frozen=True, kw_only=True):
    """Goods left this store for another one; when they will be there, if that is known."""

    transfer: Id
    to_store: StoreId
    lines: StockLines
    expected_at: Instant | None = None


class TransferAnnounced(Struct, frozen=True, kw_only=True):
    """Goods are on their way here; said to the receiving store when the sending one shipped them."""

    transfer: Id
    from_store: StoreId
    lines: StockLines
    expected_at: Instant | None = None


class TransferReceived(Struct, frozen=True, kw_only=True):
    """Goods of a transfer arrived; ``complete`` when no more of it is expected."""

    transfer: Id
    from_store: StoreId
    lines: StockLines
    complete: bool = True


class StockPicked(Struct, frozen=True, kw_only=True):
    """Goods of a hold were set aside, or not found on the shelf."""

    hold: Id
    lines: PickLines


class AgentHeartbeat(Struct, frozen=True, kw_only=True):
    """The store is connected and has nothing older to say."""


class Tick(Struct, frozen=True, kw_only=True):
    """Something of this partition is due; written by the processor's own timer.

    ``numbers`` are there only in a tick that was moved with its store to other partitions: it is about its
    subject alone, and its conclusions keep the numbers under which they were told before the move.
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
    """Give held units back; without line numbers, all lines that are still held."""

    hold: Id
    lines: LineNumbers = ()
    reason: Text = ""


class CollectStock(Struct, frozen=True, kw_only=True):
    """Held units were handed over; without line numbers, all lines that are still held."""

    hold: Id
    lines: LineNumbers = ()


class ExtendHold(Struct, frozen=True, kw_only=True):
    """Keep a hold until a later deadline."""

    hold: Id
    hold_until: Instant


class SetStockRule(Struct, frozen=True, kw_only=True):
    """Units never promised online, for a SKU, a category or the whole store.

    A term left out is not ruled here and falls to the next wider rule; both left out removes the rule.
    """

    sku: Sku | None = None
    category: Category | None = None
    safety_stock: Units | None = None
    walk_in_reserve: Units | None = None


class SetStorePolicy(Struct, frozen=True, kw_only=True):
    """Whether the store takes pickups, and when its data count as stale; a term left out stays as it is."""

    pickup: bool | None = None
    staleness_grace_minutes: Annotated[int, Meta(ge=0, le=100_000)] | None = None


class CategoriseSkus(Struct, frozen=True, kw_only=True):
    """Which category each SKU belongs to in this store."""

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
    | StockPicked
    | AgentHeartbeat
    | Tick
)
Command = ReserveStock | ReleaseStock | CollectStock | ExtendHold | SetStockRule | SetStorePolicy | CategoriseSkus

# Told from their repeats by the hold itself, so their ids need not be remembered.
HOLD_COMMANDS = (ReserveStock, ReleaseStock, CollectStock, ExtendHold)
