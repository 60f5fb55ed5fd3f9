"""An installation of the product on a log of its own prefix: told things, decided, asked."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaProducer
from typer.testing import CliRunner

import cli
from bopis.adapters.log import LogReader
from bopis.domain.message import Message
from bopis.ports import Record
from bopis.services.progress import decided_positions
from bopis.verification.verify import Rows, Verdict, judge, read_rows, spans_of
from bopis.wire.stock import STOCK
from tests.engines import Engine
from tests.engines.forks import PIPE, Process, fork

ROOT = Path(__file__).parents[3]
DYING = Path(__file__).parent / "dying.py"
READY_SECONDS_MAX = 240
DECIDED_SECONDS_MAX = 240
COMMAND_SECONDS_MAX = 360


class Done(NamedTuple):
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


class Installation:
    """One prefix on one engine. The processes are real ones, as an operator starts them."""

    def __init__(self, engine: Engine, home: Path, prefix: str, partitions: int) -> None:
        self.engine = engine
        self.prefix = prefix
        self.partitions = partitions
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **os.environ,
            "BOPIS_BROKER": f"kafka://{engine.bootstrap}",
            "BOPIS_DATA_DIR": str(home),
            "BOPIS_TOPIC_PREFIX": prefix,
            "BOPIS_PARTITIONS": str(partitions),
            "BOPIS_LOG_LEVEL": "warning",
            "PYTHONPATH": str(ROOT),
        }

    def command(self, *words: str) -> Done:
        """Run a command of the program, in this process: starting another costs more than most commands."""
        result = CliRunner().invoke(cli.app, list(words), env=self.environment)
        fault = result.exception
        assert fault is None or isinstance(fault, SystemExit), fault
        return Done(result.exit_code, result.stdout, result.stderr)

    def die(self, moment: str, *words: str) -> Done:
        """Run a command in a process that is killed at a moment (see dying.py)."""
        done = subprocess.run(
            [sys.executable, str(DYING), moment, *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ask(self, *words: str) -> Any:
        """The one document that a command answers with."""
        done = self.command(*words, "--json")
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return json.loads(done.stdout)

    @contextmanager
    def worker(self) -> Iterator[Process]:
        """The inventory worker, ready, and stopped as an operator stops it."""
        words = ["streams", "worker", "inventory", "--json"]
        with (self.home / "worker.log").open("a") as talk:
            process = fork(words, cwd=ROOT, env=self.environment, stdout=PIPE, stderr=talk)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert '"ready"' in line, (self.home / "worker.log").read_text()[-3000:]
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            finally:
                process.kill()
                process.wait(10)
                if process.stdout is not None:
                    process.stdout.close()

    def tell(self, *messages: Message) -> None:
        """Publish messages on stock, each under its store."""
        self.send("stock", *((it.subject.encode(), STOCK.encode(it)) for it in messages))

    def send(self, topic: str, *records: tuple[bytes | None, bytes | None]) -> None:
        producer = KafkaProducer(bootstrap_servers=self.engine.bootstrap, linger_ms=5)
        try:
            sent = [producer.send(self.prefix + topic, key=key, value=value) for key, value in records]
            for it in sent:
                it.get(timeout=120)
        finally:
            producer.close(timeout=10)

    @contextmanager
    def reader(self) -> Iterator[LogReader]:
        with LogReader(self.engine.bootstrap, self.prefix) as reader:
            yield reader

    def records(self, topic: str) -> list[Record]:
        """Everything that a topic holds, partition by partition."""
        with self.reader() as reader:
            found = list(reader.read(reader.start_offsets([topic]), reader.end_offsets([topic])))
        return sorted(found, key=lambda it: (it.partition, it.offset))

    def wait_decided(self) -> Rows:
        """Wait until everything on stock is decided; the rows then."""
        give_up = time.monotonic() + DECIDED_SECONDS_MAX
        with self.reader() as reader:
            while True:
                ends = {where[1]: end for where, end in reader.end_offsets(["stock"]).items()}
                decided = decided_positions(reader)
                if all(decided.get(partition, -1) == end - 1 for partition, end in ends.items()):
                    return read_rows(reader, spans_of(reader), lambda _: None)
                assert time.monotonic() < give_up, f"{ends} are not decided, only {decided}"
                time.sleep(0.1)

    def judged(self) -> Verdict:
        """The rows by an independent model, from the log alone."""
        with self.reader() as reader:
            spans = spans_of(reader)
            return judge(reader, spans, read_rows(reader, spans, lambda _: None), lambda _: None)
