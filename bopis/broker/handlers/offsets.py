"""Committed offsets of groups: stored, read, deleted."""

from __future__ import annotations

import logging
from typing import Any

from kafka.protocol.consumer import OffsetCommitResponse, OffsetDeleteResponse, OffsetFetchResponse
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription
from kafka.structs import TopicPartition

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import BrokerError, Refused, error_fields
from bopis.broker.frames import RequestHeader
from bopis.broker.groups.coordinator import MemberKey
from bopis.broker.groups.membership import Group
from bopis.broker.groups.offsets import CommittedOffset
from bopis.broker.node import BrokerNode

log = logging.getLogger(__name__)

_NONE = CommittedOffset(-1, -1, "")


async def offset_commit(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Commit offsets; the response follows when they are on the disk."""
    commits: dict[TopicPartition, CommittedOffset] = {}
    codes: dict[TopicPartition, ErrorCode] = {}
    for asked in request.topics or []:
        for part in asked.partitions or []:
            place = TopicPartition(asked.name, part.partition_index)
            metadata = part.committed_metadata or ""
            codes[place] = ErrorCode.NONE
            if node.catalog.partition(*place) is None:
                codes[place] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            elif len(metadata.encode()) > node.limits.offset_metadata_bytes_max:
                codes[place] = ErrorCode.OFFSET_METADATA_TOO_LARGE
            else:
                commits[place] = CommittedOffset(part.committed_offset, part.committed_leader_epoch, metadata)
    error: BrokerError | None = None
    try:
        generation = request.generation_id_or_member_epoch
        key = MemberKey(request.group_id, request.member_id, request.group_instance_id, generation)
        node.groups.check_commit(key)
        if commits:
            await node.offsets.commit(request.group_id, commits)
    except BrokerError as refusal:
        error = refusal
    return OffsetCommitResponse(version=header.version, topics=_committed(request, codes, error_fields(error).code))


def _committed(request: Any, codes: dict[TopicPartition, ErrorCode], failed: ErrorCode) -> list[Any]:
    """The results of a commit; `failed`, unless NONE, is that of every partition."""
    answer = OffsetCommitResponse.OffsetCommitResponseTopic
    return [
        answer(
            name=asked.name,
            partitions=[
                answer.OffsetCommitResponsePartition(
                    partition_index=part.partition_index,
                    error_code=failed or codes[TopicPartition(asked.name, part.partition_index)],
                )
                for part in asked.partitions or []
            ],
        )
        for asked in request.topics or []
    ]


async def offset_fetch(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """The committed offsets of a group: those that are asked for, or all (no topics)."""
    error: BrokerError | None = None
    committed: dict[TopicPartition, CommittedOffset] = {}
    try:
        committed = await node.offsets.fetch(request.group_id)
    except BrokerError as refusal:
        error = refusal
    code = error_fields(error).code
    wanted: dict[str, list[int]] = {}
    if request.topics is None:
        for place in committed:
            wanted.setdefault(place.topic, []).append(place.partition)
    else:
        wanted = {asked.name: list(asked.partition_indexes or []) for asked in request.topics}
    answer = OffsetFetchResponse.OffsetFetchResponseTopic
    topics = [
        answer(
            name=topic,
            partitions=[_fetched(n, committed.get(TopicPartition(topic, n), _NONE), code) for n in numbers],
        )
        for topic, numbers in wanted.items()
    ]
    return OffsetFetchResponse(version=header.version, topics=topics, error_code=code)


def _fetched(number: int, committed: CommittedOffset, code: ErrorCode) -> Any:
    return OffsetFetchResponse.OffsetFetchResponseTopic.OffsetFetchResponsePartition(
        partition_index=number,
        committed_offset=committed.offset,
        committed_leader_epoch=committed.leader_epoch,
        metadata=committed.metadata,
        error_code=code,
    )


async def offset_delete(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Delete the committed offsets of topics to which no member of the group is subscribed."""
    name = request.group_id
    group = node.groups.groups.get(name)
    if group is None and name not in node.offsets.groups:
        return OffsetDeleteResponse(version=header.version, error_code=ErrorCode.GROUP_ID_NOT_FOUND, topics=[])
    try:
        subscribed = set() if group is None else _subscribed(group)
    except Refused as refusal:
        return OffsetDeleteResponse(version=header.version, error_code=refusal.code, topics=[])
    deleted = [
        TopicPartition(asked.name, part.partition_index)
        for asked in request.topics or []
        for part in asked.partitions or []
        if asked.name not in subscribed
    ]
    error: BrokerError | None = None
    try:
        await node.offsets.delete(name, deleted)
    except BrokerError as refusal:
        error = refusal
    answer = OffsetDeleteResponse.OffsetDeleteResponseTopic
    topics = [
        answer(
            name=asked.name,
            partitions=[
                answer.OffsetDeleteResponsePartition(
                    partition_index=part.partition_index,
                    error_code=ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if asked.name in subscribed else ErrorCode.NONE,
                )
                for part in asked.partitions or []
            ],
        )
        for asked in request.topics or []
    ]
    return OffsetDeleteResponse(version=header.version, error_code=error_fields(error).code, topics=topics)


def _subscribed(group: Group) -> set[str]:
    topics: set[str] = set()
    for member in group.members.values():
        try:
            topics.update(ConsumerProtocolSubscription.decode(member.metadata(group.protocol)).topics)
        except Exception as error:
            # Not the consumer protocol, so the subscription is unknown: every topic counts as subscribed.
            log.info("group.metadata_unreadable", extra={"group": group.name})
            raise Refused(ErrorCode.NON_EMPTY_GROUP) from error
    return topics
