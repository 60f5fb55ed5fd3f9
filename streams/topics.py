"""The topics of a processor: declared if absent, checked if there."""

from typing import Any

import msgspec
import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from streams.client import LogClient, Retry
from streams.connection import Connection
from streams.dead_letters import DEAD_LETTERS
from streams.errors import TopicMismatch
from streams.limits import StreamLimits
from streams.processor import Processor

log = structlog.get_logger("streams.topics")

LOG_APPEND_TIME = "LogAppendTime"


class TopicPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a topic must be. `exact_partitions`: rows and source share partition numbers, so counts must agree."""

    name: str
    partitions: int
    cleanup: str
    bytes_max: int
    exact_partitions: bool

    def config(self) -> dict[str, str]:
        kept = {"retention.ms": "-1"} if self.cleanup == "delete" else {}
        return {
            "cleanup.policy": self.cleanup,
            "message.timestamp.type": LOG_APPEND_TIME,
            "max.message.bytes": str(self.bytes_max),
            **kept,
        }


def topic_plans(processor: Processor, connection: Connection, limits: StreamLimits) -> tuple[TopicPlan, ...]:
    """Every topic that the processor reads or writes."""

    def plan(name: str, cleanup: str, bytes_max: int, exact: bool) -> TopicPlan:
        return TopicPlan(
            name=connection.topic(name),
            partitions=connection.partitions,
            cleanup=cleanup,
            bytes_max=bytes_max,
            exact_partitions=exact,
        )

    # A processor may write to its own source, for another key: the stricter plan comes first and stays.
    others = dict.fromkeys(name for name in processor.outputs if name != processor.source)
    return (
        plan(processor.source, "delete", limits.source_bytes_max, True),
        plan(processor.changelog, "compact", limits.commit_bytes_max, True),
        *(plan(name, "delete", limits.source_bytes_max, False) for name in others),
        plan(DEAD_LETTERS, "delete", limits.dead_letter_bytes_max, False),
    )


async def ensure_topics(
    plans: tuple[TopicPlan, ...], client: LogClient, connection: Connection, limits: StreamLimits
) -> None:
    """Create what is absent and refuse what does not fit."""
    admin = AIOKafkaAdminClient(request_timeout_ms=limits.request_timeout_ms, **connection.client_options())
    await client.patiently("topics", admin.start)
    try:
        await client.patiently("topics", lambda: _create(admin, plans, limits))
        counts = await client.patiently("topics", lambda: _partition_counts(admin, plans))
        configs = await client.patiently("topics", lambda: _configs(admin, plans))
    finally:
        await admin.close()
    for plan in plans:
        _check(plan, counts[plan.name], configs.get(plan.name, {}))


async def _create(admin: Any, plans: tuple[TopicPlan, ...], limits: StreamLimits) -> None:
    present = set(await admin.list_topics())
    absent = [
        NewTopic(plan.name, plan.partitions, limits.replication_factor, topic_configs=plan.config())
        for plan in plans
        if plan.name not in present
    ]
    if not absent:
        return
    answer = await admin.create_topics(absent)
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(name)
        log.info("topic.created", topic=name)


async def _partition_counts(admin: Any, plans: tuple[TopicPlan, ...]) -> dict[str, int]:
    described = await admin.describe_topics([plan.name for plan in plans])
    for topic in described:
        if topic["error_code"]:
            raise Retry(f"topic {topic['topic']}: error {topic['error_code']}")
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


async def _configs(admin: Any, plans: tuple[TopicPlan, ...]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, plan.name) for plan in plans]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, _, _, name, entries in answer.resources:
            if code:
                raise for_code(code)(name)
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _check(plan: TopicPlan, partitions: int, config: dict[str, str]) -> None:
    if plan.exact_partitions and partitions != plan.partitions:
        raise TopicMismatch(topic=plan.name, partitions=partitions, needed=plan.partitions)
    if config.get("message.timestamp.type") != LOG_APPEND_TIME:
        raise TopicMismatch(topic=plan.name, setting="message.timestamp.type", needed=LOG_APPEND_TIME)
    compacted = "compact" in config.get("cleanup.policy", "")
    if compacted != (plan.cleanup == "compact"):
        raise TopicMismatch(topic=plan.name, setting="cleanup.policy", needed=plan.cleanup)
    if plan.cleanup == "compact" and int(config.get("max.message.bytes", "0")) < plan.bytes_max:
        raise TopicMismatch(topic=plan.name, setting="max.message.bytes", needed=plan.bytes_max)
