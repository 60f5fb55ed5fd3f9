"""Split of an order: the fewest stores that cover it, and among those the best ranked."""

from collections.abc import Sequence
from itertools import combinations

from bopis.domain.sourcing.candidates import Candidate, open_stock
from bopis.domain.sourcing.decision import AssignedLine, Assignment
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.stock import take, wanted_units
from bopis.domain.sourcing.timing import DecisionContext, assignment, timing


def split(request: Request, candidates: Sequence[Candidate], context: DecisionContext) -> tuple[Assignment, ...]:
    """Assignments of the fewest stores that together serve the whole order; empty when none can.

    Candidates are ranked, the chosen store first. Each store takes all it can before the next one, so stock is used in
    the order of the ranks.
    """
    wanted = wanted_units(request.lines)
    stock = {it.store: open_stock(request, it.facts) for it in candidates}
    useful = [it for it in candidates if any(stock[it.store].get(sku, 0) > 0 for sku in wanted)]
    # Bounds the number of combinations.
    useful = useful[: context.rules.candidates_max]
    for size in range(2, context.rules.split_stores_max + 1):
        for group in combinations(useful, size):
            # Cheap test first: together they lack a SKU.
            if any(sum(stock[it.store].get(sku, 0) for it in group) < units for sku, units in wanted.items()):
                continue
            if parts := _cover(request, group, stock):
                return tuple(_assigned(request, it, part, context) for it, part in zip(group, parts, strict=True))
    return ()


def _cover(
    request: Request, group: Sequence[Candidate], stock: dict[str, dict[str, int]]
) -> list[tuple[AssignedLine, ...]]:
    """Lines of each store of a group; empty when they do not cover the order, or a store would take none."""
    left = {it.line: it.quantity for it in request.lines}
    parts = []
    for it in group:
        part = take(request.lines, left, dict(stock[it.store]))
        # A store without lines would be visited for nothing.
        if not part:
            return []
        for taken in part:
            left[taken.line] -= taken.quantity
        parts.append(part)
    return [] if any(left.values()) else parts


def _assigned(
    request: Request, candidate: Candidate, part: tuple[AssignedLine, ...], context: DecisionContext
) -> Assignment:
    # A part is never more work than the whole order, for which the candidate has time.
    part_timing = timing(candidate.facts, request.slot, len(part), context) or candidate.timing
    return assignment(candidate.facts, part, part_timing, context)
