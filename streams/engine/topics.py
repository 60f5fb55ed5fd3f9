"""The topics of a processor: declared if absent, checked if there."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from bopis.names import DEAD_LETTERS_TOPIC, topics_text
from bopis.topics.plans import (
    LOG_APPEND_TIME,
    TIMESTAMP_TYPE,
    Comparison,
    PlannedSetting,
    TopicPlan,
    TopicState,
    differences,
)
from streams.engine.connection import LogConnection
from streams.engine.log_client import LogClient
from streams.engine.log_refusals import REFUSALS, SEE, check
from streams.engine.processor import Processor
from streams.engine.retry import Retry
from streams.errors import TopicMismatch
from streams.limits import StreamLimits

log = structlog.get_logger("streams.engine.topics")

KEEP, COMPACT = "delete", "compact"


class TopicShape(NamedTuple):
    """A topic as its users need it; `bytes_max` is the size of its largest batch.

    `exact_partitions`: the topic is keyed, so another number of partitions would move keys away from their rows.
    """

    name: str
    cleanup: str
    bytes_max: int
    exact_partitions: bool


def topic_plans(
    processor: Processor, connection: LogConnection, limits: StreamLimits, fed: Iterable[str] = ()
) -> tuple[TopicPlan, ...]:
    """Every topic that the processor reads or writes, and the compacted ones that its partitions are `fed` from."""
    # A processor may write to its own source, for another key: the stricter plan comes first and stays.
    others = dict.fromkeys(name for name in processor.outputs if name != processor.source)
    shapes = (
        TopicShape(processor.source, KEEP, limits.source_bytes_max, exact_partitions=True),
        TopicShape(processor.changelog, COMPACT, limits.commit_bytes_max, exact_partitions=True),
        *(TopicShape(name, KEEP, limits.source_bytes_max, exact_partitions=False) for name in others),
        *(TopicShape(name, COMPACT, limits.source_bytes_max, exact_partitions=False) for name in fed),
        TopicShape(DEAD_LETTERS_TOPIC, KEEP, limits.dead_letter_bytes_max, exact_partitions=False),
    )
    return planned(connection, shapes)


def planned(connection: LogConnection, shapes: Iterable[TopicShape]) -> tuple[TopicPlan, ...]:
    """The connection's own plan of each topic where it has one, else one made from the shape."""
    known = {plan.name: plan for plan in connection.plans}
    return tuple(known.get(connection.topic(shape.name)) or _plan(connection, shape) for shape in shapes)


def _plan(connection: LogConnection, shape: TopicShape) -> TopicPlan:
    for_ever = (PlannedSetting("retention.ms", "-1"),) if shape.cleanup == KEEP else ()
    return TopicPlan(
        name=connection.topic(shape.name),
        partitions=connection.partitions,
        settings=(
            PlannedSetting("cleanup.policy", shape.cleanup),
            PlannedSetting(TIMESTAMP_TYPE, LOG_APPEND_TIME),
            PlannedSetting("max.message.bytes", str(shape.bytes_max), Comparison.AT_LEAST),
            *for_ever,
        ),
        exact_partitions=shape.exact_partitions,
    )


async def ensure_topics(plans: Sequence[TopicPlan], client: LogClient) -> None:
    """Create the topics that are absent. Raises `TopicMismatch` for one that exists and does not fit."""
    timeout_ms = client.limits.request_timeout_ms
    admin = AIOKafkaAdminClient(request_timeout_ms=timeout_ms, **client.connection.client_options())
    try:
        await client.patiently("topics", admin.start)
        await client.patiently("topics", lambda: _create(admin, plans))
        states = await client.patiently("topics", lambda: _states(admin, plans))
    finally:
        await admin.close()
    for plan in plans:
        _check(plan, states[plan.name])


async def _create(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> None:
    present = set(await admin.list_topics())
    absent = [
        NewTopic(plan.name, plan.partitions, plan.replication_factor, topic_configs=plan.config())
        for plan in plans
        if plan.name not in present
    ]
    if not absent:
        return
    reply = await admin.create_topics(absent)
    for name, code, *_ in reply.topic_errors:
        # Another worker may have created it meanwhile.
        if for_code(code) is not TopicAlreadyExistsError:
            check(code, f"{SEE}, or CREATE while it is absent, on topic {name}")
        log.info("topic.created", topic=name)


async def _states(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> dict[str, TopicState]:
    """The state of each topic, by name. Raises `Retry` while the log does not describe all of them."""
    described = await admin.describe_topics([plan.name for plan in plans])
    for topic in described:
        if topic["error_code"]:
            if for_code(topic["error_code"]) in REFUSALS:
                check(topic["error_code"], f"{SEE} on topic {topic['topic']}")
            raise Retry(f"topic {topic['topic']}: error {topic['error_code']}")
    # Asked second: for a user who may not see a topic the first request fails, and names the right that is missing.
    settings = await _settings(admin, plans)
    return {
        topic["topic"]: TopicState(
            partitions=len(topic["partitions"]),
            replication_factor=min(len(it["replicas"]) for it in topic["partitions"]),
            settings=settings.get(topic["topic"], {}),
        )
        for topic in described
    }


async def _settings(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, plan.name) for plan in plans]
    described = [it for reply in await admin.describe_configs(resources) for it in reply.resources]
    # All of them at once, so that the operator grants every missing right in one go.
    refused = {name: code for code, _, _, name, _ in described if for_code(code) in REFUSALS}
    if refused:
        check(next(iter(refused.values())), f"DESCRIBE_CONFIGS on {topics_text(sorted(refused))}")
    settings: dict[str, dict[str, str]] = {}
    for code, _, _, name, entries in described:
        check(code, f"DESCRIBE_CONFIGS on topic {name}")
        settings[name] = {entry[0]: entry[1] for entry in entries}
    return settings


def _check(plan: TopicPlan, state: TopicState) -> None:
    for misfit in differences(plan, state):
        facts = {"topic": misfit.topic, "setting": misfit.setting, "found": misfit.found, "needed": misfit.needed}
        if misfit.required:
            raise TopicMismatch(**facts, mend=misfit.mend)
        log.warning("topic.differs", **facts)
