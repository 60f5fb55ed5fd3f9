"""The file that marks a worker as ready, for the probes of containers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams import __main__ as program
from streams.workers.worker import WorkerReady


def played(seen: list[bool], mark: Path, failure: Exception | None = None) -> Callable[..., int]:
    """A processor that is ready at once, then ends."""

    def run_processor(name: str, _settings: Any, ready: Any, _now_ms: Any) -> int:
        seen.append(mark.exists())
        ready(WorkerReady(processor=name, rows={}, seconds=0.1))
        seen.append(mark.exists())
        if failure is not None:
            raise failure
        return 0

    return run_processor


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOPIS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data" / "inventory.ready"


def test_the_mark_is_there_from_ready_to_the_end(mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark.parent.mkdir()
    mark.touch()  # of a process that was killed
    seen: list[bool] = []
    monkeypatch.setattr(program, "run_processor", played(seen, mark))

    assert program.main(["worker", "inventory", "--json"]) == 0

    assert seen == [False, True]
    assert not mark.exists()


def test_the_mark_goes_when_the_worker_fails(mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark.parent.mkdir()
    monkeypatch.setattr(program, "run_processor", played([], mark, RuntimeError("fell")))

    with pytest.raises(RuntimeError):
        program.main(["worker", "inventory", "--json"])

    assert not mark.exists()


def test_a_worker_without_a_data_directory_runs_all_the_same(mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(program, "run_processor", played(seen, mark))

    assert program.main(["worker", "inventory", "--json"]) == 0

    assert seen == [False, False]
