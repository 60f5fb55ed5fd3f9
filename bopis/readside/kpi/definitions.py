"""What each key figure means, and how it is made. A definition that is changed gets the next version.

Shares are between 0 and 1; None is a figure of nothing. Quantiles are those values that really occurred (nearest
rank), so no figure is one that nobody had.
"""

from collections.abc import Callable, Sequence
from math import ceil

from msgspec import Struct

from bopis.domain.orders.terms import ShortCause
from bopis.readside.kpi.visits import Visit

OpenMs = Callable[[str, int, int], int | None]  # store, from, to: open milliseconds; None where hours are not known
Figures = dict[str, float | int | None]
P50, P90, P95 = 0.5, 0.9, 0.95
MINUTE_MS = 60_000


class Definition(Struct, frozen=True, kw_only=True):
    """One key figure: its name, the version of its definition, what it says, and how it is counted."""

    name: str
    version: int
    says: str
    counted: str
    figures: dict[str, str]


def quantile(values: Sequence[int], share: float) -> int | None:
    """The smallest value that so large a share of the values does not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)] if values else None


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


def _minutes(ms: int | None) -> float | None:
    return None if ms is None else round(ms / MINUTE_MS, 1)
