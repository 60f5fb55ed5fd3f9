"""Producers: their ids and epochs, and the state that a partition keeps of each."""

from __future__ import annotations

from typing import Any

from kafka.protocol.admin import DescribeProducersResponse
from kafka.protocol.producer import InitProducerIdResponse

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import BrokerError, Refused, error_fields
from bopis.broker.frames import RequestHeader
from bopis.broker.node import BrokerNode
from bopis.broker.storage.producer_state import unpack_state

_NAME_BYTES_MAX = 512
_NO_COORDINATOR_EPOCH, _NO_TRANSACTION = 0, -1
_SELECT = "SELECT producer_id, epoch, updated_ms, batches FROM producer WHERE partition_id = ? ORDER BY producer_id"


async def init_producer_id(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """A producer id: a new one without a transactional id; under one the same id with a higher epoch each time."""
    name = request.transactional_id
    try:
        if name is None:
            identity = await node.producer_ids.fresh()
        elif not name or len(name.encode()) > _NAME_BYTES_MAX:
            raise Refused(ErrorCode.INVALID_REQUEST, f"A writer's name has 1 to {_NAME_BYTES_MAX} bytes.")
        else:
            identity = await node.producer_ids.named(name)
    except BrokerError as error:
        return InitProducerIdResponse(
            version=header.version, error_code=error_fields(error).code, producer_id=-1, producer_epoch=-1
        )
    return InitProducerIdResponse(
        version=header.version,
        error_code=ErrorCode.NONE,
        producer_id=identity.producer_id,
        producer_epoch=identity.epoch,
    )


async def describe_producers(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """The producers that partitions have state of."""
    topics = []
    for asked in request.topics or []:
        rows = [await _partition(node, asked.name, number) for number in asked.partition_indexes or []]
        topics.append(DescribeProducersResponse.TopicResponse(name=asked.name, partitions=rows))
    return DescribeProducersResponse(version=header.version, topics=topics)


async def _partition(node: BrokerNode, topic: str, number: int) -> Any:
    answer = DescribeProducersResponse.TopicResponse.PartitionResponse
    partition = node.catalog.partition(topic, number)
    try:
        if partition is None:
            raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        partition_id = partition.id
        rows = await node.reader.run(lambda connection: connection.execute(_SELECT, (partition_id,)).fetchall())
    except BrokerError as error:
        code, message = error_fields(error)
        return answer(partition_index=number, error_code=code, error_message=message, active_producers=[])
    producers = [
        answer.ProducerState(
            producer_id=producer_id,
            producer_epoch=epoch,
            last_sequence=unpack_state(epoch, packed).batches[-1].last_sequence,
            last_timestamp=updated_ms,
            coordinator_epoch=_NO_COORDINATOR_EPOCH,
            current_txn_start_offset=_NO_TRANSACTION,
        )
        for producer_id, epoch, updated_ms, packed in rows
    ]
    return answer(partition_index=number, error_code=ErrorCode.NONE, error_message=None, active_producers=producers)
