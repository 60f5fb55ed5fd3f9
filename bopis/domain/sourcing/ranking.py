"""Rankers: each ranks a store or abstains; the next one breaks ties, and the store's id the last ones."""

from collections.abc import Iterable, Sequence
from typing import assert_never

from bopis.domain.sourcing.candidates import Candidate
from bopis.domain.sourcing.decision import Score
from bopis.domain.sourcing.rules import Ranker, Ranking
from bopis.domain.sourcing.stock import available
from bopis.domain.sourcing.timing import DecisionContext
from bopis.domain.values import MINUTE_MS

Ranked = tuple[list[Candidate], list[Score]]
Key = tuple[tuple[tuple[int, int], ...], str]


def ranked(candidates: Iterable[Candidate], wanted: dict[str, int], context: DecisionContext) -> Ranked:
    """Candidates from best to last, and their scores in the same order."""
    scored = []
    for it in candidates:
        ranks = tuple(rank(it, ranking, wanted, context.now_ms) for ranking in context.rules.rankers)
        scored.append((it, Score(store=it.store, ranks=ranks)))
    scored.sort(key=lambda pair: order_key(pair[1].ranks, pair[0].store))
    return [it for it, _ in scored], [score for _, score in scored]


def order_key(ranks: Sequence[int | None], store: str) -> Key:
    """Sort key of a store: rank after rank, an abstention behind any rank, then the store's id."""
    return tuple((1, 0) if it is None else (0, it) for it in ranks), store


def rank(candidate: Candidate, ranking: Ranking, wanted: dict[str, int], now_ms: int) -> int | None:
    """Rank of a store by one ranker, in steps; None when it abstains. Lower is better."""
    value = _measure(candidate, ranking.by, wanted, now_ms)
    return None if value is None else value // ranking.step


def _measure(candidate: Candidate, by: Ranker, wanted: dict[str, int], now_ms: int) -> int | None:
    store = candidate.facts
    match by:
        case Ranker.FEWEST_STORES:
            return len(candidate.missing)
        case Ranker.DISTANCE:
            return store.distance_m
        case Ranker.READY_TIME:
            return (candidate.timing.ready_by_ms - now_ms) // MINUTE_MS
        case Ranker.BALANCE:
            stock = available(store)
            return -min(stock.get(sku, 0) - units for sku, units in wanted.items())
        case Ranker.CAPACITY:
            return -candidate.timing.spare_minutes
        case Ranker.TRUST:
            known = [it.trust for it in store.skus if it.sku in wanted and it.trust is not None]
            return -min(known) if known else None
        case Ranker.COST:
            return store.cost
        case _:
            assert_never(by)
