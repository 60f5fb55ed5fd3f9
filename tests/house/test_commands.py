"""Every command has help and stands in the docs, and the program answers at once."""

import ast
import inspect
import re
import subprocess
import sys

import pytest

from bopis.commands.reference import Command, commands, page
from tests.house.reading import ROOT, Module, verdict

HEAVY = ("sqlalchemy", "kafka", "pydantic", "alembic", "faust", "aiokafka", "rich.progress")
LINKS = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def test_every_command_and_every_option_has_help() -> None:
    found = [f"{it.name}: no help" for it in commands() if len(it.help) < 20]
    found += [f"{it.name}: {parameter.name} has no help" for it in commands() for parameter in unhelpful(it)]

    assert not found, verdict(found, "Commands that do not say what they do:")


def unhelpful(command: Command) -> list[object]:
    return [it for it in command.parameters if not (it.help or "").strip()]


def test_every_command_can_answer_in_json() -> None:
    found = [it.name for it in commands() if not any("--json" in parameter.opts for parameter in it.parameters)]

    assert not found, verdict(found, "Commands without --json:")


def test_the_page_of_commands_is_current() -> None:
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

    assert written == page(), "docs/cli.md is old: python -m bopis.commands.reference > docs/cli.md"


def test_every_command_that_was_promised_is_there() -> None:
    promised = """up worker broker verify status doctor replay demo config_show db_upgrade db_check readside_rebuild
        stores_import stores_list stores_show stores_policy stock_show stock_find stock_history stock_at stock_why
        stock_count stock_receive stock_adjust stock_transfer topics_list topics_describe topics_tail
        dead-letters_list dead-letters_show dead-letters_retry dead-letters_discard catalogue_import catalogue_list
        catalogue_show order_place order_list order_show order_why order_cancel pickup_queue pickup_accept pickup_reject
        pickup_pick pickup_short pickup_substitute pickup_stage pickup_ready pickup_arrive pickup_hand-over
        pickup_extend pickup_return pickup_scan pickup_walk"""

    there = {it.name for it in commands()}
    missing = {f"bopis {word.replace('_', ' ')}" for word in promised.split()} - there

    assert not missing


def test_docs_name_only_commands_that_exist() -> None:
    there = {tuple(it.name.split()[1:]) for it in commands()}
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


def test_the_processors_of_the_program_are_those_of_streams() -> None:
    assert constant("bopis/commands/running.py", "PROCESSORS") == constant("streams/compose.py", "SHORT_NAMES")


def constant(place: str, name: str) -> object:
    for node in ast.walk(Module(ROOT / place).tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{place} has no {name}")


def test_reasons_of_the_desk_are_those_of_the_core() -> None:
    from bopis.commands.stock_write import ReasonName
    from bopis.domain.inventory.messages import Reason

    assert {it.value for it in ReasonName} == {it.value for it in Reason}


@pytest.mark.parametrize("command", [it.name for it in commands()])
def test_every_first_line_of_help_is_a_sentence(command: str) -> None:
    told = next(it.help for it in commands() if it.name == command)

    assert inspect.cleandoc(told).split("\n\n")[0].rstrip().endswith((".", "…"))
