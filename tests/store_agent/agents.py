"""Agents as real processes, which are forked so that a start costs little, and tills that send to them."""

import http.client
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec

from bopis.adapters.agent_process import AgentOptions, KafkaOptions, Sources, encoded
from bopis.adapters.security import Security
from bopis.journal.journal import Journal
from bopis.journal.limits import JournalLimits
from bopis.wire.ingest import PATH
from tests.engines.forks import PIPE, Process, fork

STORE = "319"
READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
PATIENCE_SECONDS = 180.0
TILL_SECONDS = 5.0


def options_for(directory: Path, bootstrap: str, prefix: str, **changes: Any) -> AgentOptions:
    """The options of an agent that sends to a log on this machine, and is quick about everything."""
    kafka = KafkaOptions(bootstrap=bootstrap, embedded_in=None, prefix=prefix, security=Security())
    options = AgentOptions(
        store=STORE,
        directory=directory,
        version="test",
        port=0,
        limits=JournalLimits(),
        sources=Sources(),
        kafka=kafka,
        timeout_seconds=2.0,
        heartbeat_seconds=3600.0,
        poll_seconds=0.1,
        settle_seconds=0.2,
        pause_seconds_max=0.5,
    )
    return msgspec.structs.replace(options, **changes)


class AgentUnderTest:
    """One agent's process, which can be killed and started again on the same port."""

    def __init__(self, options: AgentOptions, home: Path) -> None:
        self.options = options
        self._home = home
        self._process: Process | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it takes messages."""
        options = msgspec.structs.replace(self.options, port=self.port)
        file = self._home / "options.json"
        file.write_bytes(encoded(options))
        with (self._home / "agent.log").open("ab") as talk:
            self._process = fork(["store_agent", "--options", str(file)], stdout=PIPE, stderr=talk)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.talk()
        self.port = json.loads(line)["port"]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End it without any warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS_MAX)
            self._close()

    def stop(self) -> int:
        """Ask it to stop; returns its exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(STOP_SECONDS_MAX)
        self._close()
        return code

    def talk(self) -> str:
        """The end of its log lines."""
        return (self._home / "agent.log").read_text()[-3000:]

    def wait_sent(self) -> None:
        """Wait until everything in its journal is acknowledged."""
        with Journal(self.options.directory) as journal:
            wait_until(lambda: journal.usage().depth == 0, self.talk)

    def _close(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None


def wait_until(holds: Any, talk: Any = lambda: "") -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, f"it did not become true in time\n{talk()}"
        time.sleep(0.02)


def sale(source: str, number: int, lines: dict[str, int], store: str = STORE) -> dict[str, Any]:
    """A sale as a till sends it."""
    return {
        "specversion": "1.0",
        "type": "bopis.pos.sale.v1",
        "source": source,
        "id": f"{source}/{number}",
        "time": "2026-11-22T09:30:00-06:00",
        "subject": store,
        "data": {
            "basket": f"{source}-{number}",
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()],
        },
    }


def as_lines(messages: Iterable[Any]) -> bytes:
    """Messages, one per line."""
    return b"".join(json.dumps(it).encode() + b"\n" for it in messages)


def post(port: int, body: Any, **headers: str) -> tuple[int, Any]:
    """One request of a till; its status and the document in the answer. Raises `OSError` or `HTTPException`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TILL_SECONDS)
    try:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", PATH, content, {"Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
