"""Where the log is, and under which names a worker connects to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bopis.adapters.security import Security
from bopis.topics.plans import TopicPlan
from streams.clock import system_ms
from streams.engine import aiokafka_internals  # noqa: F401  (repairs every client made from the options below)


class LogConnection(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's connection to the log. Every topic and group name begins with `prefix`.

    `plans` are the topics as they must be, by full name; one that is not among them is planned by its processor.
    `instance` names this worker among those of its group. A named worker that dies and is started again gets its
    partitions at once; an unnamed one waits until the session of its predecessor has timed out.
    `now_ms` dates the records that the worker writes, and decides which deadlines have come.
    """

    bootstrap: str
    prefix: str
    partitions: int
    data_dir: Path
    instance: str = ""
    plans: tuple[TopicPlan, ...] = ()
    security: Security = Security()
    now_ms: Callable[[], int] = system_ms

    def topic(self, name: str) -> str:
        """The full name of a topic."""
        return self.prefix + name

    def group(self, name: str) -> str:
        """The full name of a processor's consumer group."""
        return self.prefix + name

    def client_options(self) -> dict[str, Any]:
        """The connection as keyword arguments of an aiokafka client. Raises `SecurityFileInvalid`."""
        return {"bootstrap_servers": self.bootstrap, **self.security.client_options()}
