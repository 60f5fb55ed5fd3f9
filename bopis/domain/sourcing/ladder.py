"""The ladder: the chosen store as asked, later, the nearest alternatives, a split, waiting, an early refusal.

`decide` is deterministic: the same request, facts, rules and moment give the same decision, bit for bit, in
whatever order the stores are told. It asks no clock and rounds nothing but whole numbers.
"""

from collections.abc import Iterable
from zlib import crc32

import msgspec
from msgspec import Struct

from bopis.domain.sourcing.candidates import Candidate, judge, short
from bopis.domain.sourcing.decision import Answer, Assignment, Decision, Elimination, Need, Outcome, Reason, Rung, Score
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.later import later
from bopis.domain.sourcing.ranking import ranked
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.splitting import split
from bopis.domain.sourcing.stock import all_of, wanted_units
from bopis.domain.sourcing.timing import Clock, assignment

REASONS = tuple(Reason)


def decide(request: Request, facts: Iterable[StoreFacts], rules: RuleSet, now_ms: int) -> Decision:
    """Choose who serves the order, and say why not the others."""
    stores = tuple(sorted(facts, key=lambda it: it.store))
    assert len({it.store for it in stores}) == len(stores), "each store is told once"
    field = _Field.of(request, stores, Clock(now_ms, rules))
    return Decision(
        order=request.order,
        attempt=request.attempt,
        decided_at_ms=now_ms,
        digest=digest(request, stores, rules, now_ms),
        request=request,
        facts=stores,
        rules=rules,
        answer=_climb(field),
    )


def replay(decision: Decision) -> Decision:
    """The same decision made again from its own inputs; it differs only if the code that decides has changed."""
    return decide(decision.request, decision.facts, decision.rules, decision.decided_at_ms)


def digest(request: Request, facts: tuple[StoreFacts, ...], rules: RuleSet, now_ms: int) -> str:
    """Eight hexadecimal digits that tell the inputs of one decision from those of another."""
    return f"{crc32(msgspec.json.encode((request, facts, rules, now_ms))):08x}"


class _Field(Struct, frozen=True):
    """All stores, judged: who may serve, who is short of stock, who is out."""

    request: Request
    clock: Clock
    candidates: tuple[Candidate, ...]
    scores: tuple[Score, ...]
    out: tuple[Elimination, ...]

    @classmethod
    def of(cls, request: Request, stores: tuple[StoreFacts, ...], clock: Clock) -> "_Field":
        judged = [judge(request, it, clock) for it in stores]
        out = [it for it in judged if isinstance(it, Elimination)]
        if request.store is not None and all(it.store != request.store for it in stores):
            out.append(Elimination(store=request.store, reason=Reason.UNKNOWN_STORE))
        fit = [it for it in judged if isinstance(it, Candidate)]
        best, scores = ranked(fit, wanted_units(request.lines), clock)
        return cls(request, clock, tuple(best), tuple(scores), tuple(sorted(out, key=lambda it: it.store)))

    @property
    def chosen(self) -> Candidate | None:
        return next((it for it in self.candidates if it.store == self.request.store), None)

    @property
    def others(self) -> list[Candidate]:
        return [it for it in self.candidates if it.store != self.request.store]

    @property
    def eliminated(self) -> tuple[Elimination, ...]:
        """Who is out, and who is short of stock."""
        told = (*self.out, *(short(it) for it in self.candidates if it.missing))
        return tuple(sorted(told, key=lambda it: it.store))

    def whole(self, candidate: Candidate) -> Assignment:
        return assignment(candidate.facts, all_of(self.request.lines), candidate.timing, self.clock)


def _climb(field: _Field) -> Answer:
    """The first rung that answers, with who was eliminated and how the others ranked."""
    answer = (
        _as_asked(field)
        or _later(field)
        or _elsewhere(field)
        or _in_parts(field)
        or _waiting(field)
        or Answer(rung=Rung.REFUSE, outcome=Outcome.REFUSED, reason=_why(field))
    )
    return msgspec.structs.replace(
        answer,
        eliminated=field.eliminated,
        scores=field.scores,
        ranked_by=tuple(it.by for it in field.clock.rules.rankers),
    )


def _as_asked(field: _Field) -> Answer | None:
    chosen = field.chosen
    if chosen is None or chosen.missing:
        return None
    return Answer(rung=Rung.CHOSEN, outcome=Outcome.ROUTED, assignments=(field.whole(chosen),))


def _later(field: _Field) -> Answer | None:
    """The order waits for stock that is on its way: nothing that is not there can be held.

    Stock that is there before the slot which the customer chose is no later promise, so nobody need allow it; only
    what is announced counts then, and no store is asked to send more.
    """
    chosen, may = field.chosen, field.request.allows.later
    if chosen is None or not (may or field.request.slot is not None):
        return None
    promised = later(field.request, chosen, field.others if may else [], field.clock)
    if promised is None:
        return None
    needs = _needs_of(field.request, (chosen,))
    return Answer(rung=Rung.LATER, outcome=Outcome.WAITING, assignments=(promised,), needs=needs)


def _elsewhere(field: _Field) -> Answer | None:
    alternatives = [it for it in field.others if not it.missing]
    if not alternatives:
        return None
    if field.request.allows.alternatives or field.request.store is None:
        return Answer(rung=Rung.ALTERNATIVE, outcome=Outcome.ROUTED, assignments=(field.whole(alternatives[0]),))
    offers = tuple(field.whole(it) for it in alternatives[: field.clock.rules.offers_max])
    if not offers or not field.request.allows.offers:
        return None
    return Answer(rung=Rung.ALTERNATIVE, outcome=Outcome.OFFERED, offers=offers, needs=_needs(field))


def _in_parts(field: _Field) -> Answer | None:
    if not field.request.allows.split:
        return None
    first = [] if field.chosen is None else [field.chosen]
    parts = split(field.request, (*first, *field.others), field.clock)
    return Answer(rung=Rung.SPLIT, outcome=Outcome.ROUTED, assignments=parts) if parts else None


def _waiting(field: _Field) -> Answer | None:
    needs = _needs(field)
    return Answer(rung=Rung.WAIT, outcome=Outcome.WAITING, needs=needs) if needs else None


def _needs(field: _Field) -> tuple[Need, ...]:
    """The stock that would serve a waiting order: in the chosen store, or wherever the order may go."""
    if not field.request.allows.wait:
        return ()
    anywhere = field.request.allows.alternatives or field.request.allows.split or field.request.store is None
    chosen = () if field.chosen is None else (field.chosen,)
    return _needs_of(field.request, field.candidates if anywhere else chosen)


def _needs_of(request: Request, candidates: tuple[Candidate, ...]) -> tuple[Need, ...]:
    refused = {(it.store, sku) for it in request.excluded for sku in it.skus}
    return tuple(
        Need(store=it.store, sku=gap.sku, quantity=gap.wanted)
        for it in sorted(candidates, key=lambda it: it.store)
        for gap in it.missing
        if (it.store, gap.sku) not in refused
    )


def _why(field: _Field) -> Reason:
    """Why nobody serves: what speaks against the chosen store, else what came closest."""
    told = {it.store: it.reason for it in field.eliminated}
    if field.request.store in told:
        return told[field.request.store]
    return max(told.values(), key=REASONS.index, default=Reason.UNKNOWN_STORE)
