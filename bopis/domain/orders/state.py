"""State of an order: frozen values folded from its events. The order's own state is derived from its lines."""

from enum import StrEnum

from msgspec import Struct, field

from bopis.domain.orders.lines import HeldPart
from bopis.domain.orders.vocabulary import (
    Allows,
    Arrival,
    CustomerRef,
    EndReason,
    Initiator,
    LineSum,
    MoveEnd,
    PaymentState,
    ShortCause,
    TaskKind,
)
from bopis.domain.sourcing.decision import Assignment, Schedule
from bopis.domain.sourcing.request import Component
from bopis.domain.sourcing.unserved import Unserved


class LineState(StrEnum):
    """Progress of one line. The declaration order is the order of progress (see `PROGRESS`)."""

    WAITING = "waiting"
    OFFERED = "offered"
    PLACED = "placed"
    REJECTED = "rejected"
    REROUTED = "rerouted"
    SHORT = "short"
    SUBSTITUTE_OFFERED = "substitute_offered"
    SUBSTITUTED = "substituted"
    HELD = "held"
    PROMISED = "promised"
    ACCEPTED = "accepted"
    PICKING = "picking"
    PICKED = "picked"
    STAGED = "staged"
    READY = "ready"
    ARRIVED = "arrived"
    HANDED_OVER = "handed_over"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


ENDED = frozenset({LineState.HANDED_OVER, LineState.RETURNED, LineState.CANCELLED, LineState.EXPIRED})
READY_STATES = frozenset({LineState.READY, LineState.ARRIVED})
STAGED_STATES = READY_STATES | {LineState.STAGED}
SET_ASIDE = STAGED_STATES | {LineState.PICKED}  # units are out of the shelf: no till can sell them
PROGRESS = {state: rank for rank, state in enumerate(LineState)}


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one SKU or kit with one state. When units diverge the line is split; ``parent`` is the original line.

    ``picked`` counts units set aside, per component. ``store`` is the store that prepares the line, or did last;
    ``hold`` the hold that covers it; ``leaving`` a hold being released before another one is requested.
    ``decide_by_ms`` is the deadline after which the order decides what a person was asked. ``location`` is where its
    goods were staged last. ``ended_by`` and ``end_reason`` tell why it was cancelled.
    """

    line: int
    sku: str
    quantity: int
    components: tuple[Component, ...] = ()
    unit_cents: int = 0
    parent: int = 0
    state: LineState = LineState.PLACED
    store: str = ""
    hold: str = ""
    leaving: str = ""
    picked: tuple[int, ...] = ()
    returned: int = 0
    ordered_sku: str = ""
    substitute: str = ""
    substitute_cents: int = 0
    short: ShortCause | None = None
    decide_by_ms: int = 0
    location: str = ""
    ended_ms: int = 0
    ended_by: Initiator | None = None
    end_reason: EndReason | None = None

    @property
    def unpicked(self) -> tuple[int, ...]:
        """Units of each component still to be taken from the shelf."""
        picked = self.picked or (0,) * len(self.parts)
        return tuple(part.quantity * self.quantity - done for part, done in zip(self.parts, picked, strict=True))

    @property
    def parts(self) -> tuple[Component, ...]:
        """SKUs and units that one unit of the line takes from the shelf."""
        return self.components or (Component(sku=self.sku, quantity=1),)

    @property
    def live(self) -> bool:
        """Whether the line has not ended; an ended line can only be returned."""
        return self.state not in ENDED


class PartUnits(Struct, frozen=True, kw_only=True):
    """Units of one line of a hold, by the line's number in the hold."""

    number: int
    units: int


class OrderHold(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A hold requested from a store; ``parts`` are its lines with the units that it still covers.

    ``unconfirmed`` lists, per unanswered pick and oldest first, the units reported missing. They are not covered
    until the inventory refuses that pick. ``released`` are the line numbers released. ``collecting`` lists, per
    unanswered hand-over and oldest first, the line numbers collected; ``expected`` the units to be booked out for
    them.
    """

    hold: str
    store: str
    parts: tuple[HeldPart, ...]
    granted: bool = False
    restated: bool = False
    promised_for_ms: int = 0
    unconfirmed: tuple[tuple[PartUnits, ...], ...] = ()
    released: tuple[int, ...] = ()
    collecting: tuple[tuple[int, ...], ...] = ()
    expected: tuple[PartUnits, ...] = ()


class StoreWork(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Work of one store for the order: promise, picker, staging location, pickup window, arrival of the customer.

    ``schedule`` is that of the newest assignment; None once the work is promised, and in rows of earlier versions.
    """

    store: str
    ready_by_ms: int = 0
    promised: bool = False
    accept_by_ms: int = 0
    reroute_by_ms: int = 0
    escalations: int = 0
    schedule: Schedule | None = None
    closings: tuple[int, ...] = ()
    accepted_ms: int = 0
    picker: str = ""
    picking_ms: int = 0
    location: str = ""
    ready_ms: int = 0
    window_end_ms: int = 0
    reminded: int = 0
    where: Arrival | None = None
    spot: str = ""
    arrived_ms: int = 0


class Task(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Open task of a store that the order raised: goods to put back, or a SKU to count."""

    task: str
    kind: TaskKind
    store: str
    sku: str = ""
    hold: str = ""


class PendingRoute(Struct, frozen=True, kw_only=True):
    """Routing attempt without an answer yet."""

    attempt: int
    lines: tuple[int, ...]


class Offer(Struct, frozen=True, kw_only=True):
    """Alternative stores offered to the customer, until ``answer_by_ms``."""

    attempt: int
    lines: tuple[int, ...]
    offers: tuple[Assignment, ...]
    answer_by_ms: int


class ExcludedStore(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Store that routing leaves out: for one SKU, or for the whole order when ``sku`` is empty."""

    store: str
    sku: str = ""


class Move(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Change of store that was requested; until it is made the lines keep their store and their holds.

    ``lines`` are the open lines with their units, routed by ``attempt``. ``hold`` is requested from the new store once
    routing has assigned it; ``parts`` are its lines. ``ended`` tells why the change was not made; then it is over.
    """

    store: str
    attempt: int
    by: Initiator
    lines: tuple[LineSum, ...] = ()
    hold: str = ""
    parts: tuple[HeldPart, ...] = ()
    assignment: Assignment | None = None
    ended: MoveEnd | None = None


class PickupCode(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Keyed hashes of the pickup code and token, the number of wrong tries, and whether the code was used."""

    code_hash: str = ""
    token_hash: str = ""
    version: int = 1
    tries: int = 0
    used: bool = False


class Order(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order.

    ``seen`` holds the newest messages, twelve bytes each, to recognise repeats. ``due_ms`` is the next deadline (0:
    none), ``fired`` the number of deadlines decided. ``notice_versions`` counts the notices per milestone. ``unserved``
    is the stock that was missing when routing found no store last.

    ``open_cents`` is the price of the goods still to be handed over, as the payment knows it. ``covered_cents`` are
    paid for until ``covered_until_ms`` (None: all of it; 0: without end), ``at_counter_cents`` are to be paid in the
    store. Until ``held_until_ms`` goods are held for a payment that is not decided. ``move`` is the last change of
    store that was requested and not made, or not yet.
    """

    order: str
    key: str
    request: str
    customer: CustomerRef
    store: str
    allows: Allows
    placed_ms: int
    payment: PaymentState
    lines: tuple[Line, ...] = ()
    work: tuple[StoreWork, ...] = ()
    holds: tuple[OrderHold, ...] = ()
    tasks: tuple[Task, ...] = ()
    pending_routes: tuple[PendingRoute, ...] = field(default=(), name="asked")
    offers: tuple[Offer, ...] = ()
    excluded: tuple[ExcludedStore, ...] = ()
    methods: tuple[str, ...] = ()
    currency: str = ""
    slot_from_ms: int | None = None
    slot_to_ms: int | None = None
    place_latitude_e6: int | None = None
    place_longitude_e6: int | None = None
    code: PickupCode = PickupCode()
    note: str = ""
    attempt: int = 0
    hold_count: int = 0
    task_count: int = 0
    notice_versions: dict[str, int] = field(default_factory=dict, name="told")
    captured_cents: int = 0
    open_cents: int | None = None
    covered_cents: int | None = None
    covered_until_ms: int = 0
    at_counter_cents: int = 0
    held_until_ms: int = 0
    voided: bool = False
    seen: bytes = b""
    due_ms: int = 0
    fired: int = 0
    unserved: Unserved | None = None
    move: Move | None = None

    @property
    def pending_move(self) -> Move | None:
        """Change of store that is under way; None if there is none."""
        return self.move if self.move is not None and self.move.ended is None else None

    @property
    def live(self) -> tuple[Line, ...]:
        """Lines that have not ended."""
        return tuple(line for line in self.lines if line.live)

    @property
    def state(self) -> LineState:
        """State of the open line with the least progress; when all have ended, the best end of any line."""
        live = self.live
        if live:
            return min((line.state for line in live), key=PROGRESS.__getitem__)
        states = {line.state for line in self.lines}
        for end in (LineState.HANDED_OVER, LineState.RETURNED, LineState.EXPIRED):
            if end in states:
                return end
        return LineState.CANCELLED

    def line(self, number: int) -> Line | None:
        """Line by number; None if there is none."""
        return next((it for it in self.lines if it.line == number), None)

    def hold(self, name: str) -> OrderHold | None:
        """Hold by id; None if there is none."""
        return next((it for it in self.holds if it.hold == name), None)

    def at(self, store: str) -> StoreWork | None:
        """Work of a store; None if the store has none."""
        return next((it for it in self.work if it.store == store), None)

    def in_store(self, store: str) -> tuple[Line, ...]:
        """Lines that a store prepares, or prepared last."""
        return tuple(line for line in self.lines if line.store == store)
