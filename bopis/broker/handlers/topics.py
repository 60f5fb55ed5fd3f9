"""Topics: created, deleted, extended, trimmed; and the offsets at which they start and end."""

from __future__ import annotations

from typing import Any

from kafka.protocol.admin import (
    CreatePartitionsResponse,
    CreateTopicsResponse,
    DeleteRecordsResponse,
    DeleteTopicsResponse,
)
from kafka.protocol.consumer import ListOffsetsResponse, OffsetForLeaderEpochResponse, OffsetSpec

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import BrokerError, Refused, error_fields
from bopis.broker.frames import RequestHeader
from bopis.broker.node import NODE_ID, BrokerNode
from bopis.broker.storage.batch import LEADER_EPOCH
from bopis.broker.storage.records import FoundRecord
from bopis.broker.storage.topic_settings import check_name, check_settings

_UNKNOWN = -1
_BY_DEFAULT = -1
_END_OF_LOG = -1
_NOT_FOUND = FoundRecord(_UNKNOWN, _UNKNOWN)


async def create_topics(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Create topics one by one: a topic that is refused does not stop the others."""
    results = []
    names = [wanted.name for wanted in request.topics or []]
    for wanted in request.topics or []:
        error: BrokerError | None = None
        try:
            if names.count(wanted.name) > 1:
                raise Refused(ErrorCode.INVALID_REQUEST, "The request names this topic twice.")
            await _create(node, wanted, request.validate_only)
        except BrokerError as refusal:
            error = refusal
        code, message = error_fields(error)
        result = CreateTopicsResponse.CreatableTopicResult(name=wanted.name, error_code=code, error_message=message)
        results.append(result)
    return CreateTopicsResponse(version=header.version, topics=results)


async def _create(node: BrokerNode, wanted: Any, validate_only: bool) -> None:
    name = check_name(wanted.name)
    count = _partition_count(wanted)
    settings = check_settings({setting.name: setting.value for setting in wanted.configs or []})
    node.catalog.check_capacity(name, count)
    if not validate_only:
        await node.catalog.create(name, count, settings)


def _partition_count(wanted: Any) -> int:
    if wanted.assignments:
        if wanted.num_partitions != _BY_DEFAULT or wanted.replication_factor != _BY_DEFAULT:
            raise Refused(ErrorCode.INVALID_REQUEST, "Either counts or assignments may be given, not both.")
        placed = {place.partition_index: list(place.broker_ids or []) for place in wanted.assignments}
        if sorted(placed) != list(range(len(placed))) or any(ids != [NODE_ID] for ids in placed.values()):
            raise Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"The only broker is {NODE_ID}.")
        return len(placed)
    if wanted.replication_factor not in (1, _BY_DEFAULT):
        raise Refused(ErrorCode.INVALID_REPLICATION_FACTOR, "This log is on one machine: the replication factor is 1.")
    return 1 if wanted.num_partitions == _BY_DEFAULT else int(wanted.num_partitions)


async def delete_topics(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Delete topics at once; their space is freed in the background, step by step."""
    results = []
    for name in request.topic_names or []:
        error: BrokerError | None = None
        try:
            await node.catalog.delete(name)
        except BrokerError as refusal:
            error = refusal
        result = DeleteTopicsResponse.DeletableTopicResult(name=name, error_code=error_fields(error).code)
        results.append(result)
    node.housekeeping_due.set()
    return DeleteTopicsResponse(version=header.version, responses=results)


async def create_partitions(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Extend topics; the number of partitions never falls."""
    results = []
    for wanted in request.topics or []:
        error: BrokerError | None = None
        try:
            await node.catalog.extend(wanted.name, wanted.count, request.validate_only)
        except BrokerError as refusal:
            error = refusal
        code, message = error_fields(error)
        results.append(
            CreatePartitionsResponse.CreatePartitionsTopicResult(
                name=wanted.name, error_code=code, error_message=message
            )
        )
    return CreatePartitionsResponse(version=header.version, results=results)


async def delete_records(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Delete the records before an offset of each partition."""
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
                partition_index=part.partition_index, low_watermark=low, error_code=error_fields(error).code
            )
            results.append(result)
        topics.append(DeleteRecordsResponse.DeleteRecordsTopicResult(name=asked.name, partitions=results))
    node.housekeeping_due.set()
    return DeleteRecordsResponse(version=header.version, topics=topics)


async def _delete_records(node: BrokerNode, topic: str, number: int, offset: int) -> int:
    """Delete; returns the first offset that is left."""
    partition = node.catalog.partition(topic, number)
    if partition is None:
        raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    start = partition.end if offset == _END_OF_LOG else offset
    if not 0 <= start <= partition.end:
        raise Refused(ErrorCode.OFFSET_OUT_OF_RANGE)
    if start > partition.log_start:
        await node.catalog.advance_start(partition, start)
    return partition.log_start


async def list_offsets(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """The start of partitions, their end, or the first record that is not older than a time."""
    topics = []
    for asked in request.topics or []:
        results = []
        for part in asked.partitions or []:
            code, found = ErrorCode.NONE, _NOT_FOUND
            try:
                found = await _find_offset(node, asked.name, part)
            except BrokerError as refusal:
                code = error_fields(refusal).code
            results.append(
                ListOffsetsResponse.ListOffsetsTopicResponse.ListOffsetsPartitionResponse(
                    partition_index=part.partition_index,
                    error_code=code,
                    timestamp=found.timestamp_ms,
                    offset=found.offset,
                    leader_epoch=LEADER_EPOCH if found.offset != _UNKNOWN else _UNKNOWN,
                )
            )
        topics.append(ListOffsetsResponse.ListOffsetsTopicResponse(name=asked.name, partitions=results))
    return ListOffsetsResponse(version=header.version, topics=topics)


async def _find_offset(node: BrokerNode, topic: str, part: Any) -> FoundRecord:
    partition = node.catalog.partition(topic, part.partition_index)
    if partition is None:
        raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    if part.timestamp == OffsetSpec.LATEST:
        return FoundRecord(partition.end, _UNKNOWN)
    if part.timestamp == OffsetSpec.EARLIEST:
        return FoundRecord(partition.log_start, _UNKNOWN)
    if part.timestamp < 0:
        raise Refused(ErrorCode.INVALID_REQUEST)
    found = await node.reader.first_since(partition, part.timestamp)
    if found is None:
        return _NOT_FOUND
    # The batch found may begin before records that were deleted by offset.
    return found._replace(offset=max(found.offset, partition.log_start))


def offset_for_leader_epoch(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """The end offset of a leader epoch. There is only one epoch, and it ends where the log ends."""
    answer = OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult
    topics = []
    for asked in request.topics or []:
        results = []
        for part in asked.partitions or []:
            partition = node.catalog.partition(asked.topic, part.partition)
            known = partition is not None and part.leader_epoch == LEADER_EPOCH
            results.append(
                answer.EpochEndOffset(
                    error_code=ErrorCode.NONE if partition is not None else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                    partition=part.partition,
                    leader_epoch=LEADER_EPOCH if known else _UNKNOWN,
                    end_offset=partition.end if known and partition is not None else _UNKNOWN,
                )
            )
        topics.append(answer(topic=asked.topic, partitions=results))
    return OffsetForLeaderEpochResponse(version=header.version, topics=topics)
