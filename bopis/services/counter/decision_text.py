"""Choices of a store in words: the outcome, the stores chosen, those that cannot serve, and the ranks."""

from collections.abc import Iterator

from bopis.domain.sourcing.decision import (
    Answer,
    Assignment,
    Elimination,
    EliminationReason,
    RoutingOutcome,
    Rung,
    Score,
)
from bopis.services.catalogue import NO_CATALOGUE, Catalogue
from bopis.services.counter.refusal_text import missing_text

OUTCOMES = {
    RoutingOutcome.OFFERED: "offered in other stores",
    RoutingOutcome.WAITING: "waits for stock",
    RoutingOutcome.REFUSED: "no store found",
}
ROUTED = {
    Rung.CHOSEN: "routed to the chosen store",
    Rung.LATER: "routed to the chosen store, at a later time",
    Rung.ALTERNATIVE: "routed to another store",
    Rung.SPLIT: "routed to several stores",
}
BECAUSE = {EliminationReason.PLACE_UNKNOWN: "it or the chosen store has no latitude and longitude"}


def outcome_text(answer: Answer) -> str:
    """The outcome of one search for a store: ``no store found``, ``routed to another store``."""
    if answer.outcome is RoutingOutcome.ROUTED:
        return ROUTED[answer.rung]
    reason = f" ({answer.reason.value.replace('_', ' ')})" if answer.reason is not None else ""
    return OUTCOMES[answer.outcome] + reason


def served(answer: Answer) -> tuple[Assignment, ...]:
    """The stores that were assigned, else those that were offered."""
    return answer.assignments or answer.offers


def elimination_text(gone: Elimination, catalogue: Catalogue = NO_CATALOGUE) -> str:
    """Why a store cannot serve: ``not enough stock (wants 3, has 1 of Lemons)``."""
    lacks = ", ".join(missing_text(it, catalogue) for it in gone.missing)
    because = lacks or BECAUSE.get(gone.reason, "")
    return gone.reason.value.replace("_", " ") + (f" ({because})" if because else "")


def rank_texts(answer: Answer) -> Iterator[tuple[Score, str]]:
    """The ranks of each store by name; lower is better."""
    for score in answer.scores:
        named = zip(answer.ranked_by, score.ranks, strict=False)
        ranks = ", ".join(f"{name.value.replace('_', ' ')} {rank}" for name, rank in named if rank is not None)
        yield score, ranks or "no rank"
