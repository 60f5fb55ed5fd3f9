"""Where the log is, and under which names this process speaks to it."""

from pathlib import Path
from typing import Any

import msgspec

from bopis.topics.plans import TopicPlan


class Security(msgspec.Struct, frozen=True, kw_only=True):
    """How to speak to a log that is not on this machine. The default is plain text on the loopback."""

    protocol: str = "PLAINTEXT"
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = ""
    ca_file: Path | None = None


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
        """The connection as keyword arguments of an aiokafka client."""
        from aiokafka.helpers import create_ssl_context

        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security.protocol,
        }
        if self.security.protocol.endswith("SSL"):
            ca_file = None if self.security.ca_file is None else str(self.security.ca_file)
            options["ssl_context"] = create_ssl_context(cafile=ca_file)
        if self.security.sasl_mechanism:
            options["sasl_mechanism"] = self.security.sasl_mechanism
            options["sasl_plain_username"] = self.security.sasl_username
            options["sasl_plain_password"] = self.security.sasl_password
        return options
