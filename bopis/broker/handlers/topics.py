"""Topics: made, removed, extended, cut; and where they begin and end."""

from __future__ import annotations

from typing import Any

from kafka.protocol.admin import (
    CreatePartitionsResponse,
    CreateTopicsResponse,
    DeleteRecordsResponse,
    DeleteTopicsResponse,
)
from kafka.protocol.consumer import ListOffsetsResponse, OffsetForLeaderEpochResponse

from bopis.broker.batch import LEADER_EPOCH
from bopis.broker.codes import Code
from bopis.broker.errors import BrokerError, Refused
from bopis.broker.frames import RequestHeader
from bopis.broker.node import NODE_ID, Node
from bopis.broker.topics import check_name, check_settings

_LATEST, _EARLIEST = -1, -2
_UNKNOWN = -1


def outcome(error: BrokerError | None) -> tuple[Code, str | None]:
    """The code and the words for a client."""
    if error is None:
        return Code.NONE, None
    if isinstance(error, Refused):
        return error.code, error.message
    return Code.KAFKA_STORAGE_ERROR, str(error)


async def create_topics(node: Node, request: Any, header: RequestHeader) -> Any:
    """Each topic by itself: one that cannot be made does not stop the others."""
    results = []
    names = [wanted.name for wanted in request.topics or []]
    for wanted in request.topics or []:
        error: BrokerError | None = None
        try:
            if names.count(wanted.name) > 1:
                raise Refused(Code.INVALID_REQUEST, "The request names this topic twice.")
            await _create(node, wanted, request.validate_only)
        except BrokerError as refusal:
            error = refusal
        code, message = outcome(error)
        result = CreateTopicsResponse.CreatableTopicResult(name=wanted.name, error_code=code, error_message=message)
        results.append(result)
    return CreateTopicsResponse(version=header.version, topics=results)


async def _create(node: Node, wanted: Any, validate_only: bool) -> None:
    name = check_name(wanted.name)
    count = _partition_count(wanted)
    settings = check_settings({setting.name: setting.value for setting in wanted.configs or []})
    node.catalog.check_room(name, count)
    if not validate_only:
        await node.catalog.create(name, count, settings)


def _partition_count(wanted: Any) -> int:
    if wanted.assignments:
        if wanted.num_partitions != -1 or wanted.replication_factor != -1:
            raise Refused(Code.INVALID_REQUEST, "Either counts or assignments may be given, not both.")
        placed = {place.partition_index: list(place.broker_ids or []) for place in wanted.assignments}
        if sorted(placed) != list(range(len(placed))) or any(ids != [NODE_ID] for ids in placed.values()):
            raise Refused(Code.INVALID_REPLICA_ASSIGNMENT, f"The only broker is {NODE_ID}.")
        return len(placed)
    if wanted.replication_factor not in (1, -1):
        raise Refused(Code.INVALID_REPLICATION_FACTOR, "This log is on one machine: the replication factor is 1.")
    return 1 if wanted.num_partitions == -1 else int(wanted.num_partitions)


async def delete_topics(node: Node, request: Any, header: RequestHeader) -> Any:
    """Topics go at once; their bytes are given back step by step."""
    results = []
    for name in request.topic_names or []:
        error: BrokerError | None = None
        try:
            await node.catalog.delete(name)
        except BrokerError as refusal:
            error = refusal
        result = DeleteTopicsResponse.DeletableTopicResult(name=name, error_code=outcome(error)[0])
        results.append(result)
    node.housekeeping_due.set()
    return DeleteTopicsResponse(version=header.version, responses=results)


async def create_partitions(node: Node, request: Any, header: RequestHeader) -> Any:
    """A topic may get more partitions, never fewer."""
    results = []
    for wanted in request.topics or []:
        error: BrokerError | None = None
        try:
            await node.catalog.extend(wanted.name, wanted.count, request.validate_only)
        except BrokerError as refusal:
            error = refusal
        code, message = outcome(error)
        results.append(
            CreatePartitionsResponse.CreatePartitionsTopicResult(
                name=wanted.name, error_code=code, error_message=message
            )
        )
    return CreatePartitionsResponse(version=header.version, results=results)


async def delete_records(node: Node, request: Any, header: RequestHeader) -> Any:
    """Give up the records before an offset."""
    topics = []
    for asked in request.topics or []:
        results = []
        for part in asked.partitions or []:
            low, error = _UNKNOWN, None
            try:
                low = await _delete_records(node, asked.name, part.partition_index, part.offset)
            except BrokerError as refusal:
                error = refusal
            result = DeleteRecordsResponse.DeleteRecordsTopicResult.DeleteRecordsPartitionResult(
                partition_index=part.partition_index, low_watermark=low, error_code=outcome(error)[0]
            )
            results.append(result)
        topics.append(DeleteRecordsResponse.DeleteRecordsTopicResult(name=asked.name, partitions=results))
    node.housekeeping_due.set()
    return DeleteRecordsResponse(version=header.version, topics=topics)


async def _delete_records(node: Node, topic: str, number: int, offset: int) -> int:
    partition = node.catalog.partition(topic, number)
    if partition is None:
        raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION)
    wanted = partition.end if offset == _LATEST else offset
    if not 0 <= wanted <= partition.end:
        raise Refused(Code.OFFSET_OUT_OF_RANGE)
    if wanted > partition.log_start:
        await node.catalog.advance_start(partition, wanted)
    return partition.log_start


async def list_offsets(node: Node, request: Any, header: RequestHeader) -> Any:
    """The first offset, the one after the last, or the first record that is not older than a time."""
    topics = []
    for asked in request.topics or []:
        results = []
        for part in asked.partitions or []:
            code, timestamp, offset = Code.NONE, _UNKNOWN, _UNKNOWN
            try:
                timestamp, offset = await _offset(node, asked.name, part)
            except BrokerError as refusal:
                code = outcome(refusal)[0]
            results.append(
                ListOffsetsResponse.ListOffsetsTopicResponse.ListOffsetsPartitionResponse(
                    partition_index=part.partition_index,
                    error_code=code,
                    timestamp=timestamp,
                    offset=offset,
                    leader_epoch=LEADER_EPOCH if offset != _UNKNOWN else -1,
                )
            )
        topics.append(ListOffsetsResponse.ListOffsetsTopicResponse(name=asked.name, partitions=results))
    return ListOffsetsResponse(version=header.version, topics=topics)


async def _offset(node: Node, topic: str, part: Any) -> tuple[int, int]:
    partition = node.catalog.partition(topic, part.partition_index)
    if partition is None:
        raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION)
    if part.timestamp == _LATEST:
        return _UNKNOWN, partition.end
    if part.timestamp == _EARLIEST:
        return _UNKNOWN, partition.log_start
    if part.timestamp < 0:
        raise Refused(Code.INVALID_REQUEST)
    found = await node.reader.offset_at(partition.id, (partition.log_start, partition.end), part.timestamp)
    if found is None:
        return _UNKNOWN, _UNKNOWN
    return found[1], max(found[0], partition.log_start)


def offset_for_leader_epoch(node: Node, request: Any, header: RequestHeader) -> Any:
    """There was only ever one leader epoch, and it ends where the log ends."""
    answer = OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult
    topics = []
    for asked in request.topics or []:
        results = []
        for part in asked.partitions or []:
            partition = node.catalog.partition(asked.topic, part.partition)
            known = partition is not None and part.leader_epoch == LEADER_EPOCH
            results.append(
                answer.EpochEndOffset(
                    error_code=Code.NONE if partition is not None else Code.UNKNOWN_TOPIC_OR_PARTITION,
                    partition=part.partition,
                    leader_epoch=LEADER_EPOCH if known else -1,
                    end_offset=partition.end if known and partition is not None else -1,
                )
            )
        topics.append(answer(topic=asked.topic, partitions=results))
    return OffsetForLeaderEpochResponse(version=header.version, topics=topics)
