"""What can be said to a pickup order: commands (which may be refused), reports and answers (which may not).

Answers of the inventory come in their own words (`bopis.domain.inventory.events`).
"""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.inventory import events as inventory
from bopis.domain.orders.terms import (
    ORDER_LINES_MAX,
    Allows,
    Arrival,
    By,
    CustomerRef,
    Document,
    EndReason,
    Hash,
    LineNumber,
    LineNumbers,
    Place,
    Proof,
    RejectReason,
    Sealed,
)
from bopis.domain.orders.units import PickedLine, ReturnedLine, WantedLine
from bopis.domain.sourcing.decision import Decision
from bopis.domain.sourcing.request import Place as Point
from bopis.domain.sourcing.request import Slot
from bopis.domain.values import LINES_MAX, AmountCents, Id, Instant, Sku, StoreId, Text

# Commands of the customer, the checkout and the staff


class PlaceOrder(Struct, frozen=True, kw_only=True):
    """Take an order. ``key`` is the keyed hash of the caller's idempotency key, ``request`` of what was asked:
    the same key with the same request says nothing new, with another one it is refused.

    Without payment ``methods`` the customer pays in the store. The hashes are those of the first pickup code.
    """

    key: Hash
    request: Hash
    customer: CustomerRef
    store: StoreId
    lines: Annotated[tuple[WantedLine, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    slot: Slot | None = None
    place: Point | None = None
    allows: Allows = Allows()
    methods: Annotated[tuple[Id, ...], Meta(max_length=8)] = ()
    currency: Annotated[str, Meta(max_length=3)] = ""
    code_hash: Hash = ""
    token_hash: Hash = ""
    note: Sealed = ""


class CancelOrder(Struct, frozen=True, kw_only=True):
    """End lines that were not handed over; without line numbers all of them."""

    by: By
    reason: EndReason = EndReason.CUSTOMER_WISH
    lines: LineNumbers = ()


class AcceptAlternative(Struct, frozen=True, kw_only=True):
    """The customer takes the offered store."""

    attempt: Annotated[int, Meta(ge=1)]
    store: StoreId


class RefuseAlternative(Struct, frozen=True, kw_only=True):
    """The customer takes none of the offered stores."""

    attempt: Annotated[int, Meta(ge=1)]


class AcceptPick(Struct, frozen=True, kw_only=True):
    """The store will prepare the lines that are promised there."""

    store: StoreId


class RejectPick(Struct, frozen=True, kw_only=True):
    """The store will not prepare lines that are promised there; without line numbers all of them."""

    store: StoreId
    reason: RejectReason
    lines: LineNumbers = ()


class AssignPicker(Struct, frozen=True, kw_only=True):
    """Who will pick the order's lines in a store; an empty name takes it back."""

    store: StoreId
    picker: Annotated[str, Meta(max_length=128)]


class StartPicking(Struct, frozen=True, kw_only=True):
    """Somebody walks off to pick the order's lines in a store."""

    store: StoreId


class RecordPick(Struct, frozen=True, kw_only=True):
    """What was found on the shelf for lines of the order."""

    store: StoreId
    lines: Annotated[tuple[PickedLine, ...], Meta(min_length=1, max_length=LINES_MAX)]


class OfferSubstitute(Struct, frozen=True, kw_only=True):
    """Another SKU for a line that was short."""

    line: LineNumber
    sku: Sku
    unit_cents: AmountCents | None = None


class AcceptSubstitute(Struct, frozen=True, kw_only=True):
    """The customer takes the substitute of a line."""

    line: LineNumber


class RefuseSubstitute(Struct, frozen=True, kw_only=True):
    """The customer does not take the substitute of a line."""

    line: LineNumber


class StageOrder(Struct, frozen=True, kw_only=True):
    """Picked goods were put in a named staging location; without line numbers all that is picked."""

    store: StoreId
    location: Place
    lines: LineNumbers = ()


class WithdrawReady(Struct, frozen=True, kw_only=True):
    """Staged goods cannot be handed over after all: lost or damaged in staging."""

    store: StoreId
    lines: Annotated[tuple[LineNumber, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    reason: Text = ""


class HandOver(Struct, frozen=True, kw_only=True):
    """Goods are given to somebody who proved that they may have them; without line numbers all that is staged.

    ``presented`` is the keyed hash of the code or token. ``to`` names a proxy, sealed; the customer if empty.
    ``signature`` refers to an image kept elsewhere.
    """

    store: StoreId
    proof: Proof
    presented: Hash = ""
    document: Document = Document.NONE
    lines: LineNumbers = ()
    to: Sealed = ""
    signature: Annotated[str, Meta(max_length=200)] = ""


class ExtendPickup(Struct, frozen=True, kw_only=True):
    """Keep ready goods until a later instant."""

    store: StoreId
    until: Instant


class ReissueCode(Struct, frozen=True, kw_only=True):
    """A new pickup code; the one before it is void and the tries begin anew."""

    version: Annotated[int, Meta(ge=2)]
    code_hash: Hash
    token_hash: Hash


class ReturnInStore(Struct, frozen=True, kw_only=True):
    """The customer brought handed-over goods back to a store, which need not be the same one."""

    store: StoreId
    lines: Annotated[tuple[ReturnedLine, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]


class ConfirmPutBack(Struct, frozen=True, kw_only=True):
    """The goods of a put-back task are on the shelf again."""

    task: Id


# Reports, and answers of other processors


class Tick(Struct, frozen=True, kw_only=True):
    """Something of this order was due at an instant; written by the processor's own timer."""

    at: Instant


class CustomerArrived(Struct, frozen=True, kw_only=True):
    """The customer says: I am here."""

    store: StoreId
    where: Arrival = Arrival.COUNTER
    spot: Annotated[str, Meta(max_length=64)] = ""


class OrderRouted(Struct, frozen=True, kw_only=True):
    """Routing found stores, or alternatives to offer, for an attempt."""

    attempt: Annotated[int, Meta(ge=1)]
    decision: Decision


class RoutingFailed(Struct, frozen=True, kw_only=True):
    """Routing found no store for an attempt."""

    attempt: Annotated[int, Meta(ge=1)]
    decision: Decision


class StockAppeared(Struct, frozen=True, kw_only=True):
    """Stock that waiting lines asked for may be promised again."""

    store: StoreId
    skus: Annotated[tuple[Sku, ...], Meta(max_length=LINES_MAX)] = ()


class StoreWithdrawn(Struct, frozen=True, kw_only=True):
    """A store takes no more pickups; ``closing`` when it cannot hand over what it has staged either."""

    store: StoreId
    closing: bool = False


class PaymentAuthorised(Struct, frozen=True, kw_only=True):
    """The order's amount is authorised on a stored method."""

    method: Id


class PaymentDeclined(Struct, frozen=True, kw_only=True):
    """One stored method was declined; the next one is being tried."""

    method: Id


class PaymentExhausted(Struct, frozen=True, kw_only=True):
    """Every stored method was declined."""


CustomerCommand = CancelOrder | AcceptAlternative | RefuseAlternative | AcceptSubstitute | RefuseSubstitute
StoreCommand = (
    AcceptPick
    | RejectPick
    | AssignPicker
    | StartPicking
    | RecordPick
    | OfferSubstitute
    | StageOrder
    | WithdrawReady
    | HandOver
    | ExtendPickup
    | ReissueCode
    | ReturnInStore
    | ConfirmPutBack
)
Command = PlaceOrder | CustomerCommand | StoreCommand
Report = CustomerArrived | StockAppeared | StoreWithdrawn
Answer = OrderRouted | RoutingFailed | PaymentAuthorised | PaymentDeclined | PaymentExhausted
InventoryAnswer = (
    inventory.StockReserved
    | inventory.ReservationRefused
    | inventory.HoldChanged
    | inventory.HoldExtended
    | inventory.HoldCommandRefused
    | inventory.ShortPickFound
    | inventory.ShortfallFound
    | inventory.DoubtSettled
)
Asked = AcceptSubstitute | RefuseSubstitute | CustomerArrived
OrderMessage = Command | Report | Answer | InventoryAnswer | Tick
