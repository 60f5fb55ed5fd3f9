"""Looking at topics as a whole, creating and altering them, with kafka-python. Topics are named in full here."""

import time
from collections.abc import Iterable, Mapping

from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from bopis.adapters.admin import LogAdmin
from bopis.adapters.errors import RightMissing, SettingRefused
from bopis.adapters.refusals import SEE_SETTINGS, named, translate
from bopis.topics.plans import TopicPlan, TopicState

GONE_SECONDS_MAX = 30.0
GONE_LOOK_SECONDS = 0.2
_UNFIT = (
    kafka_errors.InvalidConfigurationError,
    kafka_errors.InvalidReplicationFactorError,
    kafka_errors.InvalidPartitionsError,
    kafka_errors.InvalidTopicError,
)


class TopicKeeper:
    """What may be done to topics, over the connection of a `LogAdmin`."""

    def __init__(self, admin: LogAdmin) -> None:
        self._client = admin._client

    def states(self, names: Iterable[str]) -> dict[str, TopicState]:
        """How the named topics are; those that are absent are left out."""
        wanted = set(names)
        try:
            # All are asked for, because asking for one by name may create it where the log does so.
            described = {it["name"]: it for it in self._client.describe_topics() if it["name"] in wanted}
            resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(described)]
            told = self._client.describe_configs(resources, False, "all") if resources else {}
        except kafka_errors.KafkaError as error:
            raise translate(error, "(all)", SEE_SETTINGS) from error
        settings = {name: found for by_name in told.values() for name, found in by_name.items()}
        for name in described:
            if not settings.get(name):  # the library drops the log's refusal; a topic has always some
                raise RightMissing(right=f"{SEE_SETTINGS} on topic {name}")
        return {
            name: TopicState(
                partitions=len(it["partitions"]),
                replication_factor=min(len(part["replica_nodes"]) for part in it["partitions"]),
                settings={key: str(value.get("value")) for key, value in settings.get(name, {}).items()},
            )
            for name, it in described.items()
        }

    def create(self, plans: Iterable[TopicPlan], other: Mapping[str, str] | None = None) -> None:
        """Create topics as planned, with `other` settings in place of planned ones; what is there stays as it is."""
        for plan in plans:
            config = {**plan.config(), **(other or {})}
            wanted = {"num_partitions": plan.partitions, "replication_factor": plan.replication_factor}
            try:
                self._client.create_topics({plan.name: {**wanted, "configs": config}}, wait_for_metadata=True)
            except kafka_errors.TopicAlreadyExistsError:
                continue
            except kafka_errors.KafkaError as error:
                if isinstance(error, _UNFIT):
                    raise SettingRefused(topic=plan.name, cause=named(error)) from error
                raise translate(error, plan.name, f"CREATE on topic {plan.name}") from error

    def delete(self, names: Iterable[str]) -> None:
        """Delete topics with all that they hold, and wait until they are gone."""
        wanted = list(names)
        if not wanted:
            return
        try:
            self._client.delete_topics(wanted)
        except kafka_errors.KafkaError as error:
            raise translate(error, wanted[0], "DELETE on the topics") from error
        give_up = time.monotonic() + GONE_SECONDS_MAX
        while self.states(wanted) and time.monotonic() < give_up:
            time.sleep(GONE_LOOK_SECONDS)

    def alter(self, name: str, settings: Mapping[str, str]) -> None:
        """Give a topic these settings; its others stay as they are."""
        resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(settings))
        try:
            answer = self._client.alter_configs([resource], raise_on_unknown=False)
        except kafka_errors.KafkaError as error:
            raise translate(error, name, f"ALTER_CONFIGS on topic {name}") from error
        # The library tells the log's refusal as a text.
        told = str(answer["topic"][name])
        if "AuthorizationFailed" in told:
            raise RightMissing(right=f"ALTER_CONFIGS on topic {name}")
        if told != "OK":
            raise SettingRefused(topic=name, cause=told)
