"""Apache Kafka on this machine, of one or three nodes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kafka.protocol.metadata import FindCoordinatorRequest, FindCoordinatorResponse

from deploy.kafka.cluster import Cluster
from deploy.kafka.properties import Layout
from tests.engines.wire import Wire

# Background work comes often, so that a test sees it within a second.
QUICK = {
    "log.initial.task.delay.ms": "100",
    "log.retention.check.interval.ms": "200",
    "log.cleaner.backoff.ms": "100",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "group.consumer.min.session.timeout.ms": "1000",
}
GROUP, NAMED_PRODUCER = 0, 1
READY_SECONDS_MAX = 60.0


class KafkaEngine:
    """A cluster of the deploy directory's own."""

    # A segment of its own for every batch or so: Apache Kafka forgets and compacts whole closed segments.
    small_steps: Mapping[str, str] = {"segment.ms": "50"}

    def __init__(self, directory: Path, layout: Layout | None = None) -> None:
        asked = layout or Layout()
        self.name = "kafka" if asked.nodes == 1 else f"kafka-{asked.nodes}"
        self.cluster = Cluster(directory, replace(asked, settings=QUICK | dict(asked.settings)))
        self.processes = asked.nodes

    @property
    def bootstrap(self) -> str:
        return self.cluster.bootstrap

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.cluster.ports[1].client

    def start(self) -> None:
        self.cluster.start()
        self._wait_for_coordinators()

    def stop(self) -> int:
        self.cluster.stop()
        return 0

    def kill(self, process: int = 0) -> None:
        self.cluster.kill_node(process + 1)

    def restart(self) -> None:
        self.stop()
        self.start()

    def suspend(self, process: int = 0) -> None:
        self.cluster.suspend_node(process + 1)

    def resume(self, process: int = 0) -> None:
        self.cluster.resume_node(process + 1)

    def freeze(self, seconds: float) -> None:
        for process in range(self.processes):
            self.suspend(process)
        time.sleep(seconds)
        for process in range(self.processes):
            self.resume(process)

    def _wait_for_coordinators(self) -> None:
        """Groups and named producers are kept in topics that are made, or read again, after the first question."""
        end = time.monotonic() + READY_SECONDS_MAX
        with Wire(self.address) as wire:
            for kind in (GROUP, NAMED_PRODUCER):
                request = FindCoordinatorRequest(version=2, key="anybody", key_type=kind)
                while wire.call(request, FindCoordinatorResponse).error_code != 0:
                    assert time.monotonic() < end, "no coordinator"
                    time.sleep(0.05)
