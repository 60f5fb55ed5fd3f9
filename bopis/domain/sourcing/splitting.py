"""Several stores for one order: the fewest that cover it, and among those the best ranked."""

from collections.abc import Sequence
from itertools import combinations

from bopis.domain.sourcing.candidates import Candidate, open_stock
from bopis.domain.sourcing.decision import AssignedLine, Assignment
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.stock import take, wanted_units
from bopis.domain.sourcing.timing import Clock, assignment, timing


def split(request: Request, candidates: Sequence[Candidate], clock: Clock) -> tuple[Assignment, ...]:
    """What each of the fewest stores does so that together they serve the whole order; empty when none can.

    The candidates come ranked, the chosen store first. Each store takes all it can before the next one, so the
    order of the ranks is the order in which stock is used.
    """
    wanted = wanted_units(request.lines)
    stock = {it.store: open_stock(request, it.facts) for it in candidates}
    useful = [it for it in candidates if any(stock[it.store].get(sku, 0) > 0 for sku in wanted)]
    useful = useful[: clock.rules.candidates_max]
    for size in range(2, clock.rules.split_stores_max + 1):
        for group in combinations(useful, size):
            if any(sum(stock[it.store].get(sku, 0) for it in group) < units for sku, units in wanted.items()):
                continue
            if parts := _cover(request, group, stock):
                return tuple(_assigned(request, it, part, clock) for it, part in zip(group, parts, strict=True))
    return ()


def _cover(
    request: Request, group: Sequence[Candidate], stock: dict[str, dict[str, int]]
) -> list[tuple[AssignedLine, ...]]:
    """The lines of each store of a group, or nothing when they do not cover the order or one would have none."""
    left = {it.line: it.quantity for it in request.lines}
    parts = []
    for it in group:
        part = take(request.lines, left, dict(stock[it.store]))
        if not part:
            return []
        for taken in part:
            left[taken.line] -= taken.quantity
        parts.append(part)
    return [] if any(left.values()) else parts


def _assigned(request: Request, candidate: Candidate, part: tuple[AssignedLine, ...], clock: Clock) -> Assignment:
    # A part is never more work than the whole, which the candidate has time for.
    told = timing(candidate.facts, request.slot, len(part), clock) or candidate.timing
    return assignment(candidate.facts, part, told, clock)
