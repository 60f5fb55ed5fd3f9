"""The sourcing ladder: chosen store as requested, later promise, alternatives, split, waiting, early refusal.

`decide` is deterministic: the same request, facts, rules and time give the same decision, bit for bit, in whatever
order the stores come. It reads no clock and uses whole numbers only.
"""

from collections.abc import Iterable
from zlib import crc32

import msgspec
from msgspec import Struct

from bopis.domain.sourcing.candidates import Candidate, judge, short
from bopis.domain.sourcing.decision import (
    Answer,
    Assignment,
    Decision,
    Elimination,
    EliminationReason,
    RoutingOutcome,
    Rung,
    Score,
    StockNeed,
)
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.later import later
from bopis.domain.sourcing.ranking import ranked
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.splitting import split
from bopis.domain.sourcing.stock import all_of, wanted_units
from bopis.domain.sourcing.timing import DecisionContext, assignment

REASONS = tuple(EliminationReason)


def decide(request: Request, facts: Iterable[StoreFacts], rules: RuleSet, now_ms: int) -> Decision:
    """Choose the stores that serve the order, and give the reason against each of the others."""
    # Sorted: the digest and every tie must not depend on the order of the facts.
    stores = tuple(sorted(facts, key=lambda it: it.store))
    assert len({it.store for it in stores}) == len(stores), "each store has one entry of facts"
    evaluation = _Evaluation.of(request, stores, DecisionContext(now_ms, rules))
    return Decision(
        order=request.order,
        attempt=request.attempt,
        decided_at_ms=now_ms,
        digest=digest(request, stores, rules, now_ms),
        request=request,
        facts=stores,
        rules=rules,
        answer=_climb(evaluation),
    )


def replay(decision: Decision) -> Decision:
    """Make a decision again from its recorded inputs; it differs only if the deciding code has changed."""
    return decide(decision.request, decision.facts, decision.rules, decision.decided_at_ms)


def digest(request: Request, facts: tuple[StoreFacts, ...], rules: RuleSet, now_ms: int) -> str:
    """Eight hexadecimal digits that identify the inputs of a decision (CRC-32 of their JSON)."""
    return f"{crc32(msgspec.json.encode((request, facts, rules, now_ms))):08x}"


class _Evaluation(Struct, frozen=True):
    """Stores after the filters: ranked candidates with their scores, and eliminated stores."""

    request: Request
    context: DecisionContext
    candidates: tuple[Candidate, ...]
    scores: tuple[Score, ...]
    out: tuple[Elimination, ...]

    @classmethod
    def of(cls, request: Request, stores: tuple[StoreFacts, ...], context: DecisionContext) -> "_Evaluation":
        judged = [judge(request, it, context) for it in stores]
        out = [it for it in judged if isinstance(it, Elimination)]
        # A chosen store without facts is eliminated by name, so that the decision explains it.
        if request.store is not None and all(it.store != request.store for it in stores):
            out.append(Elimination(store=request.store, reason=EliminationReason.UNKNOWN_STORE))
        fit = [it for it in judged if isinstance(it, Candidate)]
        best, scores = ranked(fit, wanted_units(request.lines), context)
        return cls(request, context, tuple(best), tuple(scores), tuple(sorted(out, key=lambda it: it.store)))

    @property
    def chosen(self) -> Candidate | None:
        return next((it for it in self.candidates if it.store == self.request.store), None)

    @property
    def others(self) -> list[Candidate]:
        return [it for it in self.candidates if it.store != self.request.store]

    @property
    def eliminated(self) -> tuple[Elimination, ...]:
        """Stores that the filters eliminated, and those whose stock does not cover the order."""
        found = (*self.out, *(short(it) for it in self.candidates if it.missing))
        return tuple(sorted(found, key=lambda it: it.store))

    def whole(self, candidate: Candidate) -> Assignment:
        return assignment(candidate.facts, all_of(self.request.lines), candidate.timing, self.context)


def _climb(evaluation: _Evaluation) -> Answer:
    """Answer of the first rung that has one, with all eliminations and scores."""
    answer = (
        _as_asked(evaluation)
        or _later(evaluation)
        or _elsewhere(evaluation)
        or _in_parts(evaluation)
        or _waiting(evaluation)
        or Answer(rung=Rung.REFUSE, outcome=RoutingOutcome.REFUSED, reason=_why(evaluation))
    )
    return msgspec.structs.replace(
        answer,
        eliminated=evaluation.eliminated,
        scores=evaluation.scores,
        ranked_by=tuple(it.by for it in evaluation.context.rules.rankers),
    )


def _as_asked(evaluation: _Evaluation) -> Answer | None:
    chosen = evaluation.chosen
    if chosen is None or chosen.missing:
        return None
    return Answer(rung=Rung.CHOSEN, outcome=RoutingOutcome.ROUTED, assignments=(evaluation.whole(chosen),))


def _later(evaluation: _Evaluation) -> Answer | None:
    """Assign the chosen store from when incoming stock arrives; stock that is not there yet cannot be held.

    Stock that arrives before the chosen slot is no later promise, so the order need not allow one; then only announced
    stock counts, and no transfer is planned.
    """
    chosen, may = evaluation.chosen, evaluation.request.allows.later
    if chosen is None or not (may or evaluation.request.slot is not None):
        return None
    promised = later(evaluation.request, chosen, evaluation.others if may else [], evaluation.context)
    if promised is None:
        return None
    needs = _needs_of(evaluation.request, (chosen,))
    return Answer(rung=Rung.LATER, outcome=RoutingOutcome.WAITING, assignments=(promised,), needs=needs)


def _elsewhere(evaluation: _Evaluation) -> Answer | None:
    alternatives = [it for it in evaluation.others if not it.missing]
    if not alternatives:
        return None
    if evaluation.request.allows.alternatives or evaluation.request.store is None:
        return Answer(
            rung=Rung.ALTERNATIVE, outcome=RoutingOutcome.ROUTED, assignments=(evaluation.whole(alternatives[0]),)
        )
    offers = tuple(evaluation.whole(it) for it in alternatives[: evaluation.context.rules.offers_max])
    if not offers or not evaluation.request.allows.offers:
        return None
    return Answer(rung=Rung.ALTERNATIVE, outcome=RoutingOutcome.OFFERED, offers=offers, needs=_needs(evaluation))


def _in_parts(evaluation: _Evaluation) -> Answer | None:
    if not evaluation.request.allows.split:
        return None
    first = [] if evaluation.chosen is None else [evaluation.chosen]
    parts = split(evaluation.request, (*first, *evaluation.others), evaluation.context)
    return Answer(rung=Rung.SPLIT, outcome=RoutingOutcome.ROUTED, assignments=parts) if parts else None


def _waiting(evaluation: _Evaluation) -> Answer | None:
    needs = _needs(evaluation)
    return Answer(rung=Rung.WAIT, outcome=RoutingOutcome.WAITING, needs=needs) if needs else None


def _needs(evaluation: _Evaluation) -> tuple[StockNeed, ...]:
    """Stock that would serve a waiting order: in the chosen store, or in any store that the order allows."""
    if not evaluation.request.allows.wait:
        return ()
    anywhere = (
        evaluation.request.allows.alternatives or evaluation.request.allows.split or evaluation.request.store is None
    )
    # Stock in a store that the order may not go to must not wake it.
    chosen = () if evaluation.chosen is None else (evaluation.chosen,)
    return _needs_of(evaluation.request, evaluation.candidates if anywhere else chosen)


def _needs_of(request: Request, candidates: tuple[Candidate, ...]) -> tuple[StockNeed, ...]:
    refused = {(it.store, sku) for it in request.excluded for sku in it.skus}
    return tuple(
        StockNeed(store=it.store, sku=gap.sku, quantity=gap.wanted)
        for it in sorted(candidates, key=lambda it: it.store)
        for gap in it.missing
        if (it.store, gap.sku) not in refused
    )


def _why(evaluation: _Evaluation) -> EliminationReason:
    """Reason of the refusal: that against the chosen store, else the one from the latest check."""
    reasons = {it.store: it.reason for it in evaluation.eliminated}
    if evaluation.request.store in reasons:
        return reasons[evaluation.request.store]
    return max(reasons.values(), key=REASONS.index, default=EliminationReason.UNKNOWN_STORE)
