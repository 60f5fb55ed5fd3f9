"""Every way the cluster can fail to start, drawn as one tree.

::

    ClusterError
    ├── ToolMissing             Java, Maven or OpenSSL is not installed
    ├── JarsUnavailable         Maven could not fetch the server
    ├── LayoutUnfit             what was asked for cannot be built
    ├── FormatFailed            the data directory could not be prepared
    ├── RulesRefused            the cluster did not take access rules
    └── NodeFailed              a node ended, or did not become ready in time
"""

from pathlib import Path


class ClusterError(Exception):
    """The Apache Kafka cluster could not be started."""


class ToolMissing(ClusterError):
    """A program that the cluster needs is not installed. Install the named package and try again."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"Apache Kafka needs the program {program}. Install it: apt-get install {package}")


class JarsUnavailable(ClusterError):
    """Maven could not fetch the server. Look at its words, and at the network or the proxy settings of Maven."""

    def __init__(self, words: str) -> None:
        super().__init__(
            "Maven could not fetch Apache Kafka. Check the network and Maven's settings, then try again."
            f" Maven said: {words.strip()[-2000:]}"
        )


class LayoutUnfit(ClusterError):
    """What was asked for cannot be built. The message names the argument to change."""


class FormatFailed(ClusterError):
    """The data directory could not be prepared. Remove it, or name another one, and try again."""

    def __init__(self, directory: Path, words: str) -> None:
        super().__init__(
            f"The data directory {directory} could not be prepared. Remove it or name another one with --data."
            f" Apache Kafka said: {words.strip()[-2000:]}"
        )


class NodeFailed(ClusterError):
    """A node ended, or did not become ready in time. Read the end of its log, which the message shows."""

    def __init__(self, what: str, log: Path) -> None:
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        super().__init__(f"{what}. The end of {log}:\n{tail}")


class RulesRefused(ClusterError):
    """The cluster did not take access rules. Connect as its administrator, and check that it has an authorizer."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__(f"Apache Kafka did not take the access rules ({', '.join(errors)}). Connect as the admin.")
