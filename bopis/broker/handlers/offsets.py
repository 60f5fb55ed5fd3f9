"""The positions of groups: committed, read, forgotten."""

from __future__ import annotations

import logging
from typing import Any

from kafka.protocol.consumer import OffsetCommitResponse, OffsetDeleteResponse, OffsetFetchResponse
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

from bopis.broker.codes import Code
from bopis.broker.coordinator import MemberKey
from bopis.broker.errors import BrokerError, Refused
from bopis.broker.frames import RequestHeader
from bopis.broker.group import Group
from bopis.broker.handlers.topics import outcome
from bopis.broker.node import Node
from bopis.broker.offsets import Committed

log = logging.getLogger(__name__)

_METADATA_TOO_LARGE = 12
_NONE = Committed(-1, -1, "")


async def offset_commit(node: Node, request: Any, header: RequestHeader) -> Any:
    """Answers when the positions are on the disk."""
    positions: list[tuple[str, int, Committed]] = []
    codes: dict[tuple[str, int], int] = {}
    for asked in request.topics or []:
        for part in asked.partitions or []:
            place = (asked.name, part.partition_index)
            metadata = part.committed_metadata or ""
            codes[place] = Code.NONE
            if node.catalog.partition(*place) is None:
                codes[place] = Code.UNKNOWN_TOPIC_OR_PARTITION
            elif len(metadata.encode()) > node.limits.offset_metadata_bytes_max:
                codes[place] = _METADATA_TOO_LARGE
            else:
                committed = Committed(part.committed_offset, part.committed_leader_epoch, metadata)
                positions.append((*place, committed))
    error: BrokerError | None = None
    try:
        generation = request.generation_id_or_member_epoch
        key = MemberKey(request.group_id, request.member_id, request.group_instance_id, generation)
        node.groups.check_commit(key)
        if positions:
            await node.offsets.commit(request.group_id, positions)
    except BrokerError as refusal:
        error = refusal
    return OffsetCommitResponse(version=header.version, topics=_answers(request, codes, outcome(error)[0]))


def _answers(request: Any, codes: dict[tuple[str, int], int], failed: Code) -> list[Any]:
    answer = OffsetCommitResponse.OffsetCommitResponseTopic
    return [
        answer(
            name=asked.name,
            partitions=[
                answer.OffsetCommitResponsePartition(
                    partition_index=part.partition_index,
                    error_code=failed or codes[asked.name, part.partition_index],
                )
                for part in asked.partitions or []
            ],
        )
        for asked in request.topics or []
    ]


async def offset_fetch(node: Node, request: Any, header: RequestHeader) -> Any:
    """The positions of a group: those that are asked for, or all."""
    error: BrokerError | None = None
    known: dict[tuple[str, int], Committed] = {}
    try:
        known = await node.offsets.fetch(request.group_id)
    except BrokerError as refusal:
        error = refusal
    code = outcome(error)[0]
    wanted: dict[str, list[int]] = {}
    if request.topics is None:
        for topic, number in known:
            wanted.setdefault(topic, []).append(number)
    else:
        wanted = {asked.name: list(asked.partition_indexes or []) for asked in request.topics}
    answer = OffsetFetchResponse.OffsetFetchResponseTopic
    topics = [
        answer(name=topic, partitions=[_position(n, known.get((topic, n), _NONE), code) for n in numbers])
        for topic, numbers in wanted.items()
    ]
    return OffsetFetchResponse(version=header.version, topics=topics, error_code=code)


def _position(number: int, committed: Committed, code: Code) -> Any:
    return OffsetFetchResponse.OffsetFetchResponseTopic.OffsetFetchResponsePartition(
        partition_index=number,
        committed_offset=committed.offset,
        committed_leader_epoch=committed.leader_epoch,
        metadata=committed.metadata,
        error_code=code,
    )


async def offset_delete(node: Node, request: Any, header: RequestHeader) -> Any:
    """Forget positions in topics that no member of the group reads."""
    name = request.group_id
    group = node.groups.groups.get(name)
    if group is None and name not in node.offsets.groups:
        return OffsetDeleteResponse(version=header.version, error_code=Code.GROUP_ID_NOT_FOUND, topics=[])
    try:
        subscribed = set() if group is None else _subscribed(group)
    except Refused as refusal:
        return OffsetDeleteResponse(version=header.version, error_code=refusal.code, topics=[])
    gone = [
        (asked.name, part.partition_index)
        for asked in request.topics or []
        for part in asked.partitions or []
        if asked.name not in subscribed
    ]
    error: BrokerError | None = None
    try:
        await node.offsets.delete(name, gone)
    except BrokerError as refusal:
        error = refusal
    answer = OffsetDeleteResponse.OffsetDeleteResponseTopic
    topics = [
        answer(
            name=asked.name,
            partitions=[
                answer.OffsetDeleteResponsePartition(
                    partition_index=part.partition_index,
                    error_code=Code.GROUP_SUBSCRIBED_TO_TOPIC if asked.name in subscribed else Code.NONE,
                )
                for part in asked.partitions or []
            ],
        )
        for asked in request.topics or []
    ]
    return OffsetDeleteResponse(version=header.version, error_code=outcome(error)[0], topics=topics)


def _subscribed(group: Group) -> set[str]:
    topics: set[str] = set()
    for member in group.members.values():
        try:
            topics.update(ConsumerProtocolSubscription.decode(member.metadata(group.protocol)).topics)
        except Exception as error:
            # Another protocol than the consumers': nothing is known, so everything is protected.
            log.info("group.metadata_unreadable", extra={"group": group.name})
            raise Refused(Code.NON_EMPTY_GROUP) from error
    return topics
