"""Program of the server: its jars, which Maven fetches once, and Java."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from deploy.kafka.errors import JarsUnavailable, ToolMissing

HERE = Path(__file__).parent
LIBS = HERE / "libs"
# Written last, so that an interrupted fetch is repeated.
COMPLETE = LIBS / ".complete"
# See `deploy.kafka.archive`.
ARCHIVE = LIBS / "classes.jsa"
FETCH_SECONDS_MAX = 600
PACKAGES = {"java": "default-jdk-headless", "mvn": "maven", "openssl": "openssl"}


def program(name: str) -> str:
    """Path of a program. Raises ToolMissing with the package to install."""
    found = shutil.which(name)
    if found is None:
        raise ToolMissing(name, PACKAGES[name])
    return found


def missing() -> str | None:
    """Message on the program that is missing to run Apache Kafka here; None if none is missing."""
    try:
        program("java")
        if not COMPLETE.exists():
            program("mvn")
    except ToolMissing as error:
        return str(error)
    return None


def fetch() -> Path:
    """The directory of the jars, fetched if they are absent or of another version than the pom's."""
    program("java")
    pom = HERE / "pom.xml"
    with (HERE / ".fetching").open("w") as turn:
        # Two test runs may start at once; the second waits and finds the work done.
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (COMPLETE.exists() and COMPLETE.read_text() == pom.read_text()):
            _copy_dependencies(pom)
            COMPLETE.write_text(pom.read_text())
    return LIBS


def _copy_dependencies(pom: Path) -> None:
    shutil.rmtree(LIBS, ignore_errors=True)
    command = [program("mvn"), "-B", "-q", "-f", str(pom), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={LIBS}"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX)
    except subprocess.CalledProcessError as error:
        raise JarsUnavailable(error.stdout + error.stderr) from error
    except subprocess.TimeoutExpired as error:
        raise JarsUnavailable(f"no end after {FETCH_SECONDS_MAX} s") from error


if __name__ == "__main__":
    print(fetch())
