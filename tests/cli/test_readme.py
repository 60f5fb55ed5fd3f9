"""The first look of the README is run line by line, as a newcomer types it."""

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Installation

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM, STARTED = ".venv/bin/bopis", ["make setup", ".venv/bin/bopis up"]
PATIENCE_S = 240.0


def first_look() -> list[str]:
    """The commands under "A first look", without their comments."""
    section = README.split("## A first look\n")[1].split("\n## ")[0]
    return [
        shlex.join(words) for line in re.findall(r"^    (.+)$", section, re.M) if (words := shlex.split(line, True))
    ]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Installation]:
    """An installation that knows no store; under a running `bopis up`."""
    installation = Installation(tmp_path / "bopis-data")
    yield installation
    assert installation.stop() == 0


def test_the_first_look_works_line_by_line(fresh: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    started, lines = first_look()[:2], first_look()[2:]
    assert started == STARTED
    shown = {}

    for line in lines:
        program, *words = shlex.split(line)
        assert program == PROGRAM, line
        if "ORDER" in words:
            number = fresh.ask("order", "list")["orders"][0]["order"]
            words = [number[:4] if word == "ORDER" else word for word in words]
        answer = fresh(*words)
        assert answer.code == 0, f"{line}\n{answer.out}{answer.err}"
        shown[" ".join(words[:2])] = answer.out

    assert "promised" in shown["order place"]
    assert "Right: all 5 cells are" in shown["replay examples/till-export.csv"]
    assert "4 × Oat drink 1 l" in mail(fresh)
    assert len(lines) > 10


def mail(fresh: Installation) -> str:
    """The text of the first mail in the outbox, as soon as there is one."""
    from email import message_from_bytes, policy

    end = time.monotonic() + PATIENCE_S
    while not (found := sorted((fresh.home / "outbox").rglob("*.eml"))) and time.monotonic() < end:
        time.sleep(0.1)
    part = message_from_bytes(found[0].read_bytes(), policy=policy.default).get_body(("plain",))  # type: ignore[attr-defined]  # a newer policy's
    return str(part.get_content())


def test_the_examples_are_small_and_all_of_them_are_used() -> None:
    files = sorted((ROOT / "examples").iterdir())

    assert [it.name for it in files if f"examples/{it.name}" not in README] == []
    assert sum(it.stat().st_size for it in files) < 20_000
