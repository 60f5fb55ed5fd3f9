"""The program as a user runs it: started, killed, waited for."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SECONDS_MAX = 600


def environment(data_dir: Path) -> dict[str, str]:
    """A clean environment in which everything is kept in one directory."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BOPIS_")}
    return clean | {"BOPIS_DATA_DIR": str(data_dir), "PYTHONWARNINGS": "default"}


def start(data_dir: Path, *words: str | Path, **options: Any) -> "subprocess.Popen[bytes]":
    """Start `bopis WORDS`."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *map(str, words)],
        cwd=ROOT,
        env=environment(data_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def run(data_dir: Path, *words: str | Path, code: int = 0, stdin: bytes | None = None) -> dict[str, Any]:
    """Run `bopis WORDS --json` to its end; returns its document."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *map(str, words), "--json"],
        cwd=ROOT,
        env=environment(data_dir),
        input=stdin,
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode() + done.stdout.decode()
    document: dict[str, Any] = json.loads(done.stdout)
    document["said"] = done.stderr.decode()
    return document


@contextmanager
def up(data_dir: Path) -> Iterator[int]:
    """Everything running on a data directory; yields the pid of its supervisor."""
    log = (data_dir / "up.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "up", "--json"],
        cwd=ROOT,
        env=environment(data_dir) | {"BOPIS_BROKER_PORT": "0", "BOPIS_WEB_ENABLED": "false"},
        stdout=subprocess.PIPE,
        stderr=log,
    )
    assert process.stdout is not None
    try:
        while (line := process.stdout.readline()) and b'"ready"' not in line:
            pass
        assert line, (data_dir / "up.log").read_text()
        yield process.pid
    finally:
        process.terminate()
        process.wait(SECONDS_MAX)
        process.stdout.close()
        log.close()
