"""Settings of topics: described with their defaults, changed one by one or all at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from kafka.admin import AlterConfigOp, ConfigResourceType, ConfigSourceType
from kafka.protocol.admin import AlterConfigsResponse, DescribeConfigsResponse, IncrementalAlterConfigsResponse

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import BrokerError, Refused, error_fields
from bopis.broker.frames import RequestHeader
from bopis.broker.node import NODE_ID, BrokerNode
from bopis.broker.storage.topic_settings import SETTINGS, check_settings

_UNTYPED = 0

# The broker's settings that clients ask for; none can be changed over the wire.
_SERVER = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
}


class _Setting(NamedTuple):
    """A setting with its value, and where that comes from."""

    name: str
    value: str
    source: ConfigSourceType


def describe_configs(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """The settings that were asked for, each with its value and source."""
    results = []
    for asked in request.resources or []:
        error: BrokerError | None = None
        rows: list[Any] = []
        try:
            rows = _describe(node, asked)
        except BrokerError as refusal:
            error = refusal
        code, message = error_fields(error)
        results.append(
            DescribeConfigsResponse.DescribeConfigsResult(
                error_code=code,
                error_message=message,
                resource_type=asked.resource_type,
                resource_name=asked.resource_name,
                configs=rows,
            )
        )
    return DescribeConfigsResponse(version=header.version, results=results)


def _describe(node: BrokerNode, asked: Any) -> list[Any]:
    wanted = asked.configuration_keys
    return [
        DescribeConfigsResponse.DescribeConfigsResult.DescribeConfigsResourceResult(
            name=setting.name,
            value=setting.value,
            read_only=setting.source == ConfigSourceType.STATIC_BROKER_CONFIG,
            config_source=setting.source,
            is_sensitive=False,
            synonyms=[],
            config_type=_UNTYPED,
            documentation=None,
        )
        for setting in _settings(node, asked)
        if wanted is None or setting.name in wanted
    ]


def _settings(node: BrokerNode, asked: Any) -> list[_Setting]:
    source = ConfigSourceType
    if asked.resource_type == ConfigResourceType.TOPIC:
        own = node.catalog.topic(asked.resource_name).settings
        return [
            _Setting(
                name, own.get(name, default), source.DYNAMIC_TOPIC_CONFIG if name in own else source.DEFAULT_CONFIG
            )
            for name, (default, _) in SETTINGS.items()
        ]
    if asked.resource_type == ConfigResourceType.BROKER and asked.resource_name in ("", str(NODE_ID)):
        return [_Setting(name, value, source.STATIC_BROKER_CONFIG) for name, value in _SERVER.items()]
    raise Refused(ErrorCode.INVALID_REQUEST, "Only topics and this broker have settings.")


async def alter_configs(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Replace all settings of a topic: those that are not named return to their defaults."""

    async def alter(asked: Any) -> None:
        change = {setting.name: setting.value for setting in asked.configs or []}
        _check(node, asked, change)
        if not request.validate_only:
            await _configure(node, asked.resource_name, change, replace=True)

    results = [await _alter(AlterConfigsResponse, asked, alter) for asked in request.resources or []]
    return AlterConfigsResponse(version=header.version, responses=results)


async def incremental_alter_configs(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Set or reset single settings of a topic."""

    async def alter(asked: Any) -> None:
        change: dict[str, str | None] = {}
        for setting in asked.configs or []:
            if setting.config_operation not in (AlterConfigOp.SET, AlterConfigOp.DELETE):
                raise Refused(ErrorCode.INVALID_REQUEST, "Settings can be set or deleted, not appended to.")
            change[setting.name] = setting.value if setting.config_operation == AlterConfigOp.SET else None
        _check(node, asked, change)
        if not request.validate_only:
            await _configure(node, asked.resource_name, change, replace=False)

    results = [await _alter(IncrementalAlterConfigsResponse, asked, alter) for asked in request.resources or []]
    return IncrementalAlterConfigsResponse(version=header.version, responses=results)


def _check(node: BrokerNode, asked: Any, change: dict[str, str | None]) -> None:
    if asked.resource_type != ConfigResourceType.TOPIC:
        words = "Only the settings of topics can be changed; the server's are its limits."
        raise Refused(ErrorCode.INVALID_REQUEST, words)
    node.catalog.topic(asked.resource_name)
    check_settings(change)


async def _configure(node: BrokerNode, topic: str, change: dict[str, str | None], *, replace: bool) -> None:
    await node.catalog.configure(topic, change, replace)
    # A shorter retention or a new cleanup policy takes effect now, not at the next round.
    node.housekeeping_due.set()


async def _alter(response: Any, asked: Any, alter: Callable[[Any], Awaitable[None]]) -> Any:
    """Change one resource; an error becomes its result, so that one refusal does not end the request."""
    error: BrokerError | None = None
    try:
        await alter(asked)
    except BrokerError as refusal:
        error = refusal
    code, message = error_fields(error)
    return response.AlterConfigsResourceResponse(
        error_code=code,
        error_message=message,
        resource_type=asked.resource_type,
        resource_name=asked.resource_name,
    )
