"""Which settings hold, and where each came from."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bopis.commands.shell import AsJson, Shell, open_shell
from bopis.commands.sources import source_of

if TYPE_CHECKING:
    from rich.console import Console

_PASSWORD = re.compile(r"(?<=:)[^:/@]+(?=@)")

app = typer.Typer(help="Settings: flags over environment over file over default.", no_args_is_help=True)


@app.command()
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every setting with its value, its source and what it is for."""
    shell = open_shell(context, as_json)
    rows = settings_told(shell)

    def render(out: "Console") -> None:
        from bopis.commands.tables import table

        grid = table("setting", "value", "source", "what it is")
        for it in rows:
            grid.add_row(it["name"], "" if it["value"] is None else str(it["value"]), it["source"], it["description"])
        out.print(grid)

    shell.answer({"settings": rows}, render)


def settings_told(shell: Shell) -> list[dict[str, Any]]:
    """Every setting with its value and its source; passwords are masked."""
    from pydantic import SecretStr

    from bopis.settings import Settings

    settings = shell.settings
    rows: list[dict[str, Any]] = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        # A secret is shown as masked when there is one, so that it can be seen whether it was set.
        told = str(value) if isinstance(value, Path | SecretStr) else value
        rows.append(
            {
                "name": name,
                "value": _PASSWORD.sub("***", told) if isinstance(told, str) else told,
                "source": source_of(shell.flags, name),
                "description": field.description or "",
            }
        )
    return rows


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="config")
