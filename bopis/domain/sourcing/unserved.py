"""Stock that was missing when no store could serve a request: a short form of the decision, for people and notices."""

from msgspec import Struct

from bopis.domain.sourcing.decision import Decision, EliminationReason
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.stock import available, wanted_units


class UnservedSku(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A SKU that the chosen store lacks: units wanted and available there, and the store that has most of it.

    ``other`` is empty when no other store has more; ``other_distance_m`` is its distance in metres, if known.
    """

    sku: str
    wanted: int
    available: int
    other: str = ""
    other_available: int = 0
    other_distance_m: int | None = None


class Unserved(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why no store serves a request: the reason against the chosen store, its missing units, and the limit of distance.

    ``distance_metres_max`` is 0 without a limit.
    """

    store: str = ""
    reason: EliminationReason | None = None
    skus: tuple[UnservedSku, ...] = ()
    distance_metres_max: int = 0


def unserved(decision: Decision) -> Unserved:
    """The stock that a decision found missing, from the facts that it was made with."""
    request, chosen = decision.request, decision.request.store or ""
    reasons = {it.store: it.reason for it in decision.answer.eliminated}
    facts = {it.store: it for it in decision.facts}
    here = available(facts[chosen]) if chosen in facts else {}
    skus = tuple(
        _missing(sku, wanted, here.get(sku, 0), [it for it in decision.facts if it.store != chosen])
        for sku, wanted in wanted_units(request.lines).items()
        if here.get(sku, 0) < wanted
    )
    return Unserved(
        store=chosen,
        reason=reasons.get(chosen, decision.answer.reason),
        skus=skus,
        distance_metres_max=decision.rules.distance_metres_max,
    )


def _missing(sku: str, wanted: int, here: int, others: list[StoreFacts]) -> UnservedSku:
    best: StoreFacts | None = None
    most = here
    for store in sorted(others, key=lambda it: (it.distance_m is None, it.distance_m or 0, it.store)):
        units = available(store).get(sku, 0)
        # The nearest of those that have most of it.
        if units > most and not store.closed and store.pickup:
            best, most = store, units
    if best is None:
        return UnservedSku(sku=sku, wanted=wanted, available=here)
    return UnservedSku(
        sku=sku, wanted=wanted, available=here, other=best.store, other_available=most, other_distance_m=best.distance_m
    )
