"""Topics, topic settings and consumer groups of the log, read with kafka-python."""

import time
from typing import Any

import msgspec
from kafka import KafkaAdminClient
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from bopis.adapters.client_errors import SEE, SEE_GROUP, SEE_SETTINGS, connection_failure, translate
from bopis.adapters.errors import AccessDenied
from bopis.adapters.publisher import bootstrap_ms
from bopis.names import topics_text

ATTEMPTS_MAX = 10
RETRY_PAUSE_SECONDS = 0.3
_TRANSIENT = (kafka_errors.CoordinatorNotAvailableError, kafka_errors.CoordinatorLoadInProgressError)


class TopicFacts(msgspec.Struct, frozen=True):
    """A topic's name, without the prefix, and its number of partitions."""

    name: str
    partitions: int


class Setting(msgspec.Struct, frozen=True):
    """One setting of a topic; `own` if it was set for this topic and is not the log's default."""

    name: str
    value: str
    own: bool


class GroupFacts(msgspec.Struct, frozen=True):
    """A consumer group: its state as Apache Kafka names it, its members, and how many partitions they have."""

    name: str
    state: str
    members: int
    partitions: int


class LogAdmin:
    """Topics and groups are named without the prefix, in arguments and results."""

    def __init__(self, bootstrap: str, prefix: str, *, timeout_seconds: float = 30.0, **options: Any) -> None:
        self._prefix = prefix
        try:
            self._client = KafkaAdminClient(
                bootstrap_servers=bootstrap.split(","),
                client_id="bopis",
                bootstrap_timeout_ms=bootstrap_ms(timeout_seconds),
                **options,
            )
        except kafka_errors.KafkaError as error:
            raise connection_failure(bootstrap, error, options) from error

    def topics(self) -> list[TopicFacts]:
        """The topics of this installation: those that begin with its prefix."""
        described = self._request(SEE, self._client.describe_topics)
        return sorted(
            (
                TopicFacts(it["name"].removeprefix(self._prefix), len(it["partitions"]))
                for it in described
                if it["name"].startswith(self._prefix) and not it["name"].startswith("__")
            ),
            key=lambda it: it.name,
        )

    def settings(self, topics: list[str]) -> dict[str, list[Setting]]:
        """Every setting of the topics, by topic. Raises `AccessDenied`."""
        resources = [ConfigResource(ConfigResourceType.TOPIC, self._prefix + topic) for topic in topics]
        described = self._request(SEE_SETTINGS, self._client.describe_configs, resources, False, "all")
        by_topic = {name: settings for by_name in described.values() for name, settings in by_name.items()}
        # kafka-python drops the log's refusal and returns no settings; every topic has some.
        refused = sorted(name for name, settings in by_topic.items() if not settings)
        if refused:
            raise AccessDenied(right=f"{SEE_SETTINGS} on {topics_text(refused)}")
        return {
            name.removeprefix(self._prefix): [_setting(key, it) for key, it in sorted(settings.items())]
            for name, settings in by_topic.items()
        }

    def groups(self, names: list[str]) -> dict[str, GroupFacts]:
        """The named groups; one that does not exist has the state Dead. Raises `AccessDenied`."""
        full = [self._prefix + name for name in names]
        described = self._request(f"{SEE_GROUP} on group {', '.join(full)}", self._client.describe_groups, full)
        for name, group in described.items():
            if "AuthorizationFailed" in (group.get("error") or ""):
                raise AccessDenied(right=f"{SEE_GROUP} on group {name}")
        return {name: _group(name, described.get(self._prefix + name) or {}) for name in names}

    def committed(self, names: list[str]) -> dict[str, dict[str, int]]:
        """The committed offsets of the named groups, as ``topic/partition``; groups without any have none."""
        found: dict[str, dict[str, int]] = {}
        for name in names:
            full = self._prefix + name
            offsets = self._request(f"{SEE_GROUP} on group {full}", self._client.list_group_offsets, full)
            by_place = offsets.get(full) or {}
            found[name] = {
                f"{it.topic.removeprefix(self._prefix)}/{it.partition}": committed.offset
                for it, committed in by_place.items()
            }
        return found

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> "LogAdmin":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, right: str, method: Any, *args: Any) -> Any:
        for attempts_left in reversed(range(ATTEMPTS_MAX)):
            try:
                return method(*args)
            except kafka_errors.KafkaError as error:
                # The first request about groups makes a new log create the topic that stores them: wait for that.
                if not attempts_left or not isinstance(error, _TRANSIENT):
                    raise translate(error, "(all)", right) from error
                time.sleep(RETRY_PAUSE_SECONDS)
        raise AssertionError("the last attempt returns or raises")


def _setting(name: str, described: dict[str, Any]) -> Setting:
    source = str(described.get("config_source", described.get("source", "")))
    return Setting(name, str(described.get("value")), "TOPIC" in source.upper())


def _group(name: str, described: dict[str, Any]) -> GroupFacts:
    members = described.get("members") or []
    partitions = 0
    for member in members:
        assigned = (member.get("member_assignment") or {}).get("assigned_partitions") or []
        partitions += sum(len(it["partitions"]) for it in assigned)
    return GroupFacts(name, str(described.get("group_state", "Dead")), len(members), partitions)
