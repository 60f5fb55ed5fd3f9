"""Groups of commands: listed by their docstrings, imported when one is invoked; global options anywhere on the line;
errors in one sentence."""

import ast
import importlib
import importlib.abc
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from bopis.cli.app.context import STORE_VARIABLE, CommandContext
from bopis.cli.app.errors import ArgumentUnclean
from bopis.errors import FAILED, INTERRUPTED, OK
from bopis.wire.characters import printable, unclean

GLOBAL_VALUES = ("--data-dir", "--broker", "--database", "--prefix")
GLOBAL_FLAGS = ("--no-input",)
TRACE_VARIABLE = "BOPIS_TRACEBACK"
JSON_FLAG = "--json"
EXAMPLES = "Examples:"
GROUP_SEPARATOR = "\x1d"
METAVARS = {"str": "TEXT", "int": "NUMBER", "float": "NUMBER", "Path": "PATH"}


class NamedArgument(TyperArgument):
    """An argument explained by its name alone: no type beside it, no braces around what is required."""

    def display_type_rich(self, ctx: Any) -> str | None:
        return super().display_type_rich(ctx) if self.type_descriptor.is_choice else None

    def get_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002  (the library calls it so)
        name = self.display_name_raw if self.required else f"[{self.display_name_raw}]"
        return [f"{name}..." if self.nargs != 1 else name]


class LoadedCommand(TyperCommand):
    """A command that can be invoked. The examples at the end of its docstring become the epilog of its help."""

    def __init__(self, name: str | None, *, help: str | None = None, **settings: Any) -> None:
        text, _, examples = (help or "").partition(f"\n\n{EXAMPLES}\n")
        self.examples = [line.strip() for line in examples.splitlines() if line.strip()]
        epilog = "\n".join([EXAMPLES, *(f"  {line}" for line in self.examples)]) if self.examples else None
        super().__init__(name, **settings | {"help": reflowed(text), "epilog": epilog})

    def get_params(self, ctx: Any) -> list[Any]:
        return with_metavars(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the store from the environment where the command line names none.

        The store is the first word of a command. Where a word is missing, or the first one is a line of goods, it was
        left out.
        """
        store = os.environ.get(STORE_VARIABLE)
        first = next((it for it in self.params if isinstance(it, TyperArgument)), None)
        if not store or first is None or first.envvar != STORE_VARIABLE:
            return super().parse_args(ctx, args)
        try:
            rest = super().parse_args(ctx, list(args))
            if "=" not in str(ctx.params.get(first.name)):
                return rest
        except typer.TyperException:
            # Without any word the library has taken the store from the environment itself.
            if not args:
                raise
        ctx.params.clear()
        return super().parse_args(ctx, [store, *args])


class LazyCommand(TyperCommand):
    """A command that is listed by its docstring and imported when it is invoked.

    `target` is ``module:function``. With `negative_numbers` a word such as ``-2`` is a value, not an option.
    """

    def __init__(self, target: str, *, negative_numbers: bool = False) -> None:
        super().__init__(None, context_settings={"ignore_unknown_options": negative_numbers})
        self._module, _, self._function = target.partition(":")

    @property
    def help(self) -> str | None:
        """The docstring. It is read from the source: an import would load the libraries of every command listed."""
        return docstrings(self._module).get(self._function)

    @help.setter
    def help(self, _: str | None) -> None:
        """The docstring is the only help; what the library sets is ignored."""

    def load(self) -> LoadedCommand:
        """Import the module and build the command from its function."""
        function = getattr(importlib.import_module(self._module), self._function)
        holder = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        holder.command(self.name, cls=LoadedCommand, context_settings=dict(self.context_settings))(function)
        command = typer.main.get_command(holder)
        assert isinstance(command, LoadedCommand)
        return command


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are invoked. A command is given as its target, ``module:function``,
    where it needs no more than that. `default` is the command that runs where none is named."""

    def __init__(
        self, *, commands: Mapping[str, "str | LazyCommand | LazyGroup"], default: str = "", **settings: Any
    ) -> None:
        super().__init__(**{"no_args_is_help": not default} | settings)
        self._default = default
        for name, entry in commands.items():
            command = LazyCommand(entry) if isinstance(entry, str) else entry
            command.name = name
            self.add_command(command)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is invoked or completed, imported, and the words that follow it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Run the default command where none is named: ``bopis web --port 9000``."""
        is_help = any(word in ctx.help_option_names for word in args[:1])
        if self._default and not is_help and (not args or args[0].startswith("-")):
            args = [self._default, *args]
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Any) -> list[Any]:
        return with_metavars(super().get_params(ctx))


class Program(LazyGroup):
    """The root of all commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take global options wherever they are on the line: people write them at its end."""
        ctx.meta[JSON_FLAG] = JSON_FLAG in args
        with reported_errors(ctx):
            refuse_unclean(args)
            return super().parse_args(ctx, hoisted(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with reported_errors(ctx):
            return super().invoke(ctx)


@contextmanager
def reported_errors(ctx: Any) -> Iterator[None]:
    """Leave with one sentence and an exit code, whatever goes wrong within. `ctx` is the program's Typer context."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(OK) from None
    except typer.Exit:
        raise
    except Exception as error:
        # A group without a command prints its help, which the library does by an error of this name.
        if os.environ.get(TRACE_VARIABLE) or type(error).__name__ == "NoArgsIsHelpError":
            raise
        own = ctx.find_object(CommandContext) or CommandContext()
        own.json = own.json or ctx.meta[JSON_FLAG]
        raise typer.Exit(report(error, own)) from error


def report(error: Exception, ctx: CommandContext) -> int:
    """Print what went wrong and what to do next; returns the exit code."""
    code = getattr(error, "exit_code", None)
    if isinstance(error, typer.TyperException):
        message = usage_message(error)
    elif isinstance(code, int):
        message = str(error)
    else:
        message = (
            f"Unexpected {type(error).__name__}: {error}. This is a fault in bopis; repeat with {TRACE_VARIABLE}=1 "
            "to see where, and report it."
        )
    code = code if isinstance(code, int) else FAILED
    ctx.note(f"Error: {message}")
    if ctx.json:
        document = {"name": type(error).__name__, "message": message, "exit_code": code}
        ctx.print_result({"error": document | dict(getattr(error, "details", {}))}, lambda _: None)
    return code


# The library's errors about values, in words.
USAGE_WORDS = (
    ("Value error, ", ""),
    ("Input should be a valid integer, unable to parse string as an integer", "it must be a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "it must be a number"),
    ("Input should be greater than or equal to ", "it must be at least "),
    ("Input should be less than or equal to ", "it must be at most "),
    ("Input should be a valid boolean, unable to interpret input", "it must be true or false"),
)


def usage_message(error: typer.TyperException) -> str:
    """The message of a wrong command line, and the command whose help explains it."""
    message = error.format_message()
    for technical, words in USAGE_WORDS:
        message = message.replace(technical, words)
    sentence = message if message.endswith((".", "?")) else f"{message}."
    context = getattr(error, "ctx", None)
    return sentence if context is None else f"{sentence} See {context.command_path} --help."


def refuse_unclean(args: Iterable[str]) -> None:
    """Raise `ArgumentUnclean` for a word with a control character, a change of the writing direction or a byte that is
    not UTF-8: it would get into messages, onto papers and into other people's terminals."""
    for word in args:
        # Scanners type the separator of GS1 codes; a file may have any name.
        found = unclean(word.replace(GROUP_SEPARATOR, ""))
        if found and not os.path.exists(word):
            raise ArgumentUnclean(word=printable(word), found=found)


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


@lru_cache
def docstrings(module: str) -> dict[str, str]:
    """The docstrings of a module's functions by name, without an import where the source is there."""
    spec = importlib.util.find_spec(module)
    loader = spec.loader if spec is not None else None
    assert isinstance(loader, importlib.abc.InspectLoader), module
    source = loader.get_source(module)
    if source is None:  # installed without sources
        functions = inspect.getmembers(importlib.import_module(module), inspect.isfunction)
        return {name: inspect.getdoc(function) or "" for name, function in functions}
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.get_docstring(node) or "" for node in nodes}


def reflowed(text: str) -> str:
    """Paragraphs in one line each, to be broken where the window ends."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def with_metavars(parameters: list[Any]) -> list[Any]:
    """The parameters with the values that help shows for them: a word in capitals or the choices; a flag has none."""
    for parameter in parameters:
        kind = parameter.type_descriptor
        if isinstance(parameter, TyperArgument):
            parameter.__class__ = NamedArgument
            parameter.metavar = parameter.metavar or parameter.name.upper()
        elif isinstance(parameter, TyperOption) and parameter.metavar is None:
            if parameter.is_flag:
                parameter.metavar = ""
            elif kind.is_choice:
                parameter.metavar = "|".join(choice.value for choice in kind.choices)
            else:
                parameter.metavar = METAVARS.get(getattr(kind.annotation, "__name__", ""), "TEXT")
    return parameters
