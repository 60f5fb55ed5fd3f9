"""Describing, creating, altering and deleting topics with kafka-python. Topics are named in full here."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from bopis.adapters.admin import LogAdmin
from bopis.adapters.client_errors import SEE_SETTINGS, named, translate
from bopis.adapters.errors import AccessDenied, SettingRefused
from bopis.topics.plans import TopicPlan, TopicState

DELETED_SECONDS_MAX = 30.0
DELETED_POLL_SECONDS = 0.2
DESCRIBED_SECONDS_MAX = 3.0
DESCRIBED_POLL_SECONDS = 0.1
_INVALID = (
    kafka_errors.InvalidConfigurationError,
    kafka_errors.InvalidReplicationFactorError,
    kafka_errors.InvalidPartitionsError,
    kafka_errors.InvalidTopicError,
)


class TopicKeeper:
    """Manages topics over the connection of a `LogAdmin`."""

    def __init__(self, admin: LogAdmin) -> None:
        self._client = admin._client

    def states(self, names: Iterable[str]) -> dict[str, TopicState]:
        """The state of the named topics. Topics that do not exist are omitted.

        A node of Apache Kafka lists a new topic a moment before it can describe it, so a topic without partitions or
        settings is described again. Raises `AccessDenied` if its settings stay hidden.
        """
        named_topics = set(names)
        give_up = time.monotonic() + DESCRIBED_SECONDS_MAX
        while True:
            try:
                described, settings = self._described(named_topics)
            except kafka_errors.KafkaError as error:
                raise translate(error, "(all)", SEE_SETTINGS) from error
            incomplete = {name for name, it in described.items() if not it["partitions"] or not settings.get(name)}
            if not incomplete:
                break
            if time.monotonic() >= give_up:
                # kafka-python drops the log's refusal and returns no settings; every topic has some.
                raise AccessDenied(right=f"{SEE_SETTINGS} on topic {min(incomplete)}")
            time.sleep(DESCRIBED_POLL_SECONDS)
        return {
            name: TopicState(
                partitions=len(it["partitions"]),
                replication_factor=min(len(part["replica_nodes"]) for part in it["partitions"]),
                settings={key: str(value.get("value")) for key, value in settings[name].items()},
            )
            for name, it in described.items()
        }

    def _described(self, names: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Partitions and settings by topic."""
        # All topics are described: a broker with auto.create.topics.enable would create a topic described by name.
        described = {it["name"]: it for it in self._client.describe_topics() if it["name"] in names}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(described)]
        configs = self._client.describe_configs(resources, False, "all") if resources else {}
        return described, {name: found for by_name in configs.values() for name, found in by_name.items()}

    def create(self, plans: Iterable[TopicPlan], other: Mapping[str, str] | None = None) -> None:
        """Create topics as planned; `other` overrides planned settings. A topic that exists stays as it is.

        Raises `SettingRefused`, or `AccessDenied` without the right to create topics.
        """
        for plan in plans:
            config = {**plan.config(), **(other or {})}
            spec = {"num_partitions": plan.partitions, "replication_factor": plan.replication_factor, "configs": config}
            try:
                self._client.create_topics({plan.name: spec}, wait_for_metadata=True)
            except kafka_errors.TopicAlreadyExistsError:
                continue
            except kafka_errors.KafkaError as error:
                if isinstance(error, _INVALID):
                    raise SettingRefused(topic=plan.name, cause=named(error)) from error
                raise translate(error, plan.name, f"CREATE on topic {plan.name}") from error

    def delete(self, names: Iterable[str]) -> None:
        """Delete topics with all their records, and wait until they are gone."""
        topics = list(names)
        if not topics:
            return
        try:
            self._client.delete_topics(topics)
        except kafka_errors.KafkaError as error:
            raise translate(error, topics[0], "DELETE on the topics") from error
        give_up = time.monotonic() + DELETED_SECONDS_MAX
        while self.states(topics) and time.monotonic() < give_up:
            time.sleep(DELETED_POLL_SECONDS)

    def alter(self, name: str, settings: Mapping[str, str]) -> None:
        """Change settings of a topic; the others stay as they are. Raises `SettingRefused` or `AccessDenied`."""
        resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(settings))
        try:
            response = self._client.alter_configs([resource], raise_on_unknown=False)
        except kafka_errors.KafkaError as error:
            raise translate(error, name, f"ALTER_CONFIGS on topic {name}") from error
        # kafka-python returns the log's refusal as text, and "OK" for a change.
        result = str(response["topic"][name])
        if "AuthorizationFailed" in result:
            raise AccessDenied(right=f"ALTER_CONFIGS on topic {name}")
        if result != "OK":
            raise SettingRefused(topic=name, cause=result)
