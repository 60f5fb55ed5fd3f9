"""Simulation: past requests are decided again by other rules from their recorded facts, and the results compared.

Only recorded facts are known: a decision that the chosen store served as requested contains no other store. Decisions
do not influence each other: each uses the stock in its own facts.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from bopis.domain.sourcing.decision import Assignment, Decision, RoutingOutcome
from bopis.domain.sourcing.ladder import decide, replay
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.stock import wanted_units
from bopis.domain.values import MINUTE_MS
from bopis.services.routing.history import PastDecision

PERMILLE = 1_000

# Label and name of each figure, as people compare rule sets.
FIGURES = (
    ("decisions", "decisions"),
    ("routed", "routed"),
    ("offered elsewhere", "offered"),
    ("waiting", "waiting"),
    ("refused", "refused"),
    ("units served", "fill"),
    ("split over stores", "split"),
    ("stores used", "stores"),
    ("distance, mean", "metres_mean"),
    ("promise, mean", "promise_minutes_mean"),
    ("promise kept", "promise_kept"),
    ("SKUs drained", "drained"),
    ("changed stores", "moved"),
)


class RuleSetFigures(Struct, frozen=True, kw_only=True):
    """Results of a rule set over past requests. Shares are per mille; None without a decision to compute from.

    `fill`: share of the requested units that were assigned. `promise_kept`: share of the assignments to the store that
    prepared the order, and whose time of readiness is known (`promises_known`), that were ready in time. `drained`:
    SKUs of which an order would take a store's last units. `moved`: decisions that choose other stores than the
    recorded ones.
    """

    rules: str
    version: int
    decisions: int
    routed: int
    offered: int
    waiting: int
    refused: int
    fill: int | None
    split: int
    stores: int
    metres_mean: int | None
    promise_minutes_mean: int | None
    promise_kept: int | None
    promises_known: int
    drained: int
    moved: int


def simulate(past: Sequence[PastDecision], rules: RuleSet) -> RuleSetFigures:
    """The figures of all past requests under a rule set."""
    return figures(
        [
            ComparedDecision(it, decide(it.decision.request, it.decision.facts, rules, it.decision.decided_at_ms))
            for it in past
        ],
        rules,
    )


def as_decided(past: Sequence[PastDecision]) -> RuleSetFigures:
    """The figures of the recorded decisions."""
    return figures([ComparedDecision(it, it.decision) for it in past])


def of_candidate(past: Sequence[PastDecision]) -> RuleSetFigures | None:
    """The figures of the candidate rules' recorded decisions; None without any."""
    found = [ComparedDecision(it, it.candidate) for it in past if it.candidate is not None]
    return figures(found) if found else None


def not_repeatable(past: Iterable[PastDecision]) -> int:
    """The number of decisions that this version would not repeat from the same facts and rules."""
    return sum(replay(it.decision) != it.decision for it in past)


class ComparedDecision(NamedTuple):
    """A recorded decision, and the decision about the same request to compute figures of."""

    past: PastDecision
    decision: Decision


def figures(compared: Sequence[ComparedDecision], rules: RuleSet | None = None) -> RuleSetFigures:
    """The figures of decisions, under the name of `rules`, by default of the rules in the decisions."""
    used = [rules] if rules is not None else [it.decision.rules for it in compared]
    names = {(it.name, it.version) for it in used}
    name, version = names.pop() if len(names) == 1 else ("several", 0)
    outcomes = [it.decision.answer.outcome for it in compared]
    routed = [it for it in compared if it.decision.answer.outcome is RoutingOutcome.ROUTED]
    assigned = [(it.past, it.decision, part) for it in routed for part in it.decision.answer.assignments]
    known = [past.ready_ms[it.store] <= it.ready_by_ms for past, _, it in assigned if it.store in past.ready_ms]
    return RuleSetFigures(
        rules=name,
        version=version,
        decisions=len(compared),
        routed=outcomes.count(RoutingOutcome.ROUTED),
        offered=outcomes.count(RoutingOutcome.OFFERED),
        waiting=outcomes.count(RoutingOutcome.WAITING),
        refused=outcomes.count(RoutingOutcome.REFUSED),
        fill=_share(
            sum(line.quantity for _, _, it in assigned for line in it.lines),
            sum(line.quantity for it in compared for line in it.decision.request.lines),
        ),
        split=sum(len(it.decision.answer.assignments) > 1 for it in routed),
        stores=len({it.store for _, _, it in assigned}),
        metres_mean=_mean([metres for _, it, part in assigned if (metres := _metres(it, part)) is not None]),
        promise_minutes_mean=_mean([(it.ready_by_ms - one.decided_at_ms) // MINUTE_MS for _, one, it in assigned]),
        promise_kept=_share(sum(known), len(known)),
        promises_known=len(known),
        drained=sum(_drained(it, part) for _, it, part in assigned),
        moved=sum(_stores(it.past.decision) != _stores(it.decision) for it in compared),
    )


def _metres(decision: Decision, part: Assignment) -> int | None:
    return next(it.distance_m for it in decision.facts if it.store == part.store)


def _drained(decision: Decision, part: Assignment) -> int:
    """The number of SKUs of which the assigned store would have no unit left to promise."""
    units = {it.line: it.quantity for it in part.lines}
    lines = [it for it in decision.request.lines if it.line in units]
    stock = {it.sku: it.atp for it in next(s.skus for s in decision.facts if s.store == part.store)}
    taken: dict[str, int] = {}
    for line in lines:
        per_unit = wanted_units((line,))
        for sku, count in per_unit.items():
            taken[sku] = taken.get(sku, 0) + count // line.quantity * units[line.line]
    return sum(stock.get(sku, 0) <= count for sku, count in taken.items())


def _stores(decision: Decision) -> frozenset[str]:
    return frozenset(it.store for it in decision.answer.assignments)


def _share(part: int, whole: int) -> int | None:
    return None if not whole else part * PERMILLE // whole


def _mean(values: Sequence[int]) -> int | None:
    return None if not values else sum(values) // len(values)
