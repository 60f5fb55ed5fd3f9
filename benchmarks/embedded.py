"""The embedded log for a benchmark, in a directory of its own."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

START_SECONDS_MAX = 20
DELETED_POLL_SECONDS = 0.1


class Log:
    """A running log: its directory and address, and the operations that benchmarks need."""

    def __init__(self, data_dir: Path, bootstrap: str) -> None:
        self.data_dir = data_dir
        self.bootstrap = bootstrap

    def create(self, topic: str, partitions: int) -> None:
        """Create a topic with log-append time."""
        from kafka.admin import NewTopic

        configs = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(8 << 20)}
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
        admin.close()

    def delete(self, *topics: str) -> None:
        """Delete the topics that exist, and wait until they are gone."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        found = [topic for topic in topics if topic in admin.list_topics()]
        if found:
            admin.delete_topics(found)
        # Apache Kafka replies before the topics are deleted.
        while set(found) & set(admin.list_topics()):
            time.sleep(DELETED_POLL_SECONDS)
        admin.close()

    def fill(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> int:
        """Append records of (key, value); returns their number."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=20, batch_size=1 << 18)
        count = 0
        for key, value in records:
            producer.send(topic, key=key, value=value)
            count += 1
        producer.flush()
        producer.close()
        return count


@contextmanager
def embedded_log() -> Iterator[Log]:
    """Start the embedded log on a free port, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="bopis-bench-") as folder:
        command = [sys.executable, "-m", "bopis.broker", folder, "--port", "0", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield Log(Path(folder), f"{ready['host']}:{ready['port']}")
        finally:
            process.terminate()
            process.wait(START_SECONDS_MAX)
