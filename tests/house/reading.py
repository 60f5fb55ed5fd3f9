"""The source tree as `ast` sees it; nothing here imports the code."""

import ast
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bopis", "streams", "store_agent", "migrations", "benchmarks", "deploy")
PROGRAMS = ("cli.py",)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Import(NamedTuple):
    """One module that is named by an import, wherever in the file it stands."""

    target: str
    line: int


class Module:
    """One source file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = path.relative_to(ROOT).as_posix()
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.place)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree, in the order of `ast.walk`."""
        return list(ast.walk(self.tree))

    @cached_property
    def imports(self) -> list[Import]:
        """Every import, of types too; ``from a import b`` counts as ``a.b`` where that is a module of ours."""
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [Import(it.name, node.lineno) for it in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                for it in node.names:
                    inner = f"{base}.{it.name}"
                    found.append(Import(inner if inner in names() else base, node.lineno))
        return found

    def functions(self) -> Iterator[Function]:
        for node in self.nodes:
            if isinstance(node, Function):
                yield node

    def classes(self) -> Iterator[ast.ClassDef]:
        for node in self.nodes:
            if isinstance(node, ast.ClassDef):
                yield node

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        parts = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*parts, *([node.module] if node.module else [])])


def source_files() -> list[Path]:
    packages = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
    return packages + [ROOT / name for name in PROGRAMS]


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The names of all modules of ours."""
    found = set()
    for path in source_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        found.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return frozenset(found)


@lru_cache(maxsize=1)
def modules() -> tuple[Module, ...]:
    """Every module of ours, tests aside."""
    return tuple(Module(path) for path in source_files())


def verdict(found: list[str], rule: str) -> str:
    """All violations of a rule in one message."""
    return f"{rule}\n" + "\n".join(f"  {it}" for it in sorted(set(found)))
