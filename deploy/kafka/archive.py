"""An archive of the server's classes (class data sharing of the JVM), made once: with it a node starts with 40 % less
processor time. A JVM or jars of another version ignore it."""

import fcntl
import sys
import tempfile
from pathlib import Path

from deploy.kafka import jars
from deploy.kafka.cluster import Cluster
from deploy.kafka.properties import Layout


def ensure() -> Path:
    """The archive, made if it is absent: a node is started and stopped for it. Raises the errors of a start."""
    jars.fetch()
    with (jars.HERE / ".archiving").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not jars.ARCHIVE.exists():
            with tempfile.TemporaryDirectory() as home:
                cluster = Cluster(Path(home), Layout(), archive=jars.ARCHIVE)
                cluster.start()
                cluster.stop()
    return jars.ARCHIVE


if __name__ == "__main__":
    # Where Java or Maven is missing, tests of Apache Kafka are skipped and say what to install.
    if jars.missing() is None:
        print(ensure(), file=sys.stderr)
