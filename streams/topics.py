"""The topics of a processor: declared if absent, checked if there."""

from collections.abc import Iterable
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from bopis.topics.plans import LOG_APPEND_TIME, TIMESTAMP_TYPE, Rule, TopicPlan, TopicState, Wanted, misfits
from streams.access import REFUSALS, SEE, check
from streams.client import LogClient, Retry
from streams.connection import Connection
from streams.dead_letters import DEAD_LETTERS
from streams.errors import TopicMismatch
from streams.limits import StreamLimits
from streams.processor import Processor

log = structlog.get_logger("streams.topics")

KEEP, COMPACT = "delete", "compact"


def topic_plans(processor: Processor, connection: Connection, limits: StreamLimits) -> tuple[TopicPlan, ...]:
    """Every topic that the processor reads or writes: as the connection plans it, else as a processor needs it."""
    # A processor may write to its own source, for another key: the stricter plan comes first and stays.
    others = dict.fromkeys(name for name in processor.outputs if name != processor.source)
    shapes = (
        (processor.source, KEEP, limits.source_bytes_max, True),
        (processor.changelog, COMPACT, limits.commit_bytes_max, True),
        *((name, KEEP, limits.source_bytes_max, False) for name in others),
        (DEAD_LETTERS, KEEP, limits.dead_letter_bytes_max, False),
    )
    return planned(connection, shapes)


def planned(connection: Connection, shapes: Iterable[tuple[str, str, int, bool]]) -> tuple[TopicPlan, ...]:
    """The plans of topics (name, cleanup, bytes of the largest batch, exact number of partitions)."""
    known = {plan.name: plan for plan in connection.plans}
    return tuple(
        known.get(connection.topic(name)) or _plan(connection, name, (cleanup, bytes_max), exact)
        for name, cleanup, bytes_max, exact in shapes
    )


def _plan(connection: Connection, name: str, kept: tuple[str, int], exact: bool) -> TopicPlan:
    cleanup, bytes_max = kept
    for_ever = (Wanted("retention.ms", "-1"),) if cleanup == KEEP else ()
    return TopicPlan(
        name=connection.topic(name),
        partitions=connection.partitions,
        wanted=(
            Wanted("cleanup.policy", cleanup),
            Wanted(TIMESTAMP_TYPE, LOG_APPEND_TIME),
            Wanted("max.message.bytes", str(bytes_max), Rule.AT_LEAST),
            *for_ever,
        ),
        exact_partitions=exact,
    )


async def ensure_topics(
    plans: tuple[TopicPlan, ...], client: LogClient, connection: Connection, limits: StreamLimits
) -> None:
    """Create what is absent and refuse what does not fit."""
    admin = AIOKafkaAdminClient(request_timeout_ms=limits.request_timeout_ms, **connection.client_options())
    try:
        await client.patiently("topics", admin.start)
        await client.patiently("topics", lambda: _create(admin, plans))
        counts = await client.patiently("topics", lambda: _counts(admin, plans))
        configs = await client.patiently("topics", lambda: _configs(admin, plans))
    finally:
        await admin.close()
    for plan in plans:
        partitions, copies = counts[plan.name]
        _check(plan, TopicState(partitions=partitions, replication_factor=copies, settings=configs.get(plan.name, {})))


async def _create(admin: Any, plans: tuple[TopicPlan, ...]) -> None:
    present = set(await admin.list_topics())
    absent = [
        NewTopic(plan.name, plan.partitions, plan.replication_factor, topic_configs=plan.config())
        for plan in plans
        if plan.name not in present
    ]
    if not absent:
        return
    answer = await admin.create_topics(absent)
    for name, code, *_ in answer.topic_errors:
        if for_code(code) is not TopicAlreadyExistsError:
            check(code, f"{SEE}, or CREATE while it is absent, on topic {name}")
        log.info("topic.created", topic=name)


async def _counts(admin: Any, plans: tuple[TopicPlan, ...]) -> dict[str, tuple[int, int]]:
    """Partitions and copies of each topic."""
    described = await admin.describe_topics([plan.name for plan in plans])
    for topic in described:
        if topic["error_code"]:
            if for_code(topic["error_code"]) in REFUSALS:
                check(topic["error_code"], f"{SEE} on topic {topic['topic']}")
            raise Retry(f"topic {topic['topic']}: error {topic['error_code']}")
    return {
        topic["topic"]: (len(topic["partitions"]), min(len(it["replicas"]) for it in topic["partitions"]))
        for topic in described
    }


async def _configs(admin: Any, plans: tuple[TopicPlan, ...]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, plan.name) for plan in plans]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, _, _, name, entries in answer.resources:
            check(code, f"DESCRIBE_CONFIGS on topic {name}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _check(plan: TopicPlan, state: TopicState) -> None:
    for misfit in misfits(plan, state):
        if misfit.required:
            facts = {"topic": misfit.topic, "setting": misfit.setting, "found": misfit.found, "needed": misfit.needed}
            raise TopicMismatch(**facts, mend=misfit.mend)
        log.warning("topic.differs", setting=misfit.setting, found=misfit.found, needed=misfit.needed, topic=plan.name)
