"""One receiver, a process of its own, for all tests of the folder; each uses paths of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 60.0


class ReceiverProcess:
    """The receiver, and what it got."""

    def __init__(self, file: Path) -> None:
        self.file = file
        command = [sys.executable, str(Path(__file__).with_name("receiver.py")), str(file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def got(self, path: str) -> list[dict[str, Any]]:
        """The requests to a path, in the order of their arrival."""
        found = [json.loads(line) for line in self.file.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [it for it in found if it["path"] == path]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    found = ReceiverProcess(tmp_path_factory.mktemp("receiver") / "book")
    yield found
    found.close()


def eventually(holds: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """What `holds` returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.02)
    return found
