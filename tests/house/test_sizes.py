"""Small modules, small functions, few parameters: when something grows, it is cut where the domain cuts."""

import ast

import pytest

from tests.house.plan import (
    BAD_MODULE_NAMES,
    BAD_WORDS,
    FUNCTION_LINES_MAX,
    MODULE_LINES_MAX,
    PARAMETERS_MAX,
    UNFINISHED,
)
from tests.house.reading import ROOT, Function, Module, modules, verdict

MACHINE_PATHS = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/")


def sized() -> list[Module]:
    return [it for it in modules() if not it.name.startswith("migrations")]


def test_modules_are_small() -> None:
    found = [f"{it.place} has {len(it.lines)} lines" for it in sized() if len(it.lines) > MODULE_LINES_MAX]

    assert not found, verdict(found, f"A module has at most {MODULE_LINES_MAX} lines:")


def test_functions_are_small() -> None:
    found = []
    for module in sized():
        for function in module.functions():
            lines = length(function)
            if lines > FUNCTION_LINES_MAX:
                found.append(f"{module.place}:{function.lineno} {function.name} has {lines} lines")

    assert not found, verdict(found, f"A function has at most {FUNCTION_LINES_MAX} lines:")


def test_functions_take_few_parameters() -> None:
    found = []
    for module in sized():
        for function in module.functions():
            count = len(parameters(function))
            if count > PARAMETERS_MAX and not is_command(function):
                found.append(f"{module.place}:{function.lineno} {function.name} takes {count}")

    assert not found, verdict(found, f"A function takes at most {PARAMETERS_MAX} parameters:")


def test_no_module_is_called_by_what_it_is_not() -> None:
    found = [it.place for it in modules() if it.name.split(".")[-1] in BAD_MODULE_NAMES]

    assert not found, verdict(found, "Say what the module is:")


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (BAD_WORDS, "Words that the glossary does not know:"),
        (UNFINISHED, "Unfinished work:"),
        (MACHINE_PATHS, "Paths of one machine:"),
    ],
)
def test_words_that_do_not_belong_here(words: tuple[str, ...], rule: str) -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    texts = [(it.place, it.lines) for it in modules()]
    texts += [(it.relative_to(ROOT).as_posix(), it.read_text(encoding="utf-8").splitlines()) for it in pages]

    found = [
        f"{place}:{number} {word!r}"
        for place, lines in texts
        for number, line in enumerate(lines, 1)
        for word in words
        if word in line or word in line.lower()
    ]

    assert not found, verdict(found, rule)


def length(function: Function) -> int:
    """Lines from ``def`` to the end; of a command only its body, for its parameters are its documentation."""
    first = function.body[0].lineno if is_command(function) else function.lineno
    return (function.end_lineno or first) - first + 1


def parameters(function: Function) -> list[str]:
    given = function.args
    named = [it.arg for it in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [it for it in named if it not in {"self", "cls"}]


def is_command(function: Function) -> bool:
    """Typer turns the parameters of a function that takes its context into options."""
    return any(
        isinstance(it.annotation, ast.Attribute) and ast.unparse(it.annotation) == "typer.Context"
        for it in function.args.args
    )
