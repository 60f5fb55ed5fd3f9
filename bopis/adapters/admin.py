"""Looking at the log's topics and groups with kafka-python."""

import time
from typing import Any

import msgspec
from kafka import KafkaAdminClient
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from bopis.adapters.errors import RightMissing
from bopis.adapters.publisher import bootstrap_ms
from bopis.adapters.refusals import SEE, SEE_GROUP, SEE_SETTINGS, no_way_in, translate

ASK_ATTEMPTS_MAX = 10
ASK_PAUSE_SECONDS = 0.3
_PASSING = (kafka_errors.CoordinatorNotAvailableError, kafka_errors.CoordinatorLoadInProgressError)


class TopicFacts(msgspec.Struct, frozen=True):
    """A topic as the log has it."""

    name: str
    partitions: int


class Setting(msgspec.Struct, frozen=True):
    """One setting of a topic; ``own`` when it was set for this topic and is not the log's default."""

    name: str
    value: str
    own: bool


class GroupFacts(msgspec.Struct, frozen=True):
    """Who reads together under a name, and which partitions each one has."""

    name: str
    state: str
    members: int
    partitions: int


class LogAdmin:
    """Topics and groups are named without the prefix, going in and coming out."""

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
            raise no_way_in(bootstrap, error, options) from error

    def topics(self) -> list[TopicFacts]:
        """The topics of this installation: those that begin with its prefix."""
        described = self._ask(SEE, self._client.describe_topics)
        return sorted(
            (
                TopicFacts(it["name"].removeprefix(self._prefix), len(it["partitions"]))
                for it in described
                if it["name"].startswith(self._prefix) and not it["name"].startswith("__")
            ),
            key=lambda it: it.name,
        )

    def settings(self, topics: list[str]) -> dict[str, list[Setting]]:
        """Every setting of the topics."""
        resources = [ConfigResource(ConfigResourceType.TOPIC, self._prefix + topic) for topic in topics]
        described = self._ask(SEE_SETTINGS, self._client.describe_configs, resources, False, "all")
        found: dict[str, list[Setting]] = {}
        for by_name in described.values():
            for name, settings in by_name.items():
                if not settings:  # the library drops the log's refusal; a topic has always some
                    raise RightMissing(right=f"{SEE_SETTINGS} on topic {name}")
                found[name.removeprefix(self._prefix)] = [_setting(key, told) for key, told in sorted(settings.items())]
        return found

    def groups(self, names: list[str]) -> dict[str, GroupFacts]:
        """Who is in each group now."""
        full = [self._prefix + name for name in names]
        described = self._ask(f"{SEE_GROUP} on group {', '.join(full)}", self._client.describe_groups, full)
        for name, told in described.items():
            if "AuthorizationFailed" in (told.get("error") or ""):
                raise RightMissing(right=f"{SEE_GROUP} on group {name}")
        return {name: _group(name, described.get(self._prefix + name) or {}) for name in names}

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> "LogAdmin":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, right: str, question: Any, *args: Any) -> Any:
        for left in reversed(range(ASK_ATTEMPTS_MAX)):
            try:
                return question(*args)
            except kafka_errors.KafkaError as error:
                # The first question about groups makes the topic that they are kept in, which takes a moment.
                if not left or not isinstance(error, _PASSING):
                    raise translate(error, "(all)", right) from error
                time.sleep(ASK_PAUSE_SECONDS)
        raise AssertionError("the last attempt returns or raises")


def _setting(name: str, told: dict[str, Any]) -> Setting:
    source = str(told.get("config_source", told.get("source", "")))
    return Setting(name, str(told.get("value")), "TOPIC" in source.upper())


def _group(name: str, told: dict[str, Any]) -> GroupFacts:
    members = told.get("members") or []
    partitions = 0
    for member in members:
        assigned = (member.get("member_assignment") or {}).get("assigned_partitions") or []
        partitions += sum(len(it["partitions"]) for it in assigned)
    return GroupFacts(name, str(told.get("group_state", "Dead")), len(members), partitions)
