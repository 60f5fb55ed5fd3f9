"""`bopis agent conflicts`: work that was done without the centre and did not fit what had become of the order."""

from typing import Annotated, Any

import typer
from rich.console import Console

from bopis.cli.agent.directory import opened_journal
from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.render import instant, iso, table
from bopis.domain.orders.numbers import shown
from bopis.journal.actions import Action, Actions


def conflicts(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List work done without the centre that did not fit, the newest first, each with the rule that was applied.

    Examples:
        bopis agent conflicts
        bopis agent conflicts --limit 100 --json
    """
    ctx = open_context(context, as_json)
    with opened_journal(ctx) as journal:
        rows = [_row(it) for it in Actions(journal).unfit(limit)]

    def render(out: Console) -> None:
        grid = table("order", "done", "outcome", "rule", "text")
        for row in rows:
            done = instant(row["done_ms"])
            grid.add_row(shown(row["order"]), done, row["outcome"], row["rule"].replace("_", " "), row["text"])
        if rows:
            out.print(grid)
        else:
            ctx.note("Everything that was done without the centre fits.")

    ctx.print_result({"conflicts": rows}, render)


def _row(action: Action) -> dict[str, Any]:
    answer = action.answer
    return {
        "order": action.order,
        "id": action.id,
        "done_ms": action.taken_ms,
        "done_at": iso(action.taken_ms),
        "outcome": answer.outcome.value if answer is not None else "",
        "rule": answer.rule if answer is not None else "",
        "text": answer.text if answer is not None else "",
    }
