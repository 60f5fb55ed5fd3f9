"""`bopis order why`: every event of an order, and each choice of a store with its reasons."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.render import iso, print_line, table
from bopis.cli.order.lookup import OrderNumber
from bopis.cli.order.session import Presentation, order_session, presentation_of
from bopis.domain.orders.numbers import shown
from bopis.domain.sourcing.decision import Answer
from bopis.services.counter.decision_text import elimination_text, outcome_text, rank_texts, served
from bopis.services.counter.event_text import EventText
from bopis.services.counter.order_history import OrderEventHistory, read_order_history


def why(
    context: typer.Context,
    order: OrderNumber,
    ranks: Annotated[
        bool, typer.Option("--ranks", help="Also show the ranks by which each store was chosen; lower is better.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the history of an order: each event with actor, store and both clocks, and each choice of a store.

    Examples:
        bopis order why 7K3M
        bopis order why 7K3M --ranks
    """
    ctx = open_context(context, as_json)
    with order_session(ctx) as session:
        found = session.order(order)
        past = read_order_history(session.reader, found, session.known)
        presentation = presentation_of(session.reader, found.store).about(found)
        routed = [it.store for past_one in past.decisions for it in served(past_one.answer)]
        presentation = presentation._replace(times=presentation.times.among(routed))
    timeline = [_entry(event, presentation.words) for event in past.events]
    decisions = [msgspec.to_builtins(decision) for decision in past.decisions]
    document = {"order": found.order, "shown": shown(found.order), "timeline": timeline, "decisions": decisions}
    ctx.print_result(document, lambda out: _render(out, timeline, past, presentation, ranks))


def _entry(event: Any, words: EventText) -> dict[str, Any]:
    stamp = event.data.stamp
    store = str(getattr(event.data, "store", None) or "")
    return {
        "at": iso(stamp.at_ms),
        "recorded_at": iso(stamp.recorded_at_ms),
        "shown_at": words.instant(stamp.at_ms, store),
        "actor": stamp.actor,
        "device": stamp.device,
        "type": type(event.data).__name__,
        "said": words.sentence(event.data),
        "id": event.id,
        "causation": event.causation,
    }


def _render(
    out: Console, timeline: list[dict[str, Any]], past: OrderEventHistory, presentation: Presentation, ranks: bool
) -> None:
    grid = table("when", "who", "what")
    for entry in timeline:
        grid.add_row(entry["shown_at"], entry["actor"] or entry["device"], entry["said"])
    out.print(grid)
    for decision in past.decisions:
        rules = f"{decision.rules.name} v{decision.rules.version}"
        head = f"attempt {decision.attempt}: {outcome_text(decision.answer)}"
        print_line(out, f"{head} (rules {rules}, digest {decision.digest[:12]})")
        for line in _stores(decision.answer, presentation):
            print_line(out, f"  {line}")
        for line in _ranks(decision.answer) if ranks else ():
            print_line(out, f"  {line}")


def _stores(answer: Answer, presentation: Presentation) -> Iterator[str]:
    """The stores chosen or offered, then those eliminated with the reason."""
    words = presentation.words
    for chosen in served(answer):
        yield f"+ {chosen.store}: ready by {words.instant(chosen.ready_by_ms, chosen.store)}"
    for gone in answer.eliminated:
        yield f"- {gone.store}: {elimination_text(gone, presentation.catalogue)}"


def _ranks(answer: Answer) -> Iterator[str]:
    for score, ranks in rank_texts(answer):
        yield f"= {score.store}: {ranks}"
