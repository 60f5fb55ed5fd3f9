"""The computation of each key figure. A definition that changes gets the next version.

Shares are between 0 and 1; None is a figure of nothing. Quantiles are by nearest rank, so each is a value that
occurred.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct

from bopis.domain.orders.vocabulary import ShortCause
from bopis.domain.values import MINUTE_MS
from bopis.quantiles import quantile
from bopis.readside.kpi.visits import Visit

# Open milliseconds of a store from an instant to another one; None for a store without known hours.
OpenMs = Callable[[str, int, int], int | None]
Figures = dict[str, float | int | None]
P50, P90, P95 = 0.5, 0.9, 0.95


class Definition(Struct, frozen=True, kw_only=True):
    """The definition of a key figure: `says` is its meaning, `counted` its computation, `figures` the meaning of each
    of its figures."""

    name: str
    version: int = 1
    says: str
    counted: str
    figures: dict[str, str]


class Silent(NamedTuple):
    """A span of the log's time in which a store reported nothing newer than `heard_ms`."""

    store: str
    since_ms: int
    until_ms: int
    heard_ms: int


def share(part: int, whole: int) -> float | None:
    """A part of a whole, to four digits; None of nothing."""
    return round(part / whole, 4) if whole else None


def time_to_ready(visits: Sequence[Visit], open_ms: OpenMs) -> Figures:
    ready = [it for it in visits if it.ready_ms is not None]
    soon = [it for it in ready if it.slot_ms is None]
    clock = [(it.ready_ms or 0) - it.placed_ms for it in soon]
    opened = [ms for it in soon if (ms := open_ms(it.store, it.placed_ms, it.ready_ms or 0)) is not None]
    kept = sum(it.ready_by_ms is not None and (it.ready_ms or 0) <= it.ready_by_ms for it in ready)
    return {
        "ready": len(ready),
        "not_ready": len(visits) - len(ready),
        "p50_minutes": _minutes(quantile(clock, P50)),
        "p90_minutes": _minutes(quantile(clock, P90)),
        "p50_open_minutes": _minutes(quantile(opened, P50)),
        "p90_open_minutes": _minutes(quantile(opened, P90)),
        "within_promise": share(kept, len(ready)),
    }


def accept_time(visits: Sequence[Visit], _: OpenMs) -> Figures:
    accepted = [it for it in visits if it.accepted_ms is not None]
    took = [max(0, (it.accepted_ms or 0) - it.promised_ms) for it in accepted]
    return {
        "accepted": len(accepted),
        "p50_minutes": _minutes(quantile(took, P50)),
        "p90_minutes": _minutes(quantile(took, P90)),
        "in_time": share(sum(it.overdue == 0 for it in accepted), len(accepted)),
    }


def first_time_pick(visits: Sequence[Visit], _: OpenMs) -> Figures:
    picked = [it for it in visits if it.picked or it.missing]
    return {"picked": len(picked), "rate": share(sum(it.shorts == 0 for it in picked), len(picked))}


def short_pick(visits: Sequence[Visit], _: OpenMs) -> Figures:
    wanted = sum(it.picked + it.missing for it in visits)
    lost = {cause.value: sum(it.short.get(cause.value, 0) for it in visits) for cause in ShortCause}
    whole = wanted + lost[ShortCause.TILL.value]
    return {"units": whole} | {f"by_{cause}": share(units, whole) for cause, units in lost.items()}


def ready_accuracy(visits: Sequence[Visit], _: OpenMs) -> Figures:
    ready = [it for it in visits if it.ready_ms is not None]
    return {"ready": len(ready), "rate": share(sum(it.withdrawn == 0 for it in ready), len(ready))}


def dwell(visits: Sequence[Visit], _: OpenMs) -> Figures:
    ends = [(it, it.handed_over_ms or it.expired_ms) for it in visits if it.ready_ms is not None]
    stayed = [max(0, end - (it.ready_ms or 0)) for it, end in ends if end is not None]
    return {
        "ended": len(stayed),
        "p50_minutes": _minutes(quantile(stayed, P50)),
        "p90_minutes": _minutes(quantile(stayed, P90)),
    }


def customer_wait(visits: Sequence[Visit], _: OpenMs) -> Figures:
    served = [it for it in visits if it.arrived_ms is not None and it.handed_over_ms is not None]
    waited = [max(0, (it.handed_over_ms or 0) - (it.arrived_ms or 0)) for it in served]
    return {
        "served": len(served),
        "p50_minutes": _minutes(quantile(waited, P50)),
        "p90_minutes": _minutes(quantile(waited, P90)),
    }


def no_show(visits: Sequence[Visit], _: OpenMs) -> Figures:
    expired = sum(it.expired_ms is not None for it in visits)
    collected = sum(it.handed_over_ms is not None and it.expired_ms is None for it in visits)
    return {"ended": expired + collected, "rate": share(expired, expired + collected)}


def reroute(visits: Sequence[Visit], _: OpenMs) -> Figures:
    return {"promised": len(visits), "rate": share(sum(it.rejected > 0 for it in visits), len(visits))}


def oversell(visits: Sequence[Visit], _: OpenMs) -> Figures:
    conflicts = [(it, at_ms) for it in visits for at_ms in it.conflicts]
    before = sum(it.arrived_ms is None or at_ms < it.arrived_ms for it, at_ms in conflicts)
    return {"conflicts": len(conflicts), "found_before": before, "found_before_rate": share(before, len(conflicts))}


def inventory_trust(visits: Sequence[Visit], _: OpenMs) -> Figures:
    picked = sum(it.picked for it in visits)
    wanted = picked + sum(it.missing for it in visits)
    return {"units": wanted, "rate": share(picked, wanted)}


def data_age(silences: Sequence[Silent], stores: int, since_ms: int, until_ms: int) -> Figures:
    """The age of reports in a span of time: its 95th percentile over the time of all stores.

    Within a silence the age grows by a millisecond each millisecond, so the time spent above an age is the rest of each
    silence after it reached that age.
    """
    clipped = [
        it._replace(since_ms=max(it.since_ms, since_ms), until_ms=min(it.until_ms, until_ms))
        for it in silences
        if it.until_ms > since_ms and it.since_ms < until_ms
    ]
    whole_ms = stores * (until_ms - since_ms)
    silent_ms = sum(it.until_ms - it.since_ms for it in clipped)
    figures: Figures = {"stores": stores, "fresh": share(whole_ms - silent_ms, whole_ms), "p95_minutes": None}
    if whole_ms > 0 and silent_ms > whole_ms * (1 - P95):
        figures["p95_minutes"] = round(_exceeded(clipped, whole_ms * (1 - P95)) / MINUTE_MS, 1)
    return figures


def _exceeded(silences: Sequence[Silent], allowed_ms: float) -> int:
    """The smallest age above which at most `allowed_ms` was spent, by bisection."""
    low, high = 0, max(it.until_ms - it.heard_ms for it in silences)
    while low < high:
        middle = (low + high) // 2
        above = sum(max(0, it.until_ms - max(it.since_ms, it.heard_ms + middle)) for it in silences)
        low, high = (low, middle) if above <= allowed_ms else (middle + 1, high)
    return low


def _minutes(ms: int | None) -> float | None:
    return None if ms is None else round(ms / MINUTE_MS, 1)
