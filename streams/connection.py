"""Where the log is, and under which names this process speaks to it."""

from pathlib import Path
from typing import Any

import msgspec

from bopis.adapters.security import Security
from bopis.topics.plans import TopicPlan


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's way to the log. `prefix` opens every topic and group name.

    `plans` say how topics must be, by full name; one that is not named there is planned by what a processor says.
    `instance` names this worker among those of its group. A named worker that dies and comes back gets its
    partitions at once; an unnamed one waits until the session of its predecessor has timed out.
    """

    bootstrap: str
    prefix: str
    partitions: int
    data_dir: Path
    instance: str = ""
    plans: tuple[TopicPlan, ...] = ()
    security: Security = Security()

    def topic(self, name: str) -> str:
        return self.prefix + name

    def group(self, name: str) -> str:
        return self.prefix + name

    def client_options(self) -> dict[str, Any]:
        """The connection as keyword arguments of an aiokafka client. Raises `SecurityFileBroken`."""
        return {"bootstrap_servers": self.bootstrap, **self.security.client_options()}
