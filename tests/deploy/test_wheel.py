"""bopis from a wheel, far from its repository: everything that it needs is in the wheel."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.program import clean_environment
from tests.deploy.files import ROOT

SOURCES = ("bopis", "streams", "store_agent", "migrations", "examples")
FILES = ("cli.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
READY_SECONDS_MAX = 240.0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build leaves files beside the sources."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    pip(
        sys.executable,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(made),
        str(source),
    )
    (found,) = made.glob("bopis-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> "Installed":
    """A fresh environment with the wheel; its dependencies are those of this environment, since there is no network."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=120)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    # A line in such a file only adds a path: what this environment says about bopis itself is not read.
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    pip(sys.executable, "--python", str(home / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel))
    return Installed(home, packages, tmp_path_factory.mktemp("empty"))


def pip(python: str, *words: str) -> None:
    done = subprocess.run([python, "-m", "pip", "--quiet", *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


class Installed:
    """The program `bopis` of an environment, run in an empty directory."""

    def __init__(self, home: Path, packages: Path, folder: Path) -> None:
        self.packages = packages
        self.folder = folder
        self._program = home / "bin" / "bopis"
        self.environment = clean_environment(
            BOPIS_WEB_PORT="0", BOPIS_BROKER_PORT="0", BOPIS_READ_WAIT_SECONDS="60", NO_COLOR="1"
        )
        self.environment.pop("PYTHONPATH", None)

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [self._program, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def ask(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))

    def up(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "up.err").open("wb") as errors:
            return subprocess.Popen(
                [self._program, "up", "--json"],
                cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip


@pytest.fixture(scope="module")
def running(installed: Installed) -> Iterator[dict[str, Any]]:
    """The ready line of `bopis up`, without anything but the wheel."""
    process = installed.up()
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    said, give_up = b"", time.monotonic() + READY_SECONDS_MAX
    try:
        while b"\n" not in said:
            assert process.poll() is None, (installed.folder / "up.err").read_text()[-3000:]
            assert time.monotonic() < give_up
            said += process.stdout.read() or b""
            time.sleep(0.05)
        yield json.loads(said.splitlines()[0])
    finally:
        process.terminate()
        code = process.wait(60)
        process.stdout.close()
    assert code == 0


def test_the_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", *SOURCES, "cli.py"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    wanted = {it.replace("examples/", "bopis/examples/") if it.startswith("examples/") else it for it in listed}

    packed = set(zipfile.ZipFile(wheel).namelist())

    assert wanted - packed == {"bopis/examples"}  # the link itself


def test_the_installed_program_explains_itself(installed: Installed) -> None:
    assert "Buy online, pick up in store" in installed("--help")
    assert installed("--version").strip() == wheel_version()


def wheel_version() -> str:
    lines = (ROOT / "setup.cfg").read_text(encoding="utf-8").splitlines()
    return next(line.partition("=")[2].strip() for line in lines if line.startswith("version"))


def test_a_small_day_is_right_without_the_repository(installed: Installed, running: dict[str, Any]) -> None:
    examples = installed.packages / "bopis" / "examples"

    imported = installed.ask("stores", "import", str(examples / "stores.csv"))
    installed("catalogue", "import", str(examples / "catalogue.csv"))
    played = installed.ask("load", "--seconds", "2", "--stores", "2", "--baskets", "20", "--orders", "2", "--yes")
    verified = installed.ask("verify")
    page, style = httpx.get(running["sign_in"], follow_redirects=True), httpx.get(f"{running['web']}/static/bopis.css")
    documents = httpx.get(f"{running['web']}/docs")

    assert running["not_running"] == {}
    assert imported
    assert played["ok"], played
    assert (played["baskets"], played["orders"], played["handed_over"]) == (40, 4, 4)
    assert verified["clean"]
    assert (page.status_code, style.status_code, documents.status_code) == (200, 200, 200)
    assert "<nav" in page.text
    where = subprocess.run(
        [str(installed.packages.parents[2] / "bin" / "python"), "-c", "import bopis; print(bopis.__path__[0])"],
        cwd=installed.folder, env=installed.environment, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert where.strip() == str(installed.packages / "bopis")
