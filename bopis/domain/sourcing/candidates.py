"""Filters: a store becomes a candidate, or is eliminated with the first reason that applies."""

from msgspec import Struct

from bopis.domain.sourcing.decision import Elimination, EliminationReason, Missing
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.stock import available, missing, wanted_units
from bopis.domain.sourcing.timing import DecisionContext, Timing, open_time, timing
from bopis.domain.values import MINUTE_MS


class Candidate(Struct, frozen=True, kw_only=True):
    """A store that passes the filters; with ``missing`` units it can serve only a part of the order."""

    facts: StoreFacts
    timing: Timing
    missing: tuple[Missing, ...] = ()

    @property
    def store(self) -> str:
        return self.facts.store


Judged = Candidate | Elimination


def judge(request: Request, store: StoreFacts, context: DecisionContext) -> Judged:
    """The store as a candidate, or eliminated when it can serve nothing of the order. The ladder judges stock."""
    if reason := _barred(request, store, context):
        return Elimination(store=store.store, reason=reason)
    when = timing(store, request.slot, len(request.lines), context)
    if when is None:
        # A store without picking capacity would never be ready, whatever its hours.
        idle = open_time(store, 1) is None
        return Elimination(
            store=store.store, reason=EliminationReason.NO_CAPACITY if idle else EliminationReason.NOT_OPEN_IN_TIME
        )
    if when.spare_minutes < 0 or _queue_too_long(request, store, context.rules):
        return Elimination(store=store.store, reason=EliminationReason.NO_CAPACITY)
    return Candidate(facts=store, timing=when, missing=missing(wanted_units(request.lines), open_stock(request, store)))


def short(candidate: Candidate) -> Elimination:
    """Elimination of a candidate whose stock does not cover the order."""
    return Elimination(store=candidate.store, reason=EliminationReason.NOT_ENOUGH_STOCK, missing=candidate.missing)


def open_stock(request: Request, store: StoreFacts) -> dict[str, int]:
    """Units that a store may promise to this order: none of a SKU that it refused before."""
    refused = {sku for it in request.excluded if it.store == store.store for sku in it.skus}
    return {sku: 0 if sku in refused else units for sku, units in available(store).items()}


def _barred(request: Request, store: StoreFacts, context: DecisionContext) -> EliminationReason | None:
    rules = context.rules
    # In the order of `EliminationReason`, of which the explanation names the first that applies.
    if any(it.store == store.store and not it.skus for it in request.excluded):
        return EliminationReason.EXCLUDED
    if store.closed:
        return EliminationReason.CLOSED_FOR_GOOD
    if not store.pickup:
        return EliminationReason.PICKUP_OFF
    if _is_nowhere(request, store):
        return EliminationReason.PLACE_UNKNOWN
    far = store.distance_m is not None and 0 < rules.distance_metres_max < store.distance_m
    # The customer chose the store themselves, however far it is.
    if far and store.store != request.store:
        return EliminationReason.TOO_FAR
    if rules.data_age_minutes_max and _age_ms(store, context.now_ms) > rules.data_age_minutes_max * MINUTE_MS:
        return EliminationReason.DATA_TOO_OLD
    if rules.trust_permille_min and _least_trust(request, store) < rules.trust_permille_min:
        return EliminationReason.TRUST_TOO_LOW
    return None


def _is_nowhere(request: Request, store: StoreFacts) -> bool:
    """Whether a store has no known distance from where the customer is or wants to go: it may be anywhere.

    The customer's own choice needs no distance; nor does a request that names neither a store nor a place.
    """
    near = request.store is not None or request.place is not None
    return near and store.distance_m is None and store.store != request.store


def _age_ms(store: StoreFacts, now_ms: int) -> int:
    """Age of the store's newest report; 0 for a store without devices, which is never stale."""
    return 0 if store.heard_ms is None else now_ms - store.heard_ms


def _least_trust(request: Request, store: StoreFacts) -> int:
    wanted = wanted_units(request.lines)
    known = [it.trust for it in store.skus if it.sku in wanted and it.trust is not None]
    return min(known, default=1_000)


def _queue_too_long(request: Request, store: StoreFacts, rules: RuleSet) -> bool:
    if request.slot is not None or not rules.queue_minutes_max:
        return False
    queued = open_time(store, store.queue_minutes)
    return queued is None or queued > rules.queue_minutes_max
