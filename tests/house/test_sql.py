"""SQL is written where its database is owned; the tables of the read side are known to the read side alone."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.plan import SQL_ROOMS, SQL_TABLES, SQL_WORDS
from tests.house.reading import Module, modules, verdict

STATEMENT = re.compile(
    r"\s*(select\s.+\sfrom|insert\s+(or\s+\w+\s+)?into|update\s+\S+\s+set|delete\s+from|pragma|(create|drop|alter)\s+"
    r"(table|index|role|database|view))\b",
    re.IGNORECASE | re.DOTALL,
)


def test_sql_stays_with_the_owner_of_its_database() -> None:
    found = [
        f"{module.place}:{line} {what}"
        for module in modules()
        if not _is_in(module.name, SQL_ROOMS)
        for line, what in sql_in(module)
    ]

    assert not found, verdict(found, "Ask through bopis.readside.queries:")


@pytest.mark.parametrize(
    "text", ["SELECT a FROM b", "\n  insert or replace into b", "update b set c", "CREATE TABLE b", "pragma c"]
)
def test_statements_are_recognised(text: str) -> None:
    assert STATEMENT.match(text)


@pytest.mark.parametrize("text", ["Select an order", "Update the read side", "Created table", "selected"])
def test_sentences_are_no_statements(text: str) -> None:
    assert not STATEMENT.match(text)


def sql_in(module: Module) -> Iterator[tuple[int, str]]:
    """Lines of a module with SQL: imports of tables or of parts of statements, and texts that are statements."""
    for it in module.imports:
        if _is_in(it.target, set(SQL_TABLES)):
            yield it.line, f"imports {it.target}"
    docstrings = {id(node) for node in _docstrings(module.tree)}
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy":
            for name in node.names:
                if name.name in SQL_WORDS:
                    yield node.lineno, f"imports {name.name} of sqlalchemy"
        elif isinstance(node, ast.Constant) and id(node) not in docstrings and STATEMENT.match(str(node.value)):
            yield node.lineno, repr(str(node.value)[:40])


def _docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr):
                yield first.value


def _is_in(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)
