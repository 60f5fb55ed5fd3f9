"""Forked workers end with their own exit codes, however many threads ask for them."""

import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from pathlib import Path

import pytest

from tests.cli.program import clean_environment
from tests.security.nursery import Forked

UNAVAILABLE = 69
WORKERS = 4
WAIT_SECONDS = 60.0


def forked(home: Path, number: int) -> Forked:
    """A worker that ends at once, because no log runs on its data directory."""
    environment = clean_environment(BOPIS_DATA_DIR=str(home / str(number)))
    return Forked(("worker", "inventory", "--json"), environment, home / f"{number}.talk")


def test_exit_codes_survive_threads_that_start_and_poll_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code that another thread has read already used to come back as 255."""
    read = forkserver.read_signed

    def slowly(descriptor: int) -> int:
        time.sleep(0.2)
        return read(descriptor)

    monkeypatch.setattr(forkserver, "read_signed", slowly)
    workers = [forked(tmp_path, number) for number in range(WORKERS)]

    with ThreadPoolExecutor(2 * WORKERS) as pool:
        codes = list(pool.map(lambda it: it.wait(WAIT_SECONDS), workers * 2))

    assert codes == [UNAVAILABLE] * len(codes)
