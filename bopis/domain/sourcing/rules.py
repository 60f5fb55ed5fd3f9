"""Rule set of sourcing: a versioned list of limits and rankers. A decision records the one it used."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

Minutes = Annotated[int, Meta(ge=0, le=100_000)]
Permille = Annotated[int, Meta(ge=0, le=1_000)]


class Ranker(StrEnum):
    """Criterion that stores are ranked by; lower ranks are better."""

    FEWEST_STORES = "fewest_stores"
    DISTANCE = "distance"
    READY_TIME = "ready_time"
    BALANCE = "balance"
    CAPACITY = "capacity"
    TRUST = "trust"
    COST = "cost"


class Ranking(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One ranker and the width of its steps: values within one step tie, and the next ranker breaks the tie.

    Units: metres, minutes until ready, units of stock left, minutes of capacity left, per mille of trust, cost.
    """

    by: Ranker
    step: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


DEFAULT_RANKING = (
    Ranking(by=Ranker.FEWEST_STORES),
    Ranking(by=Ranker.DISTANCE, step=2_000),
    Ranking(by=Ranker.READY_TIME, step=15),
    Ranking(by=Ranker.TRUST, step=100),
    Ranking(by=Ranker.BALANCE),
    Ranking(by=Ranker.CAPACITY, step=30),
    Ranking(by=Ranker.COST),
)


class RuleSet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters and rankers. Each limit has its unit in its name; 0 switches a filter off."""

    name: Annotated[str, Meta(min_length=1, max_length=64)] = "standard"
    version: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    rankers: Annotated[tuple[Ranking, ...], Meta(max_length=20)] = DEFAULT_RANKING
    promise_minutes: Minutes = 120
    accept_minutes: Minutes = 15
    reroute_minutes: Minutes = 30
    order_seconds: Annotated[int, Meta(ge=0, le=36_000)] = 120
    line_seconds: Annotated[int, Meta(ge=0, le=36_000)] = 60
    distance_metres_max: Annotated[int, Meta(ge=0, le=25_000_000)] = 50_000
    data_age_minutes_max: Minutes = 240
    trust_permille_min: Permille = 0
    queue_minutes_max: Minutes = 480
    transfer_hours: Annotated[int, Meta(ge=0, le=1_000)] = 0
    later_days_max: Annotated[int, Meta(ge=0, le=60)] = 7
    candidates_max: Annotated[int, Meta(ge=1, le=200)] = 25
    offers_max: Annotated[int, Meta(ge=0, le=20)] = 3
    split_stores_max: Annotated[int, Meta(ge=1, le=4)] = 3
    closings_told: Annotated[int, Meta(ge=1, le=60)] = 14
