"""Filters: a store becomes a candidate, or is eliminated by the first reason that speaks against it."""

from msgspec import Struct

from bopis.domain.sourcing.decision import Elimination, Missing, Reason
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.stock import available, missing, wanted_units
from bopis.domain.sourcing.timing import Clock, Timing, open_time, timing
from bopis.domain.values import MINUTE_MS


class Candidate(Struct, frozen=True, kw_only=True):
    """A store that is open, near and fresh enough to serve the order, or with ``missing`` a part of it."""

    facts: StoreFacts
    timing: Timing
    missing: tuple[Missing, ...] = ()

    @property
    def store(self) -> str:
        return self.facts.store


Judged = Candidate | Elimination


def judge(request: Request, store: StoreFacts, clock: Clock) -> Judged:
    """The store as a candidate, or why it cannot serve any of the order. Stock is judged by the ladder."""
    if reason := _barred(request, store, clock):
        return Elimination(store=store.store, reason=reason)
    told = timing(store, request.slot, len(request.lines), clock)
    if told is None:
        idle = open_time(store, 1) is None
        return Elimination(store=store.store, reason=Reason.NO_CAPACITY if idle else Reason.NOT_OPEN_IN_TIME)
    if told.spare_minutes < 0 or _queue_too_long(request, store, clock.rules):
        return Elimination(store=store.store, reason=Reason.NO_CAPACITY)
    return Candidate(facts=store, timing=told, missing=missing(wanted_units(request.lines), open_stock(request, store)))


def short(candidate: Candidate) -> Elimination:
    """The elimination of a candidate whose stock does not cover the order."""
    return Elimination(store=candidate.store, reason=Reason.NOT_ENOUGH_STOCK, missing=candidate.missing)


def open_stock(request: Request, store: StoreFacts) -> dict[str, int]:
    """Units that a store may promise to this order: none of a SKU that it refused before."""
    refused = {sku for it in request.excluded if it.store == store.store for sku in it.skus}
    return {sku: 0 if sku in refused else units for sku, units in available(store).items()}


def _barred(request: Request, store: StoreFacts, clock: Clock) -> Reason | None:
    rules = clock.rules
    if any(it.store == store.store and not it.skus for it in request.excluded):
        return Reason.EXCLUDED
    if store.closed:
        return Reason.CLOSED_FOR_GOOD
    if not store.pickup:
        return Reason.PICKUP_OFF
    far = store.distance_m is not None and 0 < rules.distance_metres_max < store.distance_m
    if far and store.store != request.store:
        return Reason.TOO_FAR
    if rules.data_age_minutes_max and _age_ms(store, clock.now_ms) > rules.data_age_minutes_max * MINUTE_MS:
        return Reason.DATA_TOO_OLD
    if rules.trust_permille_min and _least_trust(request, store) < rules.trust_permille_min:
        return Reason.TRUST_TOO_LOW
    return None


def _age_ms(store: StoreFacts, now_ms: int) -> int:
    """How old the news of a store are; a store that never had a device has nothing to be silent."""
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
