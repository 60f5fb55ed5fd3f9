"""One web process for a benchmark, with a key for it, over a log and real workers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from benchmarks.embedded import Log
from benchmarks.http.client import Connection
from benchmarks.orders_world import World
from bopis.access.keys import new_key
from bopis.access.roles import Role
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.vault import keys_url
from bopis.settings import load

START_SECONDS_MAX = 120
# Records of (key, value) by topic.
Filling = Mapping[str, list[tuple[bytes, bytes]]]


class Site(NamedTuple):
    """The web under load: where it is, a key for it, and what it sells."""

    host: str
    port: int
    key: str
    world: World
    bootstrap: str

    def connection(self) -> Connection:
        """A new connection."""
        return Connection(self.host, self.port, self.key)


@contextmanager
def serving(log: Log, prefix: str, world: World, records: Filling, database: str = "") -> Iterator[Site]:
    """The web over a log with these records, by topic, and real workers; without them over a database that is given,
    which no worker may change."""
    settings = {
        "BOPIS_DATA_DIR": str(log.data_dir),
        "BOPIS_BROKER": f"kafka://{log.bootstrap}",
        "BOPIS_TOPIC_PREFIX": prefix,
        "BOPIS_WEB_PORT": "0",
        "BOPIS_WEB_RATE": "0",
        "BOPIS_LOG_LEVEL": "warning",
        "BOPIS_DATABASE": database,
        "BOPIS_MASTER_KEY": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=",
    }
    os.environ.update(settings)
    key, record = new_key("benchmark", Role.HQ_OPERATOR)
    access = AccessTable(keys_url(load()))
    access.put_key(record)
    access.close()
    workers = [sys.executable, "-m", "streams", "worker", "inventory", "orders", "routing", "projection", "--json"]
    web = [sys.executable, "-m", "bopis.web", "--json"]
    with nullcontext() if database else _started(workers, log.data_dir / "workers.log"):
        subprocess.run([sys.executable, "-m", "cli", "topics", "create"], check=True, capture_output=True)
        for topic, filling in records.items():
            log.fill(f"{prefix}{topic}", filling)
        with _started(web, log.data_dir / "web.log") as ready:
            port = int(json.loads(ready)["url"].rpartition(":")[2])
            yield Site("127.0.0.1", port, key, world, log.bootstrap)


@contextmanager
def _started(command: list[str], output: Path) -> Iterator[str]:
    """A program that runs; its line that says that it is ready."""
    with output.open("w+") as sink:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if '"ready"' not in line:
                sink.seek(0)
                raise RuntimeError(f"{command} did not become ready:\n{sink.read()[-2000:]}")
            yield line
        finally:
            process.terminate()
            process.wait(START_SECONDS_MAX)
