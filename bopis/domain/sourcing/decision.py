"""Routing decision: request, facts, rules, eliminated stores with reasons, scores, and the answer."""

from enum import StrEnum

from msgspec import Struct

from bopis.domain.calendar.hours import Calendar
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import Ranker, RuleSet


class Rung(StrEnum):
    """Rung of the ladder on which the answer was found."""

    CHOSEN = "chosen"
    LATER = "later"
    ALTERNATIVE = "alternative"
    SPLIT = "split"
    WAIT = "wait"
    REFUSE = "refuse"


class RoutingOutcome(StrEnum):
    """Outcome of a routing attempt."""

    ROUTED = "routed"
    OFFERED = "offered"
    WAITING = "waiting"
    REFUSED = "refused"


class EliminationReason(StrEnum):
    """Why a store cannot serve, in the order of the checks."""

    UNKNOWN_STORE = "unknown_store"
    EXCLUDED = "excluded"
    CLOSED_FOR_GOOD = "closed_for_good"
    PICKUP_OFF = "pickup_off"
    PLACE_UNKNOWN = "place_unknown"
    TOO_FAR = "too_far"
    DATA_TOO_OLD = "data_too_old"
    TRUST_TOO_LOW = "trust_too_low"
    NOT_OPEN_IN_TIME = "not_open_in_time"
    NO_CAPACITY = "no_capacity"
    NOT_ENOUGH_STOCK = "not_enough_stock"


class Missing(Struct, frozen=True, kw_only=True):
    """A SKU that a store cannot promise in full: units wanted, and units available to promise."""

    sku: str
    wanted: int
    available: int


class Elimination(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A store that cannot serve the whole order as requested, with the first reason and the missing units."""

    store: str
    reason: EliminationReason
    missing: tuple[Missing, ...] = ()


class Score(Struct, frozen=True, kw_only=True):
    """Ranks of a store by each ranker of the rule set, in order; None where the ranker abstains."""

    store: str
    ranks: tuple[int | None, ...]


class AssignedLine(Struct, frozen=True, kw_only=True):
    """Units of a line that a store takes."""

    line: int
    quantity: int


class PlannedTransfer(Struct, frozen=True, kw_only=True):
    """Units to be transferred from another store to the assigned one."""

    from_store: str
    sku: str
    quantity: int


class Schedule(Struct, frozen=True, kw_only=True):
    """Begin of a store's work, the open minutes that it takes alone, and the store's calendar from that day on.

    The calendar reaches as far as the closings of the assignment. With it the times of the assignment can be moved in
    open time when the store is given the work later.
    """

    begins_ms: int
    own_minutes: int
    calendar: Calendar


class Assignment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Work assigned to one store: units, and when they are ready, accepted, or else routed again (``reroute_by_ms``).

    ``closings`` are the store's closings from the start of the work, one per store day; the pickup window is counted
    in them. ``stock_from_ms`` is set when incoming units are counted: they are expected in the store from then on.
    ``schedule`` is None in assignments of versions that did not tell it.
    """

    store: str
    lines: tuple[AssignedLine, ...]
    ready_by_ms: int
    accept_by_ms: int
    work_minutes: int
    closings: tuple[int, ...]
    stock_from_ms: int | None = None
    transfers: tuple[PlannedTransfer, ...] = ()
    reroute_by_ms: int = 0
    schedule: Schedule | None = None


class StockNeed(Struct, frozen=True, kw_only=True):
    """Stock that would serve a waiting order: units available to promise of a SKU in a store."""

    store: str
    sku: str
    quantity: int


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Answer to a request. ``offers`` are alternatives for the customer to choose from, best first."""

    rung: Rung
    outcome: RoutingOutcome
    assignments: tuple[Assignment, ...] = ()
    offers: tuple[Assignment, ...] = ()
    needs: tuple[StockNeed, ...] = ()
    reason: EliminationReason | None = None
    eliminated: tuple[Elimination, ...] = ()
    scores: tuple[Score, ...] = ()
    ranked_by: tuple[Ranker, ...] = ()


class Decision(Struct, frozen=True, kw_only=True):
    """A decision with all its inputs: `ladder.replay` makes an equal one from them."""

    order: str
    attempt: int
    decided_at_ms: int
    digest: str
    request: Request
    facts: tuple[StoreFacts, ...]
    rules: RuleSet
    answer: Answer
