"""Write the page about every command from the program itself: ``python -m bopis.reference.commands > docs/cli.md``."""

import sys
from collections.abc import Iterator
from typing import Any

import typer

from bopis.cli.app.groups import LazyCommand, LoadedCommand
from bopis.errors import EXIT_CODES
from cli import app

HEAD = """# Commands

Made by `python -m bopis.reference.commands > docs/cli.md`; do not edit by hand.

Results go to standard output; progress, hints and errors go to standard error. `--json` prints one JSON document
instead of a table; a command that follows (`--follow`, `--watch`) prints one per line, a command that fails prints
`{"error": {"name", "message", "exit_code"}}`. Output has no colours where standard output is not a terminal or
`NO_COLOR` is set. `--yes` confirms in advance, `--no-input` fails instead of asking. Global options may be anywhere on
the line. Settings come from flags, then `BOPIS_...` in the environment, then `bopis.toml`, then defaults
(`bopis config show`). `bopis --install-completion` installs completion in your shell.
"""


class NamedCommand:
    """A command, imported, with its full name."""

    def __init__(self, name: str, command: Any) -> None:
        self.name = name
        self.command = command
        self.context = typer.Context(command, info_name=name)

    @property
    def help(self) -> str:
        """Its help, a paragraph a line, without the examples."""
        return self.command.help or ""

    @property
    def examples(self) -> list[str]:
        """The command lines at the end of its docstring."""
        return list(getattr(self.command, "examples", ()))

    @property
    def parameters(self) -> list[Any]:
        """Its arguments and options, without --help."""
        return [it for it in self.command.get_params(self.context) if it.name != "help" and not it.hidden]


def commands() -> Iterator[NamedCommand]:
    """Every command of the program, in the order of the help."""
    yield from _below("bopis", typer.main.get_command(app))


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## Exit codes\n\n| code | meaning |\n|---|---|"]
    parts += [f"| {code} | {meaning} |" for code, meaning in sorted(EXIT_CODES.items())]
    root = NamedCommand("bopis", typer.main.get_command(app))
    parts += ["\n## Global options\n", _table(root.parameters)]
    for named in commands():
        lines = "\n".join([_usage(named), *(["", *named.examples] if named.examples else [])])
        parts.append(f"\n## {named.name}\n\n{named.help}\n\n```\n{lines}\n```")
        if named.parameters:
            parts.append("\n" + _table(named.parameters))
    return "\n".join(parts) + "\n"


def _below(name: str, command: Any) -> Iterator[NamedCommand]:
    if isinstance(command, LazyCommand):
        yield NamedCommand(name, command.load())
        return
    for word, entry in command.commands.items():
        yield from _below(f"{name} {word}", entry)


def _usage(named: NamedCommand) -> str:
    assert isinstance(named.command, LoadedCommand), named.name
    pieces = [piece for it in named.parameters for piece in it.get_usage_pieces(named.context)]
    options = ["[OPTIONS]"] if any(it.param_type_name == "option" for it in named.parameters) else []
    return " ".join([named.name, *pieces, *options])


def _table(parameters: list[Any]) -> str:
    rows = ["| name | meaning | default |", "|---|---|---|"]
    for it in parameters:
        if it.param_type_name == "argument":
            name = f"`{it.metavar}`"
        else:
            name = ", ".join(f"`{flag}`" for flag in it.opts) + (f" {_cell(it.metavar)}" if it.metavar else "")
        default = "required" if it.required else _default(it)
        rows.append(f"| {name} | {_cell(it.help or '')} | {default} |")
    return "\n".join(rows)


def _default(parameter: Any) -> str:
    default = getattr(parameter.default, "value", parameter.default)
    return "" if default in (None, False, "", [], ()) or callable(default) else f"`{default}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
