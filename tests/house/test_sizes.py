"""Small modules, small functions, few parameters: when something grows, it is cut where the domain cuts."""

import ast
from collections import Counter

import pytest

from tests.house.plan import (
    BAD_MODULE_NAMES,
    BAD_WORDS,
    FLAT_MATCH_LINES_MAX,
    FOLDER_MODULES_MAX,
    FUNCTION_LINES_MAX,
    MODULE_LINES_MAX,
    PARAMETERS_MAX,
    SMALL_MODULE_LINES,
    SMALL_MODULES,
    TEST_LINES_MAX,
    UNFINISHED,
)
from tests.house.reading import ROOT, Function, Module, modules, verdict

MACHINE_PATHS = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/")


def sized() -> list[Module]:
    return [it for it in modules() if not it.name.startswith("migrations")]


def test_modules_are_small() -> None:
    found = [f"{it.place} has {len(it.lines)} lines" for it in sized() if len(it.lines) > MODULE_LINES_MAX]

    assert not found, verdict(found, f"A module has at most {MODULE_LINES_MAX} lines:")


def test_files_of_tests_are_small() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "tests").rglob("*.py")}
    found = [f"{path.relative_to(ROOT)} has {count} lines" for path, count in lines.items() if count > TEST_LINES_MAX]

    assert not found, verdict(found, f"A file of tests has at most {TEST_LINES_MAX} lines:")


def test_folders_hold_few_modules() -> None:
    folders = Counter(it.path.parent for it in sized() if not it.is_package)
    found = [f"{folder} has {count}" for folder, count in folders.items() if count > FOLDER_MODULES_MAX]

    assert not found, verdict(found, f"A folder has at most {FOLDER_MODULES_MAX} modules:")


def test_small_modules_with_one_importer_have_a_reason() -> None:
    importers: dict[str, set[str]] = {}
    for module in modules():
        for it in module.imports:
            importers.setdefault(it.target, set()).add(module.name)
    found = {
        module.name
        for module in sized()
        if module.name.startswith(("bopis.", "streams.", "store_agent."))
        and len(module.lines) < SMALL_MODULE_LINES
        and not module.is_package
        and len(importers.get(module.name, ())) == 1
        and module.name.split(".")[-1] not in ("__main__", "errors")
    }

    assert found == SMALL_MODULES.keys(), verdict(
        [f"{name}: part of {importers[name]}, or named in plan.py" for name in found - SMALL_MODULES.keys()]
        + [f"{name}: take it out of plan.py" for name in SMALL_MODULES.keys() - found],
        f"A module below {SMALL_MODULE_LINES} lines with one importer:",
    )


def test_functions_are_small() -> None:
    found = []
    for module in sized():
        for function in module.functions():
            lines = length(function)
            if lines > (FLAT_MATCH_LINES_MAX if is_flat_match(function) else FUNCTION_LINES_MAX):
                found.append(f"{module.place}:{function.lineno} {function.name} has {lines} lines")

    rule = f"A function has at most {FUNCTION_LINES_MAX} lines, one flat match at most {FLAT_MATCH_LINES_MAX}:"
    assert not found, verdict(found, rule)


@pytest.mark.parametrize(
    ("body", "is_flat"),
    [
        ("match x:\n  case 1:\n   return 1\n  case _:\n   y = 2\n   return y", True),
        ("y = x\n match y:\n  case 1:\n   return 1", True),
        ("match x:\n  case 1:\n   if x:\n    return 1", False),
        ("match x:\n  case 1:\n   return 1\n return 2", False),
        ("return x", False),
    ],
)
def test_a_match_is_flat_when_its_cases_only_assign_and_return(body: str, is_flat: bool) -> None:
    function = ast.parse(f"def f(x):\n {body}").body[0]

    assert isinstance(function, Function)
    assert is_flat_match(function) is is_flat


def test_functions_take_few_parameters() -> None:
    found = []
    for module in sized():
        for function in module.functions():
            count = len(parameters(function))
            if count > PARAMETERS_MAX and not is_command(function):
                found.append(f"{module.place}:{function.lineno} {function.name} takes {count}")

    assert not found, verdict(found, f"A function takes at most {PARAMETERS_MAX} parameters:")


def test_parameters_are_no_tuples_of_different_things() -> None:
    found = [
        f"{module.place}:{function.lineno} {function.name}({ast.unparse(it)})"
        for module in modules()
        for function in module.functions()
        for it in parameters(function)
        if it.annotation is not None and is_mixed_tuple(it.annotation)
    ]

    assert not found, verdict(found, "Name the values of a parameter (NamedTuple):")


@pytest.mark.parametrize(
    ("annotation", "is_mixed"),
    [
        ("tuple[str, int]", True),
        ("'tuple[Catalogue, Any]'", True),
        ("tuple[str, int] | None", True),
        ("tuple[str, str]", False),
        ("tuple[int, ...]", False),
        ("Iterable[tuple[str, Row]]", False),
    ],
)
def test_mixed_tuples_are_recognised(annotation: str, is_mixed: bool) -> None:
    assert is_mixed_tuple(ast.parse(annotation, mode="eval").body) is is_mixed


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
    """Lines from ``def`` to the end; of a command only its statements: parameters and docstring are its help."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    first = body[0].lineno if is_command(function) else function.lineno
    return (function.end_lineno or first) - first + 1


def is_flat_match(function: Function) -> bool:
    """Whether a function is one match over its cases, each of which only assigns, calls and returns."""
    *before, last = function.body
    plain = (ast.Assign, ast.AnnAssign, ast.Expr, ast.Return)
    if not isinstance(last, ast.Match) or not all(isinstance(it, plain) for it in before):
        return False
    return all(isinstance(it, plain) for case in last.cases for it in case.body)


def parameters(function: Function) -> list[ast.arg]:
    given = function.args
    named = (*given.posonlyargs, *given.args, *given.kwonlyargs)
    return [it for it in named if it.arg not in {"self", "cls"}]


def is_mixed_tuple(annotation: ast.expr) -> bool:
    """Whether a type is a tuple of different types, or a union with one."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return is_mixed_tuple(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.BinOp):
        return is_mixed_tuple(annotation.left) or is_mixed_tuple(annotation.right)
    match annotation:
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=elements)):
            types = [ast.unparse(it) for it in elements]
            return "..." not in types and len(set(types)) > 1
    return False


def is_command(function: Function) -> bool:
    """Typer turns the parameters of a function that takes its context into options."""
    return any(
        isinstance(it.annotation, ast.Attribute) and ast.unparse(it.annotation) == "typer.Context"
        for it in function.args.args
    )
