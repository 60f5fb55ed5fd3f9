"""`bopis order why`: everything that was said about an order, and why each store was chosen or not."""

from typing import TYPE_CHECKING, Any

import typer

from bopis.commands.counter import ORDER, door, surroundings
from bopis.commands.shell import AsJson, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.services.counter.past import Past


def why(context: typer.Context, order: ORDER, as_json: AsJson = False) -> None:
    """Tell the whole story of an order: each event with who, where and both clocks, and each choice of a store."""
    import msgspec

    from bopis.domain.orders.numbers import shown
    from bopis.services.counter.past import read_past
    from bopis.services.counter.words import Words

    shell = open_shell(context, as_json)
    with door(shell) as way:
        found = way.order(order)
        zone, catalogue = surroundings(way, found)
        past = read_past(way.reader, found, way.known)
    words = Words(zone, catalogue.name)
    timeline = [_entry(it, words) for it in past.events]
    decisions = [msgspec.to_builtins(it) for it in past.decisions]
    document = {"order": found.order, "shown": shown(found.order), "timeline": timeline, "decisions": decisions}
    shell.answer(document, lambda out: _render(out, timeline, past, words))


def _entry(event: Any, words: Any) -> dict[str, Any]:
    from bopis.commands.tables import iso

    stamp = event.data.stamp
    return {
        "at": iso(stamp.at_ms),
        "recorded_at": iso(stamp.recorded_at_ms),
        "shown_at": words.at(stamp.at_ms),
        "actor": stamp.actor,
        "device": stamp.device,
        "type": type(event.data).__name__,
        "said": words.of(event.data),
        "id": event.id,
        "causation": event.causation,
    }


def _render(out: "Console", timeline: list[dict[str, Any]], past: "Past", words: Any) -> None:
    from bopis.commands.tables import plain, table

    grid = table("when", "who", "what")
    for it in timeline:
        grid.add_row(it["shown_at"], plain(it["actor"] or it["device"]), plain(it["said"]))
    out.print(grid)
    for decision in past.decisions:
        found = decision.answer
        rules = f"{decision.rules.name} v{decision.rules.version}"
        out.print(
            f"attempt {decision.attempt}: {found.outcome.value} ({found.rung.value}), rules {rules}, digest "
            f"{decision.digest[:12]}",
            markup=False,
            soft_wrap=True,
        )
        for chosen in found.assignments or found.offers:
            out.print(f"  + {chosen.store}: ready by {words.at(chosen.ready_by_ms)}", markup=False, soft_wrap=True)
        for gone in found.eliminated:
            lacks = ", ".join(f"{it.available} of {it.wanted} {it.sku}" for it in gone.missing)
            told = f"  - {gone.store}: {gone.reason.value.replace('_', ' ')}{' (' + lacks + ')' if lacks else ''}"
            out.print(told, markup=False, soft_wrap=True)
        for score in found.scores:
            ranks = ", ".join(f"{name} {rank}" for name, rank in _ranks(found, score) if rank is not None)
            out.print(f"  = {score.store}: {ranks or 'no rank'}", markup=False, soft_wrap=True)


def _ranks(answer: Any, score: Any) -> list[tuple[str, int | None]]:
    return [
        (str(getattr(name, "value", name)), rank) for name, rank in zip(answer.ranked_by, score.ranks, strict=False)
    ]
