"""Files and functions that the pages on the code name exist."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.reading import ROOT, verdict

PAGES = ("docs/concepts/tour.md", "docs/concepts/glossary.md")
FILE = re.compile(r"`([\w./-]+\.py)`")
# A file, and in parentheses names that it defines.
NAMED = re.compile(r"`([\w./-]+\.py)`\s*\(((?:`[\w.]+`(?:,\s*)?)+)\)")
TOUR_LINES_MAX = 60


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_name_on_a_page_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    files = FILE.findall(text)
    named = [(file, name) for file, names in NAMED.findall(text) for name in re.findall(r"[\w.]+", names)]

    found = [file for file in files if not (ROOT / file).is_file()]
    found += [f"{file}: {name}" for file, name in named if file not in found and name not in set(defined_in(file))]

    assert len(files) > 20
    assert len(named) > 20
    assert not found, verdict(found, f"{page} names what does not exist:")


def defined_in(file: str) -> Iterator[str]:
    """Classes, functions and methods of a file (``Class.method`` and ``method``), and its module-level names."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef))
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_the_tour_stays_short() -> None:
    lines = (ROOT / "docs/concepts/tour.md").read_text(encoding="utf-8").splitlines()

    assert len(lines) < TOUR_LINES_MAX
