"""The page about every command, made from the program itself: ``python -m bopis.commands.reference > docs/cli.md``."""

import inspect
import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from bopis.commands.errors import EXIT_CODES

HEAD = """# Commands

Made by `python -m bopis.commands.reference > docs/cli.md`; do not edit by hand.

Answers go to standard output, talk (progress, hints, errors) to standard error. `--json` prints one JSON document
instead of a table; a command that follows (`--follow`, `--watch`) prints one per line, a command that fails prints
`{"error": {"name", "message", "exit_code"}}`. Nothing is coloured where standard output is not a terminal or
`NO_COLOR` is set. `--yes` answers every question in advance, `--no-input` fails instead of asking. Global options may
stand anywhere on the line. Settings come from flags, then `BOPIS_...` in the environment, then `bopis.toml`, then
defaults (`bopis config show`). `bopis --install-completion` teaches your shell the commands.
"""


class Command:
    """One command with its full name."""

    def __init__(self, name: str, command: Any) -> None:
        self.name = name
        self.command = command

    @property
    def help(self) -> str:
        return inspect.cleandoc(self.command.help or "")

    @property
    def parameters(self) -> list[Any]:
        return [it for it in self.command.params if it.name not in {"help"} and not getattr(it, "hidden", False)]


def commands() -> Iterator[Command]:
    """Every command of the program, in the order in which help shows them."""
    from cli import app

    yield from _below("bopis", typer.main.get_command(app))


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## Exit codes\n\n| code | meaning |\n|---|---|"]
    parts += [f"| {code} | {words} |" for code, words in sorted(EXIT_CODES.items())]
    root = _root()
    parts += ["\n## Global options\n", _table(root.parameters)]
    for it in commands():
        parts.append(f"\n## {it.name}\n\n{it.help}\n\n```\n{_usage(it)}\n```")
        if it.parameters:
            parts.append("\n" + _table(it.parameters))
    return "\n".join(parts) + "\n"


def _root() -> Command:
    from cli import app

    return Command("bopis", typer.main.get_command(app))


def _below(name: str, command: Any) -> Iterator[Command]:
    below = getattr(command, "commands", None)
    if below is None:
        yield Command(name, command)
        return
    for word, it in below.items():
        yield from _below(f"{name} {word}", it)


def _usage(it: Command) -> str:
    words = [it.name]
    for parameter in it.parameters:
        if parameter.param_type_name == "argument":
            shown = parameter.metavar or parameter.name.upper()
            words.append(shown if parameter.required or shown.startswith("[") else f"[{shown}]")
    if any(parameter.param_type_name == "option" for parameter in it.parameters):
        words.append("[OPTIONS]")
    return " ".join(words)


def _table(parameters: list[Any]) -> str:
    rows = ["| name | what it is | default |", "|---|---|---|"]
    for it in parameters:
        if it.param_type_name == "argument":
            name = f"`{it.metavar or it.name.upper()}`"
        else:
            name = ", ".join(f"`{word}`" for word in it.opts) + _value(it)
        default = "required" if it.required else _default(it)
        rows.append(f"| {name} | {_cell(it.help or '')} | {default} |")
    return "\n".join(rows)


def _value(option: Any) -> str:
    if option.is_flag:
        return ""
    kind = option.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " " + _cell("|".join(str(it.value) for it in kind))
    return f" {_cell(option.metavar)}" if option.metavar else ""


def _default(option: Any) -> str:
    default = getattr(option.default, "value", option.default)
    return "" if default in (None, False, "", [], ()) or callable(default) else f"`{default}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
