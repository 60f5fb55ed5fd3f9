"""An order as it stands: frozen values, folded from its events. The state of the order follows from its lines."""

from enum import StrEnum

from msgspec import Struct

from bopis.domain.orders.terms import Allows, Arrival, CustomerRef, PaymentState, ShortCause, TaskKind
from bopis.domain.orders.units import HeldPart
from bopis.domain.sourcing.decision import Assignment
from bopis.domain.sourcing.request import Component


class LineState(StrEnum):
    """Where one line stands, roughly in the order in which it goes on."""

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
SET_ASIDE = frozenset({LineState.PICKED, LineState.STAGED, LineState.READY, LineState.ARRIVED})
PROGRESS = {state: place for place, state in enumerate(LineState)}


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one SKU (or kit) that share one fate. Units that part ways go on as a line of their own, ``parent``
    being the line that they were ordered on.

    ``picked`` counts units set aside, per component. ``store`` is where the line is, or was last, prepared; ``hold``
    the one hold that covers it, ``leaving`` one that is being given back before another is asked for.
    ``decide_by_ms`` is when the saga decides by itself what a person was asked.
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

    @property
    def parts(self) -> tuple[Component, ...]:
        """What one unit of the line takes from the shelf."""
        return self.components or (Component(sku=self.sku, quantity=1),)

    @property
    def live(self) -> bool:
        """Whether anything can still happen to it but a return."""
        return self.state not in ENDED


class PartUnits(Struct, frozen=True, kw_only=True):
    """Units of one line of a hold, by its number there."""

    number: int
    units: int


class Hold(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A hold that a store was asked for; ``parts`` are its lines there with the units it still covers.

    ``unconfirmed`` are the units of each pick that were reported missing and that the inventory has neither taken
    out nor refused yet, oldest first: they are not covered any more, and are again when the pick is refused.
    ``released`` are the numbers that were given back. ``collecting`` are the numbers of each hand-over that the
    inventory has not answered yet, oldest first, and ``expected`` the units that it is to book out for them.
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
    """What one store does for the order: its promise, who picks, where it is staged, until when it is kept."""

    store: str
    ready_by_ms: int = 0
    promised: bool = False
    accept_by_ms: int = 0
    reroute_by_ms: int = 0
    escalations: int = 0
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
    """Work that the order left behind in a store and that nobody has done yet."""

    task: str
    kind: TaskKind
    store: str
    sku: str = ""
    hold: str = ""


class RouteAsked(Struct, frozen=True, kw_only=True):
    """An attempt that routing has not answered."""

    attempt: int
    lines: tuple[int, ...]


class Offer(Struct, frozen=True, kw_only=True):
    """Other stores that the customer may choose from."""

    attempt: int
    lines: tuple[int, ...]
    offers: tuple[Assignment, ...]
    answer_by_ms: int


class Excluded(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A store that said no: for one SKU, or for the whole order."""

    store: str
    sku: str = ""


class PickupCode(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Keyed hashes of what the customer shows, how often a wrong one was shown, and whether it was used."""

    code_hash: str = ""
    token_hash: str = ""
    version: int = 1
    tries: int = 0
    used: bool = False


class Order(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order. ``seen`` remembers the newest messages, twelve bytes each; ``due_ms`` is its next deadline, ``fired``
    how many deadlines have been decided."""

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
    holds: tuple[Hold, ...] = ()
    tasks: tuple[Task, ...] = ()
    asked: tuple[RouteAsked, ...] = ()
    offers: tuple[Offer, ...] = ()
    excluded: tuple[Excluded, ...] = ()
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
    told: dict[str, int] = {}
    captured_cents: int = 0
    voided: bool = False
    seen: bytes = b""
    due_ms: int = 0
    fired: int = 0

    @property
    def live(self) -> tuple[Line, ...]:
        """Lines that have not ended."""
        return tuple(line for line in self.lines if line.live)

    @property
    def state(self) -> LineState:
        """The state of the order: of the line that is least far on; of the best end when all have ended."""
        live = self.live
        if live:
            return min((line.state for line in live), key=PROGRESS.__getitem__)
        states = {line.state for line in self.lines}
        for end in (LineState.HANDED_OVER, LineState.RETURNED, LineState.EXPIRED):
            if end in states:
                return end
        return LineState.CANCELLED

    def line(self, number: int) -> Line | None:
        """The line of a number."""
        return next((it for it in self.lines if it.line == number), None)

    def hold(self, name: str) -> Hold | None:
        """The hold of a name."""
        return next((it for it in self.holds if it.hold == name), None)

    def at(self, store: str) -> StoreWork | None:
        """What a store does for the order."""
        return next((it for it in self.work if it.store == store), None)

    def in_store(self, store: str) -> tuple[Line, ...]:
        """Lines that a store prepares, or prepared last."""
        return tuple(line for line in self.lines if line.store == store)
