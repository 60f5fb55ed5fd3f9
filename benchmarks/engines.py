"""The log of a benchmark: the embedded log or one node of Apache Kafka, in a directory of its own."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.embedded import Log, embedded_log

ENGINES = ("embedded", "kafka")


def add_engine_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that selects the log."""
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="the log; kafka needs Java and Maven")


def running_log(engine: str) -> AbstractContextManager[Log]:
    """A context that starts a log of this engine and stops it at the end."""
    return _kafka_log() if engine == "kafka" else embedded_log()


@contextmanager
def _kafka_log() -> Iterator[Log]:
    from deploy.kafka.cluster import Cluster

    with tempfile.TemporaryDirectory(prefix="bopis-bench-") as folder, Cluster(Path(folder) / "kafka") as cluster:
        yield Log(Path(folder), cluster.bootstrap)
