"""Topics: their partitions, their settings, and what is refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.protocol.admin import (
    CreateTopicsRequest,
    CreateTopicsResponse,
    DescribeConfigsRequest,
    DescribeConfigsResponse,
)
from kafka.protocol.metadata import MetadataRequest, MetadataResponse

from tests.contract.reading import until
from tests.engines import Engine
from tests.engines.wire import Wire, batch

UNKNOWN_TOPIC, TOPIC_EXISTS = 3, 36
INVALID_TOPIC, INVALID_PARTITIONS, INVALID_REPLICATION, INVALID_CONFIG = 17, 37, 38, 40


def settings_of(wire: Wire, topic: str) -> dict[str, str]:
    wanted = DescribeConfigsRequest.DescribeConfigsResource(
        resource_type=2, resource_name=topic, configuration_keys=None
    )
    answer = wire.call(DescribeConfigsRequest(version=3, resources=[wanted]), DescribeConfigsResponse)
    assert answer.results[0].error_code == 0
    return {row.name: row.value for row in answer.results[0].configs}


def create(wire: Wire, name: str, partitions: int = 1, replication: int = 1, **settings: str) -> int:
    topic = CreateTopicsRequest.CreatableTopic
    wanted = topic(
        name=name,
        num_partitions=partitions,
        replication_factor=replication,
        assignments=[],
        configs=[topic.CreatableTopicConfig(name=k.replace("_", "."), value=v) for k, v in settings.items()],
    )
    request = CreateTopicsRequest(version=4, topics=[wanted], timeout_ms=10_000, validate_only=False)
    return int(wire.call(request, CreateTopicsResponse).topics[0].error_code)


def test_a_topic_has_the_partitions_it_was_declared_with(admin: KafkaAdminClient) -> None:
    name = f"declared-{uuid.uuid4().hex}"
    # Apache Kafka describes a topic a moment after it was created.
    admin.create_topics({name: {"num_partitions": 7, "replication_factor": 1}}, wait_for_metadata=True)

    described = admin.describe_topics([name])[0]

    assert sorted(part["partition_index"] for part in described["partitions"]) == list(range(7))


def test_asking_for_a_topic_does_not_make_it(admin: KafkaAdminClient, wire: Wire) -> None:
    name = f"never-made-{uuid.uuid4().hex}"
    request = MetadataRequest(
        version=8, topics=[MetadataRequest.MetadataRequestTopic(name=name)], allow_auto_topic_creation=True
    )

    answer = wire.call(request, MetadataResponse)

    assert answer.topics[0].error_code == UNKNOWN_TOPIC
    assert name not in admin.list_topics()


def test_a_topic_cannot_be_made_twice(admin: KafkaAdminClient, make_topic: Callable[..., str]) -> None:
    name = make_topic()

    with pytest.raises(kafka_errors.TopicAlreadyExistsError):
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})


def test_validating_a_topic_does_not_make_it(admin: KafkaAdminClient) -> None:
    name = f"only-checked-{uuid.uuid4().hex}"

    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, validate_only=True)

    assert name not in admin.list_topics()


def test_impossible_topics_are_refused_each_with_its_own_code(wire: Wire) -> None:
    name = f"impossible-{uuid.uuid4().hex}"

    assert create(wire, "not a name") == INVALID_TOPIC
    assert create(wire, "..") == INVALID_TOPIC
    assert create(wire, name, partitions=0) == INVALID_PARTITIONS
    assert create(wire, name, replication=3) == INVALID_REPLICATION
    assert create(wire, name, no_such_setting="1") == INVALID_CONFIG
    assert create(wire, name, retention_ms="soon") == INVALID_CONFIG
    assert create(wire, name, cleanup_policy="shred") == INVALID_CONFIG
    assert create(wire, name) == 0


def test_a_deleted_topic_is_gone_and_its_name_is_free_again(
    admin: KafkaAdminClient, wire: Wire, make_topic: Callable[..., str]
) -> None:
    name = make_topic(2)
    assert wire.produce(name, batch((b"k", b"old"))).error_code == 0

    admin.delete_topics([name])

    assert name not in admin.list_topics()
    assert wire.produce(name, batch((b"k", b"lost"))).error_code == UNKNOWN_TOPIC
    assert create(wire, name) == 0
    assert until(lambda: wire.is_ready(name, 1))
    assert wire.produce(name, batch((b"k", b"new"))).base_offset == 0


def test_deleting_a_topic_that_is_not_there_is_refused(admin: KafkaAdminClient) -> None:
    with pytest.raises(kafka_errors.UnknownTopicOrPartitionError):
        admin.delete_topics([f"nowhere-{uuid.uuid4().hex}"])


def test_a_topic_can_get_more_partitions_but_not_fewer(
    admin: KafkaAdminClient, wire: Wire, make_topic: Callable[..., str]
) -> None:
    name = make_topic(2)
    assert wire.produce(name, batch((b"k", b"v")), 1).base_offset == 0

    admin.create_partitions({name: 5})

    assert len(admin.describe_topics([name])[0]["partitions"]) == 5
    assert until(lambda: wire.is_ready(name, 5))
    assert wire.produce(name, batch((b"k", b"v")), 1).base_offset == 1
    assert wire.produce(name, batch((b"k", b"v")), 4).base_offset == 0
    with pytest.raises(kafka_errors.InvalidPartitionsError):
        admin.create_partitions({name: 3})


def test_settings_are_shown_with_their_defaults_and_can_be_changed(
    admin: KafkaAdminClient, wire: Wire, make_topic: Callable[..., str]
) -> None:
    name = make_topic(1, cleanup_policy="compact", retention_ms=1000)
    shown = settings_of(wire, name)
    assert shown["cleanup.policy"] == "compact"
    assert shown["retention.ms"] == "1000"
    assert int(shown["max.message.bytes"]) >= 1_000_000

    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "5000"})])
    changed = settings_of(wire, name)
    admin.reset_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"cleanup.policy": None})])
    reset = settings_of(wire, name)

    assert (changed["retention.ms"], changed["cleanup.policy"]) == ("5000", "compact")
    assert (reset["retention.ms"], reset["cleanup.policy"]) == ("5000", "delete")


def test_the_older_way_of_changing_settings_replaces_them_all(
    admin: KafkaAdminClient, wire: Wire, make_topic: Callable[..., str]
) -> None:
    name = make_topic(1, cleanup_policy="compact", retention_ms=1000)

    change = [ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "7000"})]
    admin.alter_configs(change, incremental=False)

    assert settings_of(wire, name)["retention.ms"] == "7000"


def test_the_cluster_describes_itself(admin: KafkaAdminClient, engine: Engine) -> None:
    cluster = admin.describe_cluster()

    assert cluster["cluster_id"]
    brokers = {(node["host"], node["port"]) for node in cluster["brokers"]}
    assert engine.address in brokers


def test_many_partitions_are_listed_and_written_and_read(
    engine: Engine, wire: Wire, make_topic: Callable[..., str]
) -> None:
    name = make_topic(200)
    for number in range(200):
        assert wire.produce(name, batch((b"k", b"%d" % number)), number).error_code == 0

    with_all = KafkaConsumer(
        name, bootstrap_servers=engine.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=5_000
    )
    values = set()
    for message in with_all:
        values.add(message.value)
        if len(values) == 200:
            break
    with_all.close()

    assert values == {b"%d" % number for number in range(200)}
