"""An installation with payments, process by process: its log and workers on one clock, the listener for callbacks, and
the fake gateway with its ledger in a file."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from bopis.demo.clock import OffsetClock
from bopis.demo.process import BROKER, program
from tests.engines import EmbeddedEngine, Engine
from tests.faults.crew import START_SECONDS_MAX, Crew

ROOT = Path(__file__).parents[2]
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
WORKERS = ("inventory", "orders", "routing", "notices", "payments", "payment-runner")
GATEWAY, LISTENER = "gateway", "listener"
# Those that take part in a payment and may die at any time.
VICTIMS = ("payments", "payment-runner", LISTENER, GATEWAY)
STOP_SECONDS_MAX = 30.0
# Per cent, milliseconds and calls a second; other cards do what their token says.
WORST = {
    "latency": 30,
    "sigma": 0.8,
    "decline": 8,
    "timeout-after": 6,
    "timeout-before": 4,
    "challenge": 6,
    "review": 4,
    "partial": 6,
    "lands-after-close": 4,
    "accepted": 30,
    "duplicate": 20,
    "late": 15,
    "reorder": 25,
    "late-ms": 800,
    "rate": 120,
    # Longer than any order of these tests is under way.
    "life": 30 * 86_400,
}


class Program:
    """One of the product's commands as a process, started with the same words each time."""

    def __init__(self, name: str, home: Path, settings: dict[str, str]) -> None:
        self.name = name
        self.words: list[str] = []
        self._settings = settings
        self._out, self._err = home / f"{name}.out", home / f"{name}.err"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it printed the line that says that it listens."""
        return self._process is not None and self._out.stat().st_size > 0

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def text(self) -> str:
        return self._err.read_text(errors="replace") if self._err.exists() else ""

    def start(self) -> None:
        with self._out.open("wb") as out, self._err.open("ab") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli", *self.words, "--json"],
                env={**os.environ, **self._settings},
                stdout=out,
                stderr=err,
                cwd=ROOT,
            )

    def kill(self, number: int = signal.SIGKILL) -> int | None:
        if self._process is None:
            return None
        if self.lives:
            self._process.send_signal(number)
        return self._process.wait(STOP_SECONDS_MAX)


class PaidCrew(Crew):
    """The workers, the listener and the gateway of one installation."""

    def __init__(self, engine: Engine, home: Path, clock: OffsetClock) -> None:
        gateway_port, listener_port = _free_ports()
        self.gateway_url = f"http://127.0.0.1:{gateway_port}"
        super().__init__(
            engine,
            home,
            payment_gateway="fake",
            payment_gateway_url=self.gateway_url,
            payment_webhook_secret=SECRET,
            payment_timeout_seconds=2,
        )
        self.program = program(home / "clock")
        self.clock = clock
        self.ledger = home / "ledger.jsonl"
        self._options: dict[str, Any] = {}
        self._callback = f"http://127.0.0.1:{listener_port}/payments"
        self.programs = {name: Program(name, home, self._settings) for name in (GATEWAY, LISTENER)}
        self.programs[LISTENER].words = ["payments", "listen", "--port", str(listener_port)]

    def __exit__(self, *what: object) -> None:
        for it in self.programs.values():
            it.kill()
        super().__exit__(*what)

    def talk(self) -> str:
        words = [f"--- {it.name}\n{it.text[-1500:]}" for it in self.programs.values()]
        return "\n".join([super().talk(), *words])

    def open(self) -> Self:
        """Start everything, the gateway at its best."""
        self.behave()
        for name in (GATEWAY, LISTENER):
            self.programs[name].start()
        for name in WORKERS:
            # The listener wants the topics of payments.
            super().start(name, name, wait=False)
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Wait until everything runs; what ended is started again."""

        def all_ready() -> bool:
            for it in self.programs.values():
                if not it.lives:
                    it.start()
            return all(it.is_ready for it in (*self.hands.values(), *self.programs.values()))

        self.wait(all_ready, "everything runs", START_SECONDS_MAX)

    def behave(self, **options: Any) -> None:
        """Options of the gateway from its next start on."""
        self._options = options
        words = ["gateway", "fake", "--port", self.gateway_url.rpartition(":")[2], "--ledger", str(self.ledger)]
        words += ["--callback", self._callback, "--secret", SECRET, f"--clock={self.clock.offset_ms}"]
        self.programs[GATEWAY].words = [*words, *(f"--{name}={value}" for name, value in options.items())]

    def restart_gateway(self, **options: Any) -> None:
        """The gateway with other options."""
        self.kill(GATEWAY)
        self.behave(**options)
        self.begin(GATEWAY)
        self.wait_ready()

    def kill(self, name: str) -> None:
        """End one process without any warning."""
        (self.programs.get(name) or self.hands[name]).kill()

    def begin(self, name: str) -> None:
        """Start one process again, without waiting for it."""
        if name in self.programs:
            self.programs[name].start()
        else:
            self.start(name, name, wait=False)

    def days_pass(self, until_ms: int) -> None:
        """The clock of the log, of its workers and of the gateway goes on to this instant."""
        self.clock.set_to(until_ms)
        self.restart_gateway(**self._options)

    def ask(self, *words: str) -> tuple[int, Any]:
        """Exit code and document of one command on this installation."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words, "--json"],
            env={**os.environ, **self._settings},
            capture_output=True,
            cwd=ROOT,
            timeout=120,
            check=False,
        )
        return done.returncode, json.loads(done.stdout or b"null") or done.stderr.decode()


def log_on(home: Path) -> tuple[EmbeddedEngine, OffsetClock]:
    """An embedded log that goes by a clock which a test turns ahead."""
    clock = OffsetClock.create(home / "clock")
    engine = EmbeddedEngine(home / "log")
    engine.program = (*program(home / "clock"), BROKER)
    engine.start()
    return engine, clock


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return int(one.getsockname()[1]), int(two.getsockname()[1])
