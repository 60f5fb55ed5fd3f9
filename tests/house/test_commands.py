"""Every command has help with examples and is in the docs, help is quick, and commands repeat nothing of the core."""

import ast
import re
import shlex
import subprocess
import sys

import pytest
import typer

from bopis.cli.app.groups import LazyGroup
from bopis.reference.commands import NamedCommand, commands, page
from cli import app
from tests.house.plan import LATE_IMPORTS
from tests.house.reading import ROOT, Function, Module, modules, verdict

EXAMPLES_LEAST = 2
COLUMNS_MAX = 78
HEAVY = ("sqlalchemy", "kafka", "pydantic", "alembic", "faust", "aiokafka", "rich.progress")
COMMANDS = tuple(commands())
LINKS = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def test_every_command_and_every_option_has_help() -> None:
    found = [f"{it.name}: no help" for it in COMMANDS if len(it.help) < 20]
    found += [f"{it.name}: {parameter.name} has no help" for it in COMMANDS for parameter in unhelpful(it)]

    assert not found, verdict(found, "Commands that do not say what they do:")


def unhelpful(command: NamedCommand) -> list[object]:
    return [it for it in command.parameters if not (it.help or "").strip()]


def test_every_command_can_answer_in_json() -> None:
    found = [it.name for it in COMMANDS if not any("--json" in parameter.opts for parameter in it.parameters)]

    assert not found, verdict(found, "Commands without --json:")


def test_the_page_of_commands_is_current() -> None:
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

    assert written == page(), "docs/cli.md is old: python -m bopis.reference.commands > docs/cli.md"


def test_every_command_that_was_promised_is_there() -> None:
    promised = """up worker broker verify status doctor replay demo config_show db_upgrade db_check readside_rebuild
        stores_import stores_list stores_show stores_policy stock_show stock_find stock_history stock_at stock_why
        stock_count stock_receive stock_adjust stock_transfer topics_list topics_describe topics_tail
        dead-letters_list dead-letters_show dead-letters_retry dead-letters_discard catalogue_import catalogue_list
        catalogue_show order_place order_list order_show order_why order_cancel pickup_queue pickup_accept pickup_reject
        pickup_pick pickup_short pickup_substitute pickup_stage pickup_ready pickup_arrive pickup_hand-over
        pickup_extend pickup_return pickup_scan pickup_walk"""

    there = {it.name for it in COMMANDS}
    missing = {f"bopis {word.replace('_', ' ')}" for word in promised.split()} - there

    assert not missing


def test_docs_name_only_commands_that_exist() -> None:
    there = {tuple(it.name.split()[1:]) for it in COMMANDS}
    groups = {words[:1] for words in there if len(words) > 1}
    nested = {words[:2] for words in there if len(words) == 3}
    found = []
    for place in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "bopis").rglob("errors.py")]):
        for line, text in enumerate(place.read_text(encoding="utf-8").splitlines(), 1):
            for words in named_commands(text):
                known = words[:1] in there or words in there | nested or (words in groups and len(words) == 1)
                if not known:
                    found.append(f"{place.relative_to(ROOT)}:{line} bopis {' '.join(words)}")

    assert not found, verdict(found, "Commands that do not exist:")


def named_commands(text: str) -> list[tuple[str, ...]]:
    """The commands that a line names in code: the words after ``bopis``, options and values left out."""
    found = []
    for quoted in re.findall(r"`(bopis [^`]+)`", text) + re.findall(r"^\s*(?:\.venv/bin/)?(bopis [^`#]+)", text):
        words = []
        for word in quoted.split()[1:]:
            if not re.fullmatch(r"[a-z][a-z-]*", word):
                break
            words.append(word)
        if words:
            found.append(tuple(words[:2]))
    return found


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    found = [
        f"{place.relative_to(ROOT)} -> {target}"
        for place in pages
        for target in LINKS.findall(place.read_text(encoding="utf-8"))
        if not (place.parent / target).exists()
    ]

    assert not found, verdict(found, "Links that lead nowhere:")


def test_help_loads_nothing_heavy() -> None:
    code = f"import cli, sys; print([it for it in {HEAVY!r} if it in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "[]"


def test_the_help_of_groups_loads_no_command_and_nothing_heavy() -> None:
    root = typer.main.get_command(app)
    helps = [[], *([name] for name, entry in root.commands.items() if isinstance(entry, LazyGroup))]  # type: ignore[attr-defined]  # a group
    code = f"""
import cli, sys
for words in {helps!r}:
    cli.app([*words, "--help"], standalone_mode=False)
ours = [it for it in sys.modules if it.startswith("bopis.") and not hasattr(sys.modules[it], "__path__")]
print([*ours, *(it for it in {HEAVY!r} if it in sys.modules)], file=sys.stderr)
"""

    answered = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    light = {"bopis.errors", "bopis.wire.characters"}
    light |= {f"bopis.cli.app.{name}" for name in ("context", "errors", "groups")}
    # Typer itself builds the options of the root with pydantic.
    assert set(ast.literal_eval(answered.stderr)) == light | {"pydantic"}
    assert "Record units missing on the shelf" in answered.stdout


def test_commands_import_at_the_top() -> None:
    found = [
        f"{module.place}:{line}"
        for module in modules()
        if module.name.startswith("bopis.cli.") and module.place not in LATE_IMPORTS
        for line in late_imports(module)
    ]

    assert not found, verdict(found, "Imports inside functions of commands:")


def late_imports(module: Module) -> list[int]:
    inner = [node for function in module.nodes if isinstance(function, Function) for node in ast.walk(function)]
    checked = [
        node
        for block in module.nodes
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    ]
    return sorted(node.lineno for node in inner + checked if isinstance(node, ast.Import | ast.ImportFrom))


def test_commands_repeat_no_enum_of_other_parts() -> None:
    others = [it for module in modules() if not module.name.startswith("bopis.cli.") for it in enums(module)]
    found = [
        f"{module.place} {name} repeats {other}"
        for module in modules()
        if module.name.startswith("bopis.cli.")
        for name, values in enums(module)
        for other, known in others
        if values <= known
    ]

    assert not found, verdict(found, "Use the enum itself, or some of its members:")


def enums(module: Module) -> list[tuple[str, set[str]]]:
    """The enums of a module, each with its values."""
    found = []
    for it in module.classes():
        if any("Enum" in ast.unparse(base) for base in it.bases):
            members = [node.value for node in it.body if isinstance(node, ast.Assign)]
            found.append((it.name, {str(value.value) for value in members if isinstance(value, ast.Constant)}))
    return found


@pytest.mark.parametrize("command", COMMANDS, ids=lambda it: it.name)
def test_every_first_line_of_help_is_a_sentence(command: NamedCommand) -> None:
    assert command.help.split("\n\n")[0].endswith((".", "…"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda it: it.name)
def test_every_command_has_two_examples_that_are_command_lines(command: NamedCommand) -> None:
    assert len(command.examples) >= EXAMPLES_LEAST
    for example in command.examples:
        assert example.startswith(f"{command.name}")
        assert len(example) <= COLUMNS_MAX
        parse(shlex.split(example.partition(" < ")[0])[1:])


def parse(words: list[str]) -> None:
    """Read a command line as the program does, without running it. Raises a usage error for one that is wrong."""
    command = typer.main.get_command(app)
    context = command.make_context("bopis", words)
    while isinstance(command, LazyGroup):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
