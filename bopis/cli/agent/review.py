"""What waits for a person at the agent: rejects, and changed baskets."""

from typing import Annotated

import typer
from rich.console import Console

from bopis.cli.agent.directory import opened_journal
from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.render import counted, instant, iso, print_line, table
from bopis.journal import review

CONTENT_SHOWN_MAX = 2_000


def rejects(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most of each kind.")] = 20,
    done_up_to: Annotated[
        int | None, typer.Option("--done-up-to", metavar="NUMBER", help="Remove the rejects up to this number.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List records that were not booked, with the cause of each, and changed baskets that wait.

    Examples:
        bopis agent rejects
        bopis agent rejects --done-up-to 17
    """
    ctx = open_context(context, as_json)
    with opened_journal(ctx) as journal:
        removed = review.discard_rejects(journal, done_up_to) if done_up_to is not None else 0
        found, changed = review.rejects(journal, limit), review.changed_baskets(journal, limit)
    document = {
        "removed": removed,
        "rejects": [_reject_row(it) for it in found],
        "changed": [_changed_row(it) for it in changed],
    }

    def render(out: Console) -> None:
        if removed:
            ctx.note(f"{counted(removed, 'reject')} removed.")
        if found:
            grid = table("number", "found", "source", "place", "cause")
            for it in found:
                grid.add_row(str(it.number), instant(it.found_ms), it.source, it.place, it.cause)
            out.print(grid)
        if changed:
            grid = table("changed", "found", "source", "basket", "place")
            for basket in changed:
                words = (instant(basket.found_ms), basket.source, basket.key, basket.place)
                grid.add_row(str(basket.number), *words)
            out.print(grid)
            ctx.note("Book the difference of one: bopis agent accept NUMBER; leave it as booked: --discard")
        if not found and not changed:
            ctx.note("Nothing waits for a person.")

    ctx.print_result(document, render)


def accept(
    context: typer.Context,
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", help="The changed basket, as `bopis agent rejects` shows.")
    ],
    discard: Annotated[bool, typer.Option("--discard", help="Leave the basket as it was booked.")] = False,
    as_json: AsJson = False,
) -> None:
    """Accept a changed basket: the difference to the booked one is booked, at the time of the newer one.

    Examples:
        bopis agent accept 3
        bopis agent accept 3 --discard
    """
    ctx = open_context(context, as_json)
    with opened_journal(ctx) as journal:
        if discard:
            left = review.discard(journal, number)
            document = {"number": number, "source": left.source, "basket": left.key, "messages": 0}
            text = f"Basket {left.key} of {left.source} stays as it was booked."
        else:
            done = review.accept(journal, number)
            document = {"number": number, "source": done.source, "basket": done.key, "messages": done.messages}
            text = f"Basket {done.key} of {done.source}: {counted(done.messages, 'message')} with the difference."
    ctx.print_result(document, lambda out: print_line(out, text))


def _reject_row(it: review.RejectRow) -> dict[str, object]:
    return {
        "number": it.number,
        "source": it.source,
        "place": it.place,
        "id": it.key,
        "cause": it.cause,
        "content": it.content[:CONTENT_SHOWN_MAX].decode(errors="replace"),
        "found_at": iso(it.found_ms),
    }


def _changed_row(it: review.ChangedBasket) -> dict[str, object]:
    return {
        "number": it.number,
        "source": it.source,
        "basket": it.key,
        "place": it.place,
        "found_at": iso(it.found_ms),
        "bodies": it.basket.bodies,
    }
