"""The whole product over real processes, for tests that break it: started, loaded, killed, asked."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.faults.judge import Judge

PREFIX = "bopis."
PARTITIONS = 4


class World(Judge):
    """One data directory with everything running on it."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        super().__init__("", PREFIX)
        self.data_dir = data_dir
        self._settings = {
            "BOPIS_DATA_DIR": str(data_dir),
            "BOPIS_BROKER_PORT": "0",
            "BOPIS_WEB_ENABLED": "false",
            "BOPIS_PARTITIONS": str(PARTITIONS),
            **{f"BOPIS_{name.upper()}": value for name, value in settings.items()},
        }
        self._up: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "up.log").open("a") as talk:
            self._up = subprocess.Popen(
                [sys.executable, "-m", "streams", "up", "--json"],
                env={**os.environ, **self._settings},
                stdout=subprocess.PIPE,
                stderr=talk,
                text=True,
            )
        assert self._up.stdout is not None
        line = self._up.stdout.readline()
        assert '"event":"ready"' in line, self.talk()
        self.bootstrap = str(json.loads(line)["bootstrap"])
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._up is None:
            return
        self._up.terminate()
        try:
            self._up.wait(30)
        except subprocess.TimeoutExpired:
            self._up.kill()
            self._up.wait(10)
        assert self._up.stdout is not None
        self._up.stdout.close()

    def talk(self) -> str:
        """The end of what the processes said, for a failure's message."""
        return (self.data_dir / "up.log").read_text()[-4000:]

    def children(self) -> dict[str, dict[str, Any]]:
        told = json.loads((self.data_dir / "up.json").read_text())
        return {child["name"]: child for child in told["children"]}

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a child and, when it kills, wait until another process runs in its place."""
        pid = self.children()[name]["pid"]
        os.kill(pid, number)
        if number == signal.SIGKILL:
            self.wait(lambda: self._replaced(name, pid), f"{name} runs again")

    def _replaced(self, name: str, pid: int) -> bool:
        child = self.children()[name]
        return child["state"] == "ready" and child["pid"] != pid
