"""The commands of routing and the hours of stores, as a person gives them."""

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import msgspec
from rich.console import Console

from bopis.cli.master.routing import render
from bopis.services.routing.history import PastDecision
from bopis.services.routing.rules_comparison import as_decided
from tests.cli.program import run
from tests.domain.sourcing.stores import NOW_MS
from tests.services.routing.test_simulation import decided

SOUND = 'name = "near"\nversion = 2\n[[rankers]]\nby = "distance"\n'


def test_the_rules_that_are_shown_are_a_rules_file(tmp_path: Path) -> None:
    shown = run("routing", "rules")
    file = tmp_path / "rules.toml"
    file.write_text(shown.out)

    checked = run("routing", "check", str(file), "--json")

    assert checked.document == {"file": str(file), "name": "standard", "version": 1, "sound": True}
    assert run("routing", "rules", str(file), "--json").document == run("routing", "rules", "--json").document


def test_the_rules_that_routing_runs_with_are_those_of_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(SOUND)

    shown = run("routing", "rules", "--json", BOPIS_ROUTING_RULES=str(file))

    assert shown.document["rules"]["name"] == "near"


def test_a_rules_file_that_is_not_sound_leaves_with_5_and_names_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(SOUND.replace("distance", "luck"))

    checked = run("routing", "check", str(file))

    assert checked.code == 5
    assert "luck" in checked.err


def test_figures_stand_side_by_side_also_where_nothing_is_known() -> None:
    then = as_decided([PastDecision(decision=decided("ORDER001"), ready_ms={"B": NOW_MS})])
    shown = Console(file=StringIO(), width=100)

    render(shown, {"as decided": then, "near v2": msgspec.structs.replace(then, promise_kept=None, metres_mean=None)})

    rows = [line.split() for line in shown.file.getvalue().splitlines()]  # type: ignore[attr-defined]  # it is a StringIO
    assert ["units", "served", "100.0", "%", "100.0", "%"] in rows
    assert ["distance,", "mean", "1.0", "km", "-"] in rows
    assert ["promise", "kept", "100.0", "%", "of", "1", "-"] in rows


def test_a_worker_with_unsound_rules_ends_at_once_and_is_not_started_again_and_again(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("version = 1\n")
    environment = {**os.environ, "BOPIS_ROUTING_RULES": str(file), "BOPIS_BROKER": "kafka://127.0.0.1:1"}

    ended = subprocess.run(
        [sys.executable, "-m", "streams", "worker", "routing"], env=environment, capture_output=True, text=True
    )

    assert ended.returncode == 78
    assert "a name and a version" in ended.stderr
    assert "Traceback" not in ended.stderr
