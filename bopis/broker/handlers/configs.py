"""Settings: shown with their defaults, changed one by one or all at once."""

from __future__ import annotations

from typing import Any

from kafka.protocol.admin import (
    AlterConfigsResponse,
    DescribeConfigsResponse,
    IncrementalAlterConfigsResponse,
)

from bopis.broker.codes import Code
from bopis.broker.errors import BrokerError, Refused
from bopis.broker.frames import RequestHeader
from bopis.broker.handlers.topics import outcome
from bopis.broker.node import NODE_ID, Node
from bopis.broker.topics import SETTINGS, check_settings

_TOPIC, _BROKER = 2, 4
_SET, _DELETE = 0, 1
_FROM_TOPIC, _FROM_BROKER, _FROM_DEFAULT = 1, 4, 5

# What a client may want to know of the server; none of it can be changed over the wire.
_SERVER = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
}


def describe_configs(node: Node, request: Any, header: RequestHeader) -> Any:
    """Every setting that was asked for, with where its value comes from."""
    results = []
    for asked in request.resources or []:
        error: BrokerError | None = None
        rows: list[Any] = []
        try:
            rows = _describe(node, asked)
        except BrokerError as refusal:
            error = refusal
        code, message = outcome(error)
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


def _describe(node: Node, asked: Any) -> list[Any]:
    wanted = asked.configuration_keys
    if asked.resource_type == _TOPIC:
        own = node.catalog.topic(asked.resource_name).settings
        rows = [
            (name, own.get(name, default), _FROM_TOPIC if name in own else _FROM_DEFAULT)
            for name, (default, _) in SETTINGS.items()
        ]
    elif asked.resource_type == _BROKER and asked.resource_name in ("", str(NODE_ID)):
        rows = [(name, value, _FROM_BROKER) for name, value in _SERVER.items()]
    else:
        raise Refused(Code.INVALID_REQUEST, "Only topics and this broker have settings.")
    return [
        DescribeConfigsResponse.DescribeConfigsResult.DescribeConfigsResourceResult(
            name=name,
            value=value,
            read_only=source == _FROM_BROKER,
            config_source=source,
            is_sensitive=False,
            synonyms=[],
            config_type=0,
            documentation=None,
        )
        for name, value, source in rows
        if wanted is None or name in wanted
    ]


async def alter_configs(node: Node, request: Any, header: RequestHeader) -> Any:
    """Replace all settings of a topic: what is not named goes back to its default."""

    async def alter(asked: Any) -> None:
        await _alter(node, asked, {c.name: c.value for c in asked.configs or []}, (True, request.validate_only))

    results = [await _altered(AlterConfigsResponse, asked, alter) for asked in request.resources or []]
    return AlterConfigsResponse(version=header.version, responses=results)


async def incremental_alter_configs(node: Node, request: Any, header: RequestHeader) -> Any:
    """Set or reset single settings of a topic."""

    async def alter(asked: Any) -> None:
        change: dict[str, str | None] = {}
        for setting in asked.configs or []:
            if setting.config_operation not in (_SET, _DELETE):
                raise Refused(Code.INVALID_REQUEST, "Settings can be set or deleted, not appended to.")
            change[setting.name] = setting.value if setting.config_operation == _SET else None
        await _alter(node, asked, change, (False, request.validate_only))

    results = [await _altered(IncrementalAlterConfigsResponse, asked, alter) for asked in request.resources or []]
    return IncrementalAlterConfigsResponse(version=header.version, responses=results)


async def _altered(response: Any, asked: Any, alter: Any) -> Any:
    error: BrokerError | None = None
    try:
        await alter(asked)
    except BrokerError as refusal:
        error = refusal
    code, message = outcome(error)
    return response.AlterConfigsResourceResponse(
        error_code=code,
        error_message=message,
        resource_type=asked.resource_type,
        resource_name=asked.resource_name,
    )


async def _alter(node: Node, asked: Any, change: dict[str, str | None], how: tuple[bool, bool]) -> None:
    replace, validate_only = how
    if asked.resource_type != _TOPIC:
        raise Refused(Code.INVALID_REQUEST, "Only the settings of topics can be changed; the server's are its limits.")
    node.catalog.topic(asked.resource_name)
    check_settings(change)
    if not validate_only:
        await node.catalog.configure(asked.resource_name, change, replace)
        node.housekeeping_due.set()
