"""`bopis config show`: the settings in force, and the source of each."""

import re
from pathlib import Path
from typing import Any

import typer
from pydantic import SecretStr
from rich.console import Console

from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.render import plain, table
from bopis.settings import Settings, source_of

_PASSWORD = re.compile(r"(?<=:)[^:/@]+(?=@)")


def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every setting with its value, its source and its meaning.

    Examples:
        bopis config show
        bopis config show --json
    """
    ctx = open_context(context, as_json)
    rows = setting_rows(ctx)

    def render(out: Console) -> None:
        grid = table("setting", "value", "source", "meaning")
        for row in rows:
            value = "" if row["value"] is None else str(row["value"])
            grid.add_row(row["name"], plain(value), plain(row["source"]), plain(row["description"]))
        out.print(grid)

    ctx.print_result({"settings": rows}, render)


def setting_rows(ctx: CommandContext) -> list[dict[str, Any]]:
    """Every setting with its value, source and description; passwords are masked."""
    settings = ctx.settings
    rows: list[dict[str, Any]] = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        # A secret that is set is shown as asterisks, so that it can be told from one that is not.
        text = str(value) if isinstance(value, Path | SecretStr) else value
        rows.append(
            {
                "name": name,
                "value": _PASSWORD.sub("***", text) if isinstance(text, str) else text,
                "source": source_of(ctx.flags, name),
                "description": field.description or "",
            }
        )
    return rows
