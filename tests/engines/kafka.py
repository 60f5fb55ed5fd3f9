"""Apache Kafka on this machine, of one or three nodes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from kafka.protocol.consumer import HeartbeatRequest, HeartbeatResponse
from kafka.protocol.metadata import FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse
from kafka.protocol.producer import InitProducerIdRequest, InitProducerIdResponse

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
}
# A single node that was killed comes back only after the session of its former life; three nodes need more patience,
# or a slow machine takes one of them for dead.
ALONE = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"}
GROUP, NAMED_PRODUCER = 0, 1
UNKNOWN_MEMBER = 25
READY_SECONDS_MAX = 240.0


class KafkaEngine:
    """A cluster of the deploy directory's own."""

    # Apache Kafka forgets and compacts whole closed segments: so little makes one, or a second between two records.
    small_steps: Mapping[str, str] = {"internal.segment.bytes": "400", "segment.ms": "1000"}

    def __init__(self, directory: Path, layout: Layout | None = None) -> None:
        asked = layout or Layout()
        self.name = "kafka" if asked.nodes == 1 else f"kafka-{asked.nodes}"
        self.cluster = Cluster(
            directory, replace(asked, settings=QUICK | (ALONE if asked.nodes == 1 else {}) | dict(asked.settings))
        )
        self.processes = asked.nodes

    @property
    def bootstrap(self) -> str:
        return self.cluster.bootstrap

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.cluster.ports[1].client

    def start(self) -> None:
        self.cluster.start()
        self._wait_until_served()

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

    def _wait_until_served(self) -> None:
        """Leaders and coordinators come some time after the nodes: topics are made, or read again."""
        end = time.monotonic() + READY_SECONDS_MAX
        questions = [self._partitions_are_led]
        questions += [partial(self._coordinates, kind) for kind in (GROUP, NAMED_PRODUCER)]
        if self.processes == 1:
            questions += [self._serves_groups, partial(self._names_producers, "nobody")]
            questions += [partial(self._names_producers, None)]
        for question in questions:
            with Wire(self.address) as wire:
                while not question(wire):
                    assert time.monotonic() < end, f"not after {READY_SECONDS_MAX} s: {question}"
                    time.sleep(0.05)

    def _partitions_are_led(self, wire: Wire) -> bool:
        answer = wire.call(MetadataRequest(version=8, topics=None), MetadataResponse)
        if any(part.error_code for topic in answer.topics for part in topic.partitions):
            return False
        return self.processes > 1 or all(wire.is_ready(topic.name, len(topic.partitions)) for topic in answer.topics)

    def _coordinates(self, kind: int, wire: Wire) -> bool:
        request = FindCoordinatorRequest(version=2, key="nobody", key_type=kind)
        return bool(wire.call(request, FindCoordinatorResponse).error_code == 0)

    def _serves_groups(self, wire: Wire) -> bool:
        request = HeartbeatRequest(version=3, group_id="nobodys", generation_id=1, member_id="nobody")
        return bool(wire.call(request, HeartbeatResponse).error_code == UNKNOWN_MEMBER)

    def _names_producers(self, name: str | None, wire: Wire) -> bool:
        request = InitProducerIdRequest(version=1, transactional_id=name, transaction_timeout_ms=60_000)
        return bool(wire.call(request, InitProducerIdResponse).error_code == 0)
