"""Items of the demonstration have names and prices; its hints can be pasted."""

import shlex
import sys
from pathlib import Path

import pytest

from bopis.demo.articles import CENTS_MIN, articles, price_cents
from bopis.demo.command import program_path
from bopis.demo.world import Scale, make_world


def test_every_item_has_a_name_of_its_own() -> None:
    categories = make_world(1, Scale()).categories

    found = articles(categories)

    assert found.keys() == categories.keys()
    assert len({it.name for it in found.values()}) == len(categories)
    assert all(it.category == categories[it.sku] for it in found.values())
    assert min(map(price_cents, categories)) >= CENTS_MIN


def test_a_hint_names_the_program_as_the_shell_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a b" / "bin"
    folder.mkdir(parents=True)
    program = folder / "bopis"
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    away = program_path(str(program))
    monkeypatch.setenv("PATH", str(folder))

    assert shlex.split(away) == ["a b/bin/bopis"]
    assert program_path(str(program)) == "bopis"
    assert program_path(sys.executable) == shlex.quote(sys.executable)
