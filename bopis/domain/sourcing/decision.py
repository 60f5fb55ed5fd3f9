"""The decision: what was asked, what was known, which rules spoke, who was eliminated and why, and the answer."""

from enum import StrEnum

from msgspec import Struct

from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import Ranker, RuleSet


class Rung(StrEnum):
    """How far down the ladder the answer was found."""

    CHOSEN = "chosen"
    LATER = "later"
    ALTERNATIVE = "alternative"
    SPLIT = "split"
    WAIT = "wait"
    REFUSE = "refuse"


class Outcome(StrEnum):
    ROUTED = "routed"
    OFFERED = "offered"
    WAITING = "waiting"
    REFUSED = "refused"


class Reason(StrEnum):
    """Why a store cannot serve, in the order in which it is checked."""

    UNKNOWN_STORE = "unknown_store"
    EXCLUDED = "excluded"
    CLOSED_FOR_GOOD = "closed_for_good"
    PICKUP_OFF = "pickup_off"
    TOO_FAR = "too_far"
    DATA_TOO_OLD = "data_too_old"
    TRUST_TOO_LOW = "trust_too_low"
    NOT_OPEN_IN_TIME = "not_open_in_time"
    NO_CAPACITY = "no_capacity"
    NOT_ENOUGH_STOCK = "not_enough_stock"


class Missing(Struct, frozen=True, kw_only=True):
    """A SKU that a store cannot promise: what the order takes of it, and what may be promised."""

    sku: str
    wanted: int
    available: int


class Elimination(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A store that cannot serve all of the order as asked, with the first reason and what is missing."""

    store: str
    reason: Reason
    missing: tuple[Missing, ...] = ()


class Score(Struct, frozen=True, kw_only=True):
    """A store that could serve and its rank by each ranker of the rule set, in order; None abstains."""

    store: str
    ranks: tuple[int | None, ...]


class AssignedLine(Struct, frozen=True, kw_only=True):
    line: int
    quantity: int


class Transfer(Struct, frozen=True, kw_only=True):
    """Units that another store sends to the assigned one first."""

    from_store: str
    sku: str
    quantity: int


class Assignment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one store does for the order: which units, ready by when, accepted by when, and until when nobody else is
    asked although it was told twice.

    ``closings`` are the store's closings from when the work begins, one per store day; a pickup window is counted
    from them. ``stock_from_ms`` is set when units on the way are counted: from then on they are expected there.
    """

    store: str
    lines: tuple[AssignedLine, ...]
    ready_by_ms: int
    accept_by_ms: int
    work_minutes: int
    closings: tuple[int, ...]
    stock_from_ms: int | None = None
    transfers: tuple[Transfer, ...] = ()
    reroute_by_ms: int = 0


class Need(Struct, frozen=True, kw_only=True):
    """Stock that would serve a waiting order: so many units available to promise of a SKU in a store."""

    store: str
    sku: str
    quantity: int


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was decided. ``offers`` are alternatives for the customer to choose from, the best first."""

    rung: Rung
    outcome: Outcome
    assignments: tuple[Assignment, ...] = ()
    offers: tuple[Assignment, ...] = ()
    needs: tuple[Need, ...] = ()
    reason: Reason | None = None
    eliminated: tuple[Elimination, ...] = ()
    scores: tuple[Score, ...] = ()
    ranked_by: tuple[Ranker, ...] = ()


class Decision(Struct, frozen=True, kw_only=True):
    """A decision with everything it was made from, so that it can be made again: `replay` gives an equal one."""

    order: str
    attempt: int
    decided_at_ms: int
    digest: str
    request: Request
    facts: tuple[StoreFacts, ...]
    rules: RuleSet
    answer: Answer
