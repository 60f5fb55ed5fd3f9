"""Events of work in the store: accepted, rejected, picked, short, substituted, staged, and tasks raised."""

from msgspec import Struct

from bopis.domain.orders.lines import PickedUnits, Stamp
from bopis.domain.orders.vocabulary import Initiator, LineSum, RejectReason, ShortCause, TaskKind


class PickAccepted(Struct, frozen=True, kw_only=True):
    """The store accepted lines."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]


class AcceptOverdue(Struct, frozen=True, kw_only=True):
    """The store has not accepted in time; its staff are reminded."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]
    escalation: int
    again_at_ms: int


class LinesRejected(Struct, frozen=True, kw_only=True):
    """Lines leave a store; their hold there is released before they are routed again."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]
    reason: RejectReason
    by: Initiator


class PickerAssigned(Struct, frozen=True, kw_only=True):
    """A picker was assigned; an empty name when unassigned."""

    stamp: Stamp
    store: str
    picker: str


class PickingStarted(Struct, frozen=True, kw_only=True):
    """Picking of lines started."""

    stamp: Stamp
    store: str
    lines: tuple[int, ...]


class PickRecorded(Struct, frozen=True, kw_only=True):
    """Units of lines were set aside, or are missing."""

    stamp: Stamp
    store: str
    units: tuple[PickedUnits, ...]


class LinePicked(Struct, frozen=True, kw_only=True):
    """Every unit of a line was set aside."""

    stamp: Stamp
    store: str
    line: int


class LineShort(Struct, frozen=True, kw_only=True):
    """Units of a line are missing in a store. When they are not the whole line, they become line ``into``."""

    stamp: Stamp
    store: str
    line: int
    into: int
    sku: str
    missing: int
    cause: ShortCause
    decide_by_ms: int


class SubstituteOffered(Struct, frozen=True, kw_only=True):
    """Another SKU was offered for a short line."""

    stamp: Stamp
    line: int
    sku: str
    unit_cents: int
    answer_by_ms: int


class SubstituteAnswered(Struct, frozen=True, kw_only=True):
    """The offered substitute was taken or not; ``by`` is the system when the offer expired."""

    stamp: Stamp
    line: int
    accepted: bool
    by: Initiator


class OrderStaged(Struct, frozen=True, kw_only=True):
    """Picked lines were put in a staging location."""

    stamp: Stamp
    store: str
    location: str
    lines: tuple[int, ...]


class TaskRaised(Struct, frozen=True, kw_only=True):
    """A task was raised for the store: goods to put back, or a SKU to count."""

    stamp: Stamp
    task: str
    kind: TaskKind
    store: str
    hold: str
    lines: tuple[LineSum, ...]


class TaskClosed(Struct, frozen=True, kw_only=True):
    """A task is done; ``counted`` is on hand after a count."""

    stamp: Stamp
    task: str
    kind: TaskKind
    store: str
    counted: int | None = None


PreparingEvent = (
    PickAccepted
    | AcceptOverdue
    | LinesRejected
    | PickerAssigned
    | PickingStarted
    | PickRecorded
    | LinePicked
    | LineShort
    | SubstituteOffered
    | SubstituteAnswered
    | OrderStaged
    | TaskRaised
    | TaskClosed
)
