"""The logs that the suites run on. Each can be started, killed without warning, paused and started again."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

START_S_MAX = 30.0


class Engine(Protocol):
    bootstrap: str

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def freeze(self, seconds: float) -> None: ...

    def stop(self) -> None: ...


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_S_MAX
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the log ended with {process.returncode}: {log.read_text()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the log did not open its port: {log.read_text()[-2000:]}")


class _ProcessEngine:
    """One server process on one port of the loopback."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        log = self.home / "log.txt"
        with log.open("ab") as sink:
            self._process = subprocess.Popen(self.command(), stdout=sink, stderr=sink, cwd=self.home)
        wait_for_port(self.port, self._process, log)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self, seconds: float) -> None:
        """Neither answer nor close: what a stalled disk or a paused machine looks like."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._end(signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)


class EmbeddedLog(_ProcessEngine):
    def command(self) -> list[str]:
        return [sys.executable, "-m", "bopis.broker", str(self.home / "log"), "--port", str(self.port), "--json"]


class ApacheKafka(_ProcessEngine):
    """Apache Kafka from a directory of jars, named by the environment variable BOPIS_KAFKA_LIBS."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.libs = os.environ["BOPIS_KAFKA_LIBS"]
        controller = free_port()
        self.config = self.home / "server.properties"
        self.config.write_text(
            f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={self.home / "data"}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=1048577
auto.create.topics.enable=false
"""
        )
        cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "--config", str(self.config)]
        subprocess.run([*self._java(), *tool, "--cluster-id", cluster], check=True, capture_output=True)

    def _java(self) -> list[str]:
        return ["java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self.libs}/*"]

    def command(self) -> list[str]:
        return [*self._java(), "kafka.Kafka", str(self.config)]
