"""What the saga of an order concludes, in the past tense. Each event says who caused it, on what, and when."""

from msgspec import Struct

from bopis.domain.orders.terms import (
    Allows,
    By,
    CustomerRef,
    LineSum,
    PaymentState,
    Refusal,
    RejectReason,
    ShortCause,
    TaskKind,
)
from bopis.domain.orders.units import HeldPart, PickedUnits, PlacedLine, Stamp, Take
from bopis.domain.sourcing.decision import Assignment, Outcome
from bopis.domain.sourcing.request import Request

# Placed, routed, held, promised


class OrderPlaced(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    key: str
    request: str
    customer: CustomerRef
    store: str
    lines: tuple[PlacedLine, ...]
    slot_from_ms: int | None
    slot_to_ms: int | None
    place_latitude_e6: int | None
    place_longitude_e6: int | None
    allows: Allows
    payment: PaymentState
    methods: tuple[str, ...]
    currency: str
    code_hash: str
    token_hash: str
    note: str


class CommandRefused(Struct, frozen=True, kw_only=True):
    """A command was not carried out. ``message`` is the id of it, ``line`` the first line that stood against it."""

    stamp: Stamp
    command: str
    reason: Refusal
    message: str
    line: int | None = None


class RoutingRequested(Struct, frozen=True, kw_only=True):
    """Lines need a store. The answer names the attempt; the first answer counts."""

    stamp: Stamp
    attempt: int
    request: Request


class RouteTaken(Struct, frozen=True, kw_only=True):
    """The answer of routing to an attempt, without what it was made from; ``digest`` names the decision."""

    stamp: Stamp
    attempt: int
    outcome: Outcome
    digest: str
    assignments: tuple[Assignment, ...]
    offers: tuple[Assignment, ...]


class AlternativeOffered(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    attempt: int
    lines: tuple[int, ...]
    offers: tuple[Assignment, ...]
    answer_by_ms: int


class AlternativeAnswered(Struct, frozen=True, kw_only=True):
    """The customer took one of the stores that were offered, or none; ``by`` is the system when time ran out."""

    stamp: Stamp
    attempt: int
    store: str | None
    by: By


class HoldRequested(Struct, frozen=True, kw_only=True):
    """A store is asked to hold what it takes over; it becomes the store of these lines."""

    stamp: Stamp
    hold: str
    store: str
    takes: tuple[Take, ...]
    parts: tuple[HeldPart, ...]
    hold_until_ms: int
    promised_for_ms: int
    assignment: Assignment | None


class LinesHeld(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    hold: str
    store: str
    lines: tuple[LineSum, ...]


class HoldRefused(Struct, frozen=True, kw_only=True):
    """A store cannot hold: ``skus`` are those it lacks, none when it takes no pickups at all."""

    stamp: Stamp
    hold: str
    store: str
    skus: tuple[str, ...]
    lines: tuple[int, ...]
    excluded: bool


class OrderPromised(Struct, frozen=True, kw_only=True):
    """Lines are held and paid for, or will be paid in the store: the customer may count on them."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]
    ready_by_ms: int
    promised_before_ms: int | None
    hold_until_ms: int


class LinesWaiting(Struct, frozen=True, kw_only=True):
    """No store can serve the lines now; they wake when stock appears."""

    stamp: Stamp
    lines: tuple[int, ...]
    skus: tuple[str, ...]
    wait_until_ms: int


# Work in the store


class PickAccepted(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    store: str
    lines: tuple[int, ...]


class AcceptOverdue(Struct, frozen=True, kw_only=True):
    """Nobody in the store accepted in time: its staff are reminded."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]
    escalation: int
    again_at_ms: int


class LinesRejected(Struct, frozen=True, kw_only=True):
    """Lines leave a store; their hold there is given back before another store is asked."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]
    reason: RejectReason
    by: By


class LinesFreed(Struct, frozen=True, kw_only=True):
    """A hold ended for lines: what was held there may be asked for elsewhere."""

    stamp: Stamp
    hold: str
    lines: tuple[int, ...]
    kept: bool


class PickerAssigned(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    store: str
    picker: str


class PickingStarted(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    store: str
    lines: tuple[int, ...]


class PickRecorded(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    store: str
    units: tuple[PickedUnits, ...]


class LinePicked(Struct, frozen=True, kw_only=True):
    """Every unit that the line still asks for was set aside."""

    stamp: Stamp
    store: str
    line: int


class LineShort(Struct, frozen=True, kw_only=True):
    """Units of a line are missing in a store. When it is not the whole line, they go on as line ``into``."""

    stamp: Stamp
    store: str
    line: int
    into: int
    sku: str
    missing: int
    cause: ShortCause
    decide_by_ms: int


class CoverLost(Struct, frozen=True, kw_only=True):
    """The books gave units of a hold away although they are in the picker's hands: the goods count, not the books."""

    stamp: Stamp
    hold: str
    number: int
    units: int


class ShortPickConfirmed(Struct, frozen=True, kw_only=True):
    """The inventory took units out of a hold that a pick had reported missing."""

    stamp: Stamp
    hold: str
    number: int
    units: int


class PickRestated(Struct, frozen=True, kw_only=True):
    """A pick did not fit the hold any more: what it still covers is said again, in hand or missing. Without units
    there is nothing to say again, but what was reported missing is covered as before."""

    stamp: Stamp
    store: str
    hold: str
    units: tuple[PickedUnits, ...]


class SubstituteOffered(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    line: int
    sku: str
    unit_cents: int
    answer_by_ms: int


class SubstituteAnswered(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    line: int
    accepted: bool
    by: By


class OrderStaged(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    store: str
    location: str
    lines: tuple[int, ...]


class TaskRaised(Struct, frozen=True, kw_only=True):
    """Work for the store: goods back to the shelf, or a SKU to count."""

    stamp: Stamp
    task: str
    kind: TaskKind
    store: str
    hold: str
    lines: tuple[LineSum, ...]


class TaskClosed(Struct, frozen=True, kw_only=True):
    stamp: Stamp
    task: str
    kind: TaskKind
    store: str
    counted: int | None = None
