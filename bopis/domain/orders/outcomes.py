"""What the saga concludes at and after the counter: ready, arrived, handed over, ended, returned, paid, told."""

from msgspec import Struct

from bopis.domain.orders.events import (
    AcceptOverdue,
    AlternativeAnswered,
    AlternativeOffered,
    CommandRefused,
    CoverLost,
    HoldRefused,
    HoldRequested,
    LinePicked,
    LinesFreed,
    LinesHeld,
    LineShort,
    LinesRejected,
    LinesWaiting,
    OrderPlaced,
    OrderPromised,
    OrderStaged,
    PickAccepted,
    PickerAssigned,
    PickingStarted,
    PickRecorded,
    PickRestated,
    RouteTaken,
    RoutingRequested,
    ShortPickConfirmed,
    SubstituteAnswered,
    SubstituteOffered,
    TaskClosed,
    TaskRaised,
)
from bopis.domain.orders.terms import (
    Amount,
    Arrival,
    By,
    CustomerRef,
    Document,
    EndReason,
    LineSum,
    Milestone,
    PaymentState,
    Proof,
)
from bopis.domain.orders.units import Collected, ReturnedUnits, Stamp


class OrderReady(Struct, frozen=True, kw_only=True):
    """Everything that a store will hand over is staged: the pickup window begins."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]
    window_end_ms: int
    hold_until_ms: int


class ReadyWithdrawn(Struct, frozen=True, kw_only=True):
    """Not ready after all; whoever was told hears a correction."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]


class ArrivalRecorded(Struct, frozen=True, kw_only=True):
    """The customer is at the store. The window does not end while they stand there."""

    stamp: Stamp
    store: str
    where: Arrival
    spot: str
    lines: tuple[int, ...]
    window_end_ms: int
    hold_until_ms: int


class CodeFailed(Struct, frozen=True, kw_only=True):
    """A wrong code or token was presented; after the last try only an identity check counts."""

    stamp: Stamp
    store: str
    tries_left: int


class CodeReissued(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    version: int
    code_hash: str
    token_hash: str


class OrderHandedOver(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    store: str
    lines: tuple[LineSum, ...]
    collected: tuple[Collected, ...]
    uncovered: tuple[LineSum, ...]
    proof: Proof
    document: Document
    to: str
    signature: str


class BooksCorrected(Struct, frozen=True, kw_only=True):
    """Goods left the store although their hold had ended: the books follow the goods."""

    stamp: Stamp
    store: str
    lines: tuple[LineSum, ...]


class CollectionAnswered(Struct, frozen=True, kw_only=True):
    """The inventory booked a hand-over out."""

    stamp: Stamp
    hold: str


class WindowExtended(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    store: str
    window_end_ms: int
    hold_until_ms: int


class OrderCancelled(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    lines: tuple[int, ...]
    by: By
    reason: EndReason


class OrderExpired(Struct, frozen=True, kw_only=True):
    """Ready goods were not collected within their window."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]


class OrderReturned(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    store: str
    units: tuple[ReturnedUnits, ...]


class PaymentRequested(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    methods: tuple[str, ...]
    amount: Amount


class PaymentAnswered(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    state: PaymentState
    method: str


class CaptureRequested(Struct, frozen=True, kw_only=True):
    """Money for what left the store, and for nothing else."""

    stamp: Stamp
    amount: Amount


class VoidRequested(Struct, frozen=True, kw_only=True):
    """Nothing more will leave the store: what is authorised beyond the captured is given back."""

    stamp: Stamp
    reason: EndReason


class RefundRequested(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    amount: Amount


class NoticeDue(Struct, frozen=True, kw_only=True):
    """The customer is to be told. (order, milestone, version) names what is said, however often it is asked for."""

    stamp: Stamp
    order: str
    milestone: Milestone
    version: int
    customer: CustomerRef
    store: str
    lines: tuple[LineSum, ...]
    ready_by_ms: int | None = None
    window_end_ms: int | None = None
    answer_by_ms: int | None = None
    reason: str = ""
    code_version: int | None = None


Event = (
    OrderPlaced
    | CommandRefused
    | RoutingRequested
    | RouteTaken
    | AlternativeOffered
    | AlternativeAnswered
    | HoldRequested
    | LinesHeld
    | HoldRefused
    | OrderPromised
    | LinesWaiting
    | PickAccepted
    | AcceptOverdue
    | LinesRejected
    | LinesFreed
    | PickerAssigned
    | PickingStarted
    | PickRecorded
    | LinePicked
    | LineShort
    | CoverLost
    | ShortPickConfirmed
    | PickRestated
    | SubstituteOffered
    | SubstituteAnswered
    | OrderStaged
    | TaskRaised
    | TaskClosed
    | OrderReady
    | ReadyWithdrawn
    | ArrivalRecorded
    | CodeFailed
    | CodeReissued
    | OrderHandedOver
    | BooksCorrected
    | CollectionAnswered
    | WindowExtended
    | OrderCancelled
    | OrderExpired
    | OrderReturned
    | PaymentRequested
    | PaymentAnswered
    | CaptureRequested
    | VoidRequested
    | RefundRequested
    | NoticeDue
)
