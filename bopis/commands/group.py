"""How the program as a whole behaves: global options anywhere on the line, and errors that are sentences."""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from bopis.commands.shell import Shell

GLOBAL_VALUES = ("--data-dir", "--broker", "--database", "--prefix")
GLOBAL_FLAGS = ("--no-input",)
TRACE_VARIABLE = "BOPIS_TRACEBACK"
INTERRUPTED = 130


class Program(TyperGroup):
    """The root of all commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take global options wherever they stand, as people write them at the end of the line."""
        return super().parse_args(ctx, hoisted(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; whatever goes wrong becomes one sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of a pipe (head, less) has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except Exception as error:
            if type(error).__module__.startswith("typer") or os.environ.get(TRACE_VARIABLE):
                raise
            raise typer.Exit(told(error, ctx.find_object(Shell) or Shell())) from error


def told(error: Exception, shell: Shell) -> int:
    """Say what went wrong and what to do next; returns the exit code."""
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):
        message = str(error)
    else:
        code = 1
        message = (
            f"Unexpected {type(error).__name__}: {error}. This is a fault in bopis; repeat with {TRACE_VARIABLE}=1 "
            "to see where, and report it."
        )
    shell.say(f"Error: {message}")
    if shell.json:
        document = {"error": {"name": type(error).__name__, "message": message, "exit_code": code}}
        shell.answer(document, lambda _: None)
    return code


def hoisted(args: list[str]) -> list[str]:
    """The words of a command line with the global options first; nothing after ``--`` is touched."""
    first: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*first, *rest, word, *words]
        if word in GLOBAL_FLAGS or word.startswith(tuple(f"{name}=" for name in GLOBAL_VALUES)):
            first.append(word)
        elif word in GLOBAL_VALUES:
            first.append(word)
            first += [value for value in (next(words, None),) if value is not None]
        else:
            rest.append(word)
    return [*first, *rest]
