"""The cluster and its abilities: ApiVersions, Metadata, FindCoordinator, DescribeCluster."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

from kafka.protocol.admin import DescribeClusterResponse
from kafka.protocol.metadata import FindCoordinatorResponse, MetadataResponse

from bopis.broker.error_codes import ErrorCode
from bopis.broker.frames import RequestHeader
from bopis.broker.node import NODE_ID, BrokerNode
from bopis.broker.storage.batch import LEADER_EPOCH
from bopis.broker.storage.partition import LogTopic

# FindCoordinatorRequest.key_type; kafka-python has no names for them.
_GROUP, _TRANSACTION = 0, 1
_FLEXIBLE_FROM = 3


class ServedVersions(NamedTuple):
    """The versions of one request that are served."""

    api_key: int
    lowest: int
    highest: int


def api_versions(code: ErrorCode, version: int, served: Iterable[ServedVersions]) -> bytes:
    """The body of ApiVersions. Encoded by hand: this response always has the old header, also in flexible versions."""
    rows = list(served)
    if version >= _FLEXIBLE_FROM:
        keys = b"".join(struct.pack(">hhhB", *row, 0) for row in rows)
        return struct.pack(">hB", code, len(rows) + 1) + keys + struct.pack(">iB", 0, 0)
    keys = b"".join(struct.pack(">hhh", *row) for row in rows)
    throttle = struct.pack(">i", 0) if version >= 1 else b""
    return struct.pack(">hi", code, len(rows)) + keys + throttle


def metadata(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Topics and their partitions. Asking never creates a topic: a partition count is declared, not guessed."""
    # Version 0 has no null array, so an empty one means all.
    everything = request.topics is None or (header.version == 0 and not request.topics)
    names = list(node.catalog.topics) if everything else [asked.name for asked in request.topics]
    brokers = [MetadataResponse.MetadataResponseBroker(node_id=NODE_ID, host=node.host, port=node.port, rack=None)]
    return MetadataResponse(
        version=header.version,
        brokers=brokers,
        cluster_id=node.cluster_id,
        controller_id=NODE_ID,
        topics=[_topic(name, node.catalog.topics.get(name)) for name in names],
    )


def _topic(name: str, topic: LogTopic | None) -> Any:
    if topic is None:
        return MetadataResponse.MetadataResponseTopic(
            error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name=name, is_internal=False, partitions=[]
        )
    partitions = [
        MetadataResponse.MetadataResponseTopic.MetadataResponsePartition(
            error_code=ErrorCode.NONE,
            partition_index=number,
            leader_id=NODE_ID,
            leader_epoch=LEADER_EPOCH,
            replica_nodes=[NODE_ID],
            isr_nodes=[NODE_ID],
            offline_replicas=[],
        )
        for number in range(len(topic.partitions))
    ]
    return MetadataResponse.MetadataResponseTopic(
        error_code=ErrorCode.NONE, name=name, is_internal=False, partitions=partitions
    )


def find_coordinator(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """The only broker coordinates every group and every transactional id."""
    known = request.key_type in (_GROUP, _TRANSACTION)
    return FindCoordinatorResponse(
        version=header.version,
        error_code=ErrorCode.NONE if known else ErrorCode.INVALID_REQUEST,
        error_message=None,
        node_id=NODE_ID if known else -1,
        host=node.host if known else "",
        port=node.port if known else -1,
    )


def describe_cluster(node: BrokerNode, _: Any, header: RequestHeader) -> Any:
    """A cluster of one broker."""
    broker = DescribeClusterResponse.DescribeClusterBroker(broker_id=NODE_ID, host=node.host, port=node.port, rack=None)
    return DescribeClusterResponse(
        version=header.version, cluster_id=node.cluster_id, controller_id=NODE_ID, brokers=[broker]
    )
