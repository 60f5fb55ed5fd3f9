"""Past requests under other rules: each decision is made again from its own inputs, and the answers are compared.

What was not looked at then is not known now: a decision that the chosen store served as asked tells of no other
store. Nor do decisions touch each other here; each sees the stock that its own inputs tell of.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from bopis.domain.sourcing.decision import Assignment, Decision, Outcome
from bopis.domain.sourcing.ladder import decide, replay
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.stock import wanted_units
from bopis.domain.values import MINUTE_MS
from bopis.services.routing.history import Past

PERMILLE = 1_000


class Figures(Struct, frozen=True, kw_only=True):
    """What a rule set made of the past. Shares are per mille; None where nothing is known to judge by.

    ``fill`` counts units assigned of units asked for. ``promise_kept`` counts orders whose store is the one that
    prepared them, and of which is known when they were ready. ``drained`` counts SKUs that an order would take the
    last units of in a store. ``moved`` counts decisions that choose other stores than were chosen then.
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


def simulate(past: Sequence[Past], rules: RuleSet) -> Figures:
    """The figures of all past requests under a rule set."""
    return figures(
        (rules.name, rules.version),
        [(it, decide(it.decision.request, it.decision.facts, rules, it.decision.decided_at_ms)) for it in past],
    )


def as_decided(past: Sequence[Past]) -> Figures:
    """The figures of the decisions that were acted on."""
    names = {(it.decision.rules.name, it.decision.rules.version) for it in past}
    return figures(names.pop() if len(names) == 1 else ("several", 0), [(it, it.decision) for it in past])


def beside(past: Sequence[Past]) -> Figures | None:
    """The figures of the candidate rule set's decisions, made at the time; None without any."""
    found = [(it, it.candidate) for it in past if it.candidate is not None]
    if not found:
        return None
    names = {(candidate.rules.name, candidate.rules.version) for _, candidate in found}
    return figures(names.pop() if len(names) == 1 else ("several", 0), found)


def not_repeatable(past: Iterable[Past]) -> int:
    """Decisions that this version's code would not make again from the same inputs and rules."""
    return sum(replay(it.decision) != it.decision for it in past)


def figures(name: tuple[str, int], made: Sequence[tuple[Past, Decision]]) -> Figures:
    """What decisions come to, beside what was decided then."""
    outcomes = [decision.answer.outcome for _, decision in made]
    routed = [(past, it) for past, it in made if it.answer.outcome is Outcome.ROUTED]
    assigned = [(past, it, part) for past, it in routed for part in it.answer.assignments]
    known = [past.ready_ms[it.store] <= it.ready_by_ms for past, _, it in assigned if it.store in past.ready_ms]
    return Figures(
        rules=name[0],
        version=name[1],
        decisions=len(made),
        routed=outcomes.count(Outcome.ROUTED),
        offered=outcomes.count(Outcome.OFFERED),
        waiting=outcomes.count(Outcome.WAITING),
        refused=outcomes.count(Outcome.REFUSED),
        fill=_share(
            sum(line.quantity for _, _, it in assigned for line in it.lines),
            sum(line.quantity for _, it in made for line in it.request.lines),
        ),
        split=sum(len(it.answer.assignments) > 1 for _, it in routed),
        stores=len({it.store for _, _, it in assigned}),
        metres_mean=_mean([metres for _, it, part in assigned if (metres := _metres(it, part)) is not None]),
        promise_minutes_mean=_mean([(it.ready_by_ms - one.decided_at_ms) // MINUTE_MS for _, one, it in assigned]),
        promise_kept=_share(sum(known), len(known)),
        promises_known=len(known),
        drained=sum(_drained(it, part) for _, it, part in assigned),
        moved=sum(_stores(past.decision) != _stores(it) for past, it in made),
    )


def _metres(decision: Decision, part: Assignment) -> int | None:
    return next(it.distance_m for it in decision.facts if it.store == part.store)


def _drained(decision: Decision, part: Assignment) -> int:
    """SKUs of which the assigned store would have nothing left to promise."""
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
