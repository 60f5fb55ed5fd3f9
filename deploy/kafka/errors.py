"""Errors of a cluster.

::

    ClusterError
    ├── ToolMissing             Java, Maven or OpenSSL is not installed
    ├── JarsUnavailable         Maven could not fetch the server
    ├── LayoutUnfit             the options do not fit together, or the directory
    ├── FormatFailed            the data directory could not be prepared
    ├── RulesRefused            the cluster rejected access rules
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
    """Maven could not fetch the server. Read its output, and check the network and the proxy settings of Maven."""

    def __init__(self, output: str) -> None:
        super().__init__(
            "Maven could not fetch Apache Kafka. Check the network and Maven's settings, then try again."
            f" Maven printed: {output.strip()[-2000:]}"
        )


class LayoutUnfit(ClusterError):
    """The options contradict each other or the data directory. The message names the argument to change."""


class FormatFailed(ClusterError):
    """The data directory could not be prepared. Remove it, or name another one, and try again."""

    def __init__(self, directory: Path, output: str) -> None:
        super().__init__(
            f"The data directory {directory} could not be prepared. Remove it or name another one with --data."
            f" Apache Kafka printed: {output.strip()[-2000:]}"
        )


class NodeFailed(ClusterError):
    """A node ended, or did not become ready in time. Read the end of its log, which the message shows."""

    def __init__(self, problem: str, log: Path) -> None:
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        super().__init__(f"{problem}. The end of {log}:\n{tail}")


class RulesRefused(ClusterError):
    """The cluster rejected access rules. Connect as its administrator, and check that it has an authorizer."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__(f"Apache Kafka rejected the access rules ({', '.join(errors)}). Connect as the admin.")
