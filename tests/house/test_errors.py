"""Errors live in one file per package, and their docstring is the message: it says what to do next."""

import ast
import builtins
import re
from itertools import pairwise

from bopis import errors
from bopis.errors import EXIT_CODES
from tests.house.plan import SIGNALS
from tests.house.reading import Module, modules, verdict

GOLDEN_EXIT_CODES = {0, 1, 2, 3, 4, 5, 69, 70, 75, 78, 80, 81, 130}
DRAWN = re.compile(r"(?P<indent>[| ]*)\+-- (?P<name>\w+)")
INDENT = 4
IGNORE = re.compile(r"#\s*type:\s*ignore(?P<code>\[[a-z-, ]+\])?(?P<reason>.*)$")


def raisable() -> dict[str, ast.ClassDef]:
    """Classes that are exceptions, by their own word or by that of an ancestor of ours, by place and name."""
    classes = {f"{module.name}:{it.name}": it for module in modules() for it in module.classes()}
    by_name: dict[str, list[ast.ClassDef]] = {}
    for it in classes.values():
        by_name.setdefault(it.name, []).append(it)

    def is_error(node: ast.ClassDef, seen: frozenset[str]) -> bool:
        for base in node.bases:
            name = ast.unparse(base).split(".")[-1].split("[")[0]
            kind = getattr(builtins, name, None)
            if isinstance(kind, type) and issubclass(kind, BaseException):
                return True
            if name not in seen and any(is_error(it, seen | {name}) for it in by_name.get(name, [])):
                return True
        return False

    return {name: it for name, it in classes.items() if is_error(it, frozenset())}


def test_errors_live_in_a_file_of_that_name() -> None:
    found = [
        it
        for it in raisable()
        if it.split(":")[0].split(".")[-1] != "errors" and it not in SIGNALS and not it.startswith("benchmarks")
    ]

    assert not found, verdict(found, "Exceptions outside of their package's errors.py:")


def test_every_error_says_what_it_means() -> None:
    found = [name for name, it in raisable().items() if not ast.get_docstring(it)]

    assert not found, verdict(found, "Exceptions without a docstring:")


def test_drawn_trees_of_errors_show_the_classes() -> None:
    found = []
    for module in modules():
        drawn = drawn_tree(ast.get_docstring(module.tree) or "")
        if drawn:
            defined = defined_tree(module, next(iter(drawn)))
            found += [
                f"{module.place} {name}: drawn under {drawn.get(name)}, defined under {defined.get(name)}"
                for name in drawn.keys() | defined.keys()
                if drawn.get(name) != defined.get(name)
            ]

    assert not found, verdict(found, "Draw each class under its base, and no other:")


def drawn_tree(docstring: str) -> dict[str, str]:
    """Parents by name from a drawing in a docstring: the root under itself, then one ``+-- Name`` a line."""
    parents: dict[str, str] = {}
    path: list[str] = []
    lines = docstring.splitlines()
    for above, line in pairwise(lines):
        drawn = DRAWN.match(line)
        if drawn is None:
            continue
        if not path:
            path = [above.strip()]
            parents[above.strip()] = above.strip()
        depth = len(drawn["indent"]) // INDENT + 1
        del path[depth:]
        parents[drawn["name"]] = path[-1]
        path.append(drawn["name"])
    return parents


def defined_tree(module: Module, root: str) -> dict[str, str]:
    """Parents by name of the classes of a module that descend from a root, and the root under itself."""
    parents = {root: root}
    for node in module.classes():
        base = next((name for it in node.bases if (name := ast.unparse(it)) in parents), None)
        if base is not None:
            parents[node.name] = base
    return parents


def test_exit_codes_are_the_promised_ones() -> None:
    assert set(EXIT_CODES) == GOLDEN_EXIT_CODES


def test_every_error_leaves_with_a_promised_exit_code() -> None:
    found = []
    for name, node in raisable().items():
        for statement in node.body:
            target = getattr(statement, "targets", [getattr(statement, "target", None)])[0]
            value = getattr(statement, "value", None)
            if not (isinstance(target, ast.Name) and target.id == "exit_code" and value is not None):
                continue
            told = ast.unparse(value)
            code = int(told) if told.isdigit() else getattr(errors, told, None)
            if code not in GOLDEN_EXIT_CODES:
                found.append(f"{name} leaves with {told}")

    assert not found, verdict(found, f"Exit codes beside {sorted(GOLDEN_EXIT_CODES)}:")


def test_every_silenced_type_error_has_a_code_and_a_reason() -> None:
    found = []
    for module in modules():
        for number, line in enumerate(module.lines, 1):
            told = IGNORE.search(line)
            if told and not (told["code"] and told["reason"].strip(" #()")):
                found.append(f"{module.place}:{number} {line.strip()[-80:]}")

    assert not found, verdict(found, "Write `# type: ignore[code]  # reason`:")
