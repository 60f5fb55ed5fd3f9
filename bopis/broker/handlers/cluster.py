"""Who is here and what it can do: ApiVersions, Metadata, FindCoordinator, DescribeCluster."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from kafka.protocol.admin import DescribeClusterResponse
from kafka.protocol.metadata import FindCoordinatorResponse, MetadataResponse

from bopis.broker.batch import LEADER_EPOCH
from bopis.broker.codes import Code
from bopis.broker.frames import RequestHeader
from bopis.broker.node import NODE_ID, Node
from bopis.broker.partition import Topic

_GROUP, _TRANSACTION = 0, 1
_FLEXIBLE_FROM = 3


def api_versions(code: Code, version: int, served: Iterable[tuple[int, int, int]]) -> bytes:
    """What is served, as (key, lowest, highest version). Written by hand: clients send it before they know us."""
    rows = list(served)
    if version >= _FLEXIBLE_FROM:
        keys = b"".join(struct.pack(">hhhB", *row, 0) for row in rows)
        return struct.pack(">hB", code, len(rows) + 1) + keys + struct.pack(">iB", 0, 0)
    keys = b"".join(struct.pack(">hhh", *row) for row in rows)
    throttle = struct.pack(">i", 0) if version >= 1 else b""
    return struct.pack(">hi", code, len(rows)) + keys + throttle


def metadata(node: Node, request: Any, header: RequestHeader) -> Any:
    """Topics are never made by asking for them: a partition count is declared, not guessed."""
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


def _topic(name: str, topic: Topic | None) -> Any:
    if topic is None:
        return MetadataResponse.MetadataResponseTopic(
            error_code=Code.UNKNOWN_TOPIC_OR_PARTITION, name=name, is_internal=False, partitions=[]
        )
    partitions = [
        MetadataResponse.MetadataResponseTopic.MetadataResponsePartition(
            error_code=Code.NONE,
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
        error_code=Code.NONE, name=name, is_internal=False, partitions=partitions
    )


def find_coordinator(node: Node, request: Any, header: RequestHeader) -> Any:
    """There is one node, and it coordinates every group and every named writer."""
    known = request.key_type in (_GROUP, _TRANSACTION)
    return FindCoordinatorResponse(
        version=header.version,
        error_code=Code.NONE if known else Code.INVALID_REQUEST,
        error_message=None,
        node_id=NODE_ID if known else -1,
        host=node.host if known else "",
        port=node.port if known else -1,
    )


def describe_cluster(node: Node, _: Any, header: RequestHeader) -> Any:
    """One node, by itself."""
    broker = DescribeClusterResponse.DescribeClusterBroker(broker_id=NODE_ID, host=node.host, port=node.port, rack=None)
    return DescribeClusterResponse(
        version=header.version, cluster_id=node.cluster_id, controller_id=NODE_ID, brokers=[broker]
    )
