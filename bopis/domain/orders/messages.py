"""Messages to a pickup order: commands, which may be refused; reports and answers, which may not.

Answers of the inventory are its own events (`bopis.domain.inventory.events`).
"""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.inventory import events as inventory
from bopis.domain.orders.lines import LineParts, PickedLine, ReturnedLine, WantedLine
from bopis.domain.orders.vocabulary import (
    ORDER_LINES_MAX,
    Allows,
    Arrival,
    CustomerRef,
    Document,
    EndReason,
    Hash,
    Initiator,
    LineNumber,
    LineNumbers,
    Proof,
    RejectReason,
    Sealed,
    StagingLocation,
)
from bopis.domain.payments.gateway import METHODS_MAX, Link, PaymentMethod
from bopis.domain.payments.policy import PaymentPolicy
from bopis.domain.sourcing.decision import Decision
from bopis.domain.sourcing.request import GeoPoint, Slot
from bopis.domain.values import LINES_MAX, AmountCents, Id, Instant, Quantity, Sku, StoreId, Text

# Commands of the customer, the checkout and the staff


class PaymentPlan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an order is to be paid: the customer's methods in their order, the shop's policy, and whether the customer
    agreed that the methods are asked one after the other."""

    methods: Annotated[tuple[PaymentMethod, ...], Meta(min_length=1, max_length=METHODS_MAX)]
    policy: PaymentPolicy = PaymentPolicy()
    consent: bool = False


class PlaceOrder(Struct, frozen=True, kw_only=True):
    """Place an order.

    ``key`` is the keyed hash of the caller's idempotency key, ``request`` of the request's content: the same key with
    the same request changes nothing, with another request it is rejected. Without a ``payment`` the customer pays in
    the store; ``methods`` are tokens of cards, as earlier versions sent them. ``code_hash`` and ``token_hash`` are
    those of the first pickup code.
    """

    key: Hash
    request: Hash
    customer: CustomerRef
    store: StoreId
    lines: Annotated[tuple[WantedLine, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    slot: Slot | None = None
    place: GeoPoint | None = None
    allows: Allows = Allows()
    methods: Annotated[tuple[Id, ...], Meta(max_length=8)] = ()
    currency: Annotated[str, Meta(max_length=3)] = ""
    code_hash: Hash = ""
    token_hash: Hash = ""
    note: Sealed = ""
    payment: PaymentPlan | None = None


class CancelOrder(Struct, frozen=True, kw_only=True):
    """Cancel lines that were not handed over, or ``parts`` of them; without either, all of them."""

    by: Initiator
    reason: EndReason = EndReason.CUSTOMER_WISH
    lines: LineNumbers = ()
    parts: LineParts = ()


class AcceptAlternative(Struct, frozen=True, kw_only=True):
    """The customer takes one of the offered stores."""

    attempt: Annotated[int, Meta(ge=1)]
    store: StoreId


class RefuseAlternative(Struct, frozen=True, kw_only=True):
    """The customer takes none of the offered stores."""

    attempt: Annotated[int, Meta(ge=1)]


class MoveOrder(Struct, frozen=True, kw_only=True):
    """Change the store of all open lines, before any of them is picked.

    The order keeps what it has until the new store holds all of it. Staff give a reason in words.
    """

    store: StoreId
    by: Initiator
    reason: Text = ""


class AcceptPick(Struct, frozen=True, kw_only=True):
    """The store accepts the lines that are promised there."""

    store: StoreId


class RejectPick(Struct, frozen=True, kw_only=True):
    """The store rejects lines that are promised there, or ``parts`` of them; without either, all of them.

    Units that were not found or are damaged stay in doubt in the books of the store until a count settles them.
    """

    store: StoreId
    reason: RejectReason
    lines: LineNumbers = ()
    parts: LineParts = ()


class AssignPicker(Struct, frozen=True, kw_only=True):
    """Assign a picker to the order's lines in a store; an empty name unassigns."""

    store: StoreId
    picker: Annotated[str, Meta(max_length=128)]


class StartPicking(Struct, frozen=True, kw_only=True):
    """Picking of the order's lines in a store starts."""

    store: StoreId


class RecordPick(Struct, frozen=True, kw_only=True):
    """Units found and missing on the shelf for lines of the order."""

    store: StoreId
    lines: Annotated[tuple[PickedLine, ...], Meta(min_length=1, max_length=LINES_MAX)]


class OfferSubstitute(Struct, frozen=True, kw_only=True):
    """Offer another SKU for a short line; without ``unit_cents`` at the line's price."""

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
    """Picked goods were put in a staging location; without line numbers, all that is picked."""

    store: StoreId
    location: StagingLocation
    lines: LineNumbers = ()


class WithdrawReady(Struct, frozen=True, kw_only=True):
    """Goods set aside cannot be handed over: lost or damaged in staging. A count settles how many are left.

    ``parts`` are lines of which only some units are lost; at least one line or part is named.
    """

    store: StoreId
    lines: LineNumbers = ()
    reason: Text = ""
    parts: LineParts = ()


class HandOver(Struct, frozen=True, kw_only=True):
    """Hand goods over against a proof: lines, or ``parts`` of them; without either, all that is staged.

    ``presented`` is the keyed hash of the code or token shown. ``to`` names a proxy, encrypted; empty for the customer.
    ``signature`` refers to an image stored elsewhere.
    """

    store: StoreId
    proof: Proof
    presented: Hash = ""
    document: Document = Document.NONE
    lines: LineNumbers = ()
    to: Sealed = ""
    signature: Annotated[str, Meta(max_length=200)] = ""
    parts: LineParts = ()


class ExtendPickup(Struct, frozen=True, kw_only=True):
    """Keep ready goods until a later instant."""

    store: StoreId
    until: Instant


class ReissueCode(Struct, frozen=True, kw_only=True):
    """Replace the pickup code; the previous one is void, and the count of wrong tries restarts."""

    version: Annotated[int, Meta(ge=2)]
    code_hash: Hash
    token_hash: Hash


class ReturnInStore(Struct, frozen=True, kw_only=True):
    """The customer returned goods to a store, not necessarily the one that handed them over."""

    store: StoreId
    lines: Annotated[tuple[ReturnedLine, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]


class ConfirmPutBack(Struct, frozen=True, kw_only=True):
    """The goods of a put-back task are on the shelf again."""

    task: Id


# Reports, and answers of other processors


class HandedLine(Struct, frozen=True, kw_only=True):
    """Units of one line that were handed over, as the store knew the line."""

    line: LineNumber
    sku: Sku
    quantity: Quantity


class GoodsHandedOver(Struct, frozen=True, kw_only=True):
    """A store handed goods over while it could not reach the centre: a fact, whatever became of the order meanwhile.

    ``code_version`` is the version of the pickup code that was checked in the store; 0 for an identity document.
    """

    store: StoreId
    lines: Annotated[tuple[HandedLine, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    proof: Proof
    document: Document = Document.NONE
    code_version: Annotated[int, Meta(ge=0)] = 0


class OrderTick(Struct, frozen=True, kw_only=True):
    """A deadline of this order has passed; written by the processor's own timer."""

    at: Instant


class CustomerArrived(Struct, frozen=True, kw_only=True):
    """The customer has arrived at a store."""

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
    """Stock that waiting lines need may be promised again; without SKUs, of any kind."""

    store: StoreId
    skus: Annotated[tuple[Sku, ...], Meta(max_length=LINES_MAX)] = ()


class StoreWithdrawn(Struct, frozen=True, kw_only=True):
    """A store takes no more pickups; ``closing`` when it cannot hand over its staged goods either."""

    store: StoreId
    closing: bool = False


class PaymentAuthorised(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The order is paid for: ``cents`` in all, until an instant (0: without end), of which nothing is paid in the
    store. Earlier versions named no amount: all of it."""

    method: Annotated[str, Meta(max_length=128)]
    cents: AmountCents | None = None
    until_ms: int = 0


class PaymentInStore(Struct, frozen=True, kw_only=True):
    """``at_counter_cents`` are to be paid in the store; ``cents`` are paid for already."""

    cents: AmountCents
    at_counter_cents: AmountCents
    until_ms: int = 0


class PaymentLapsed(Struct, frozen=True, kw_only=True):
    """The order is not paid for any more, or not all of it: ``cents`` are."""

    cents: AmountCents
    until_ms: int = 0


class PaymentPending(Struct, frozen=True, kw_only=True):
    """The payment is not decided yet: the goods are to be held until an instant."""

    until_ms: int


class PaymentNeedsCustomer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The customer has to confirm a payment by its link, or to name another method (no link), until an instant."""

    cents: AmountCents
    until_ms: int
    link: Link = ""


class PaymentDeclined(Struct, frozen=True, kw_only=True):
    """One stored method was declined; the next one is being tried."""

    method: Annotated[str, Meta(max_length=128)]


class PaymentExhausted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The payment ended without an authorisation: every method was declined, no answer came in time, or fraud is
    suspected."""

    reason: EndReason = EndReason.PAYMENT_EXHAUSTED


CustomerCommand = CancelOrder | AcceptAlternative | RefuseAlternative | MoveOrder | AcceptSubstitute | RefuseSubstitute
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
Report = CustomerArrived | GoodsHandedOver | StockAppeared | StoreWithdrawn
PaymentAnswer = (
    PaymentAuthorised
    | PaymentInStore
    | PaymentLapsed
    | PaymentPending
    | PaymentNeedsCustomer
    | PaymentDeclined
    | PaymentExhausted
)
Answer = OrderRouted | RoutingFailed | PaymentAnswer
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
OrderMessage = Command | Report | Answer | InventoryAnswer | OrderTick
