"""One node of a cluster: a Java process with its properties, its disk and its log."""

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bopis.adapters.supervision import end_with_parent
from deploy.kafka import jars
from deploy.kafka.errors import FormatFailed

STOP_SECONDS_MAX = 30.0
FORMAT_SECONDS_MAX = 120.0
# Linux ends a child with the thread that started it, so one thread that lives as long as the program starts them all.
STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka-starter")


class Node:
    """A node that is started, stopped, killed and paused as one process. `number` counts from 1."""

    def __init__(self, number: int, home: Path, heap_mib: int, archive: Path | None = None) -> None:
        """With `archive` the node writes its classes there when it stops."""
        self.number = number
        self.home = home
        self.heap_mib = heap_mib
        self._archive = archive
        self.properties = home / f"node-{number}.properties"
        self.log = home / f"node-{number}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id; None while the node is down."""
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        """Whether its process exists, paused or not."""
        return self._process is not None and self._process.poll() is None

    def format(self, cluster_id: str, extra: list[str]) -> None:
        """Format its data directory; a formatted one stays as it is. Raises FormatFailed."""
        command = [*self._java(), "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        command += ["--config", str(self.properties), "--cluster-id", cluster_id, *extra]
        done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_SECONDS_MAX)
        if done.returncode != 0:
            raise FormatFailed(self.home, done.stdout + done.stderr)

    def start(self) -> None:
        """Start the process unless it runs. It is ready some seconds later."""
        if self.running:
            return
        self._process = STARTER.submit(self._spawn).result()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as sink:
            return subprocess.Popen(
                [*self._java(self._archive), "kafka.Kafka", str(self.properties)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=self.home,
                # An interrupt at a terminal goes to the starter alone, which then stops the nodes in order.
                start_new_session=True,
                # When a test run is killed, its servers end too.
                preexec_fn=end_with_parent(signal.SIGKILL),
            )

    def ask_to_stop(self) -> None:
        """Begin a clean stop; `stop` waits for it."""
        if self.running:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)

    def stop(self) -> None:
        """Stop cleanly, by force after `STOP_SECONDS_MAX`."""
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def kill(self) -> None:
        """Kill the process, paused or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        """Send a signal to the process if it runs."""
        if self._process is not None and self.running:
            os.kill(self._process.pid, number)

    def _java(self, archive: Path | None = None) -> list[str]:
        # The first compiler alone and one collector thread: a small server starts in a second and stays small.
        memory = [f"-Xms{min(self.heap_mib, 128)}m", f"-Xmx{self.heap_mib}m"]
        frugal = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return [jars.program("java"), *memory, *frugal, *_sharing(archive), "-cp", f"{jars.LIBS}/*"]


def _sharing(archive: Path | None) -> list[str]:
    """Options to write the archive of classes, or to use the one that is there."""
    if archive is not None:
        return [f"-XX:ArchiveClassesAtExit={archive}"]
    return [f"-XX:SharedArchiveFile={jars.ARCHIVE}", "-Xshare:auto"] if jars.ARCHIVE.exists() else []
