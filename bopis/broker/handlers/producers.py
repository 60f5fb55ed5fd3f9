"""Producers: who they are, and what a partition knows of them."""

from __future__ import annotations

from typing import Any

from kafka.protocol.admin import DescribeProducersResponse
from kafka.protocol.producer import InitProducerIdResponse

from bopis.broker.codes import Code
from bopis.broker.errors import BrokerError, Refused
from bopis.broker.frames import RequestHeader
from bopis.broker.handlers.topics import outcome
from bopis.broker.node import Node
from bopis.broker.producers import unpack_state

_NAME_BYTES_MAX = 512
_SELECT = "SELECT producer_id, epoch, updated_ms, batches FROM producer WHERE partition_id = ? ORDER BY producer_id"


async def init_producer_id(node: Node, request: Any, header: RequestHeader) -> Any:
    """An identity: fresh without a name, the same with a higher epoch under a name."""
    name = request.transactional_id
    try:
        if name is None:
            identity = await node.producer_ids.fresh()
        elif not name or len(name.encode()) > _NAME_BYTES_MAX:
            raise Refused(Code.INVALID_REQUEST, f"A writer's name has 1 to {_NAME_BYTES_MAX} bytes.")
        else:
            identity = await node.producer_ids.named(name)
    except BrokerError as error:
        return InitProducerIdResponse(
            version=header.version, error_code=outcome(error)[0], producer_id=-1, producer_epoch=-1
        )
    return InitProducerIdResponse(
        version=header.version,
        error_code=Code.NONE,
        producer_id=identity.producer_id,
        producer_epoch=identity.epoch,
    )


async def describe_producers(node: Node, request: Any, header: RequestHeader) -> Any:
    """Which producers a partition remembers."""
    topics = []
    for asked in request.topics or []:
        rows = [await _partition(node, asked.name, number) for number in asked.partition_indexes or []]
        topics.append(DescribeProducersResponse.TopicResponse(name=asked.name, partitions=rows))
    return DescribeProducersResponse(version=header.version, topics=topics)


async def _partition(node: Node, topic: str, number: int) -> Any:
    answer = DescribeProducersResponse.TopicResponse.PartitionResponse
    partition = node.catalog.partition(topic, number)
    try:
        if partition is None:
            raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION)
        identity = partition.id
        rows = await node.reader.run(lambda connection: connection.execute(_SELECT, (identity,)).fetchall())
    except BrokerError as error:
        code, message = outcome(error)
        return answer(partition_index=number, error_code=code, error_message=message, active_producers=[])
    producers = [
        answer.ProducerState(
            producer_id=producer_id,
            producer_epoch=epoch,
            last_sequence=unpack_state(epoch, packed).batches[-1].last_sequence,
            last_timestamp=updated_ms,
            coordinator_epoch=0,
            current_txn_start_offset=-1,
        )
        for producer_id, epoch, updated_ms, packed in rows
    ]
    return answer(partition_index=number, error_code=Code.NONE, error_message=None, active_producers=producers)
