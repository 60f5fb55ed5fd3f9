"""The time of a record: the writer's while a topic says so, the log's from the moment it is told otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from tests.contract.reading import read_all, until
from tests.engines.wire import Wire, batch

LONG_AGO_MS = 1_500_000_000_000


def test_a_topic_that_is_switched_to_the_logs_time_keeps_the_times_that_it_has(
    admin: KafkaAdminClient, wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(1, message_timestamp_type="CreateTime", cleanup_policy="delete")
    wire.produce(topic, batch((b"k", b"old"), timestamp_ms=LONG_AGO_MS))
    before_ms = int(time.time() * 1000) - 1_000
    settings = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact"}

    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])

    def is_dated_by_the_log() -> bool:
        """A log may take a setting some time after it acknowledged it (Apache Kafka does)."""
        wire.produce(topic, batch((b"l", b"new"), timestamp_ms=LONG_AGO_MS))
        return read_all(wire, topic)[-1].timestamp >= before_ms

    assert until(is_dated_by_the_log)
    assert read_all(wire, topic)[0].timestamp == LONG_AGO_MS


def test_times_of_a_writer_may_run_backwards(wire: Wire, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1, message_timestamp_type="CreateTime")

    for timestamp_ms in (LONG_AGO_MS, LONG_AGO_MS - 5, LONG_AGO_MS + 5):
        assert wire.produce(topic, batch((b"k", b"v"), timestamp_ms=timestamp_ms)).error_code == 0

    assert [it.timestamp for it in read_all(wire, topic)] == [LONG_AGO_MS, LONG_AGO_MS - 5, LONG_AGO_MS + 5]
