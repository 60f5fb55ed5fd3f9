"""What is served, in which versions, and by whom.

Nearly all versions are the classic ones, before the "flexible" encoding: every client still speaks them, and none of
their fields has a length that a hostile frame could stretch. What is not listed here is answered with the protocol's
own error where it has one, and otherwise, as on Apache Kafka, by closing the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kafka.protocol import admin, consumer, metadata, producer

from bopis.broker.connection import Exchange
from bopis.broker.handlers import cluster, configs, groups, offsets, producers, topics
from bopis.broker.handlers.fetch import fetch
from bopis.broker.handlers.produce import produce
from bopis.broker.node import Node

PRODUCE, FETCH, API_VERSIONS = 0, 1, 18
API_VERSIONS_MAX = 3
API_VERSIONS_FLEXIBLE_FROM = 3

Handler = Callable[[Node, Any, Any], Any]


class Api(NamedTuple):
    """One kind of request. `flexible_from` is the first version with the flexible encoding."""

    lowest: int
    highest: int
    request: Any
    handler: Handler
    flexible_from: int = 1 << 15


HOT: Mapping[int, tuple[int, int, Callable[[Node, Exchange], None]]] = {
    PRODUCE: (0, 8, produce),
    FETCH: (4, 11, fetch),
}

APIS: Mapping[int, Api] = {
    2: Api(1, 5, consumer.ListOffsetsRequest, topics.list_offsets),
    3: Api(0, 8, metadata.MetadataRequest, cluster.metadata),
    8: Api(2, 7, consumer.OffsetCommitRequest, offsets.offset_commit),
    9: Api(1, 5, consumer.OffsetFetchRequest, offsets.offset_fetch),
    10: Api(0, 2, metadata.FindCoordinatorRequest, cluster.find_coordinator),
    11: Api(0, 5, consumer.JoinGroupRequest, groups.join_group),
    12: Api(0, 3, consumer.HeartbeatRequest, groups.heartbeat),
    13: Api(0, 3, consumer.LeaveGroupRequest, groups.leave_group),
    14: Api(0, 3, consumer.SyncGroupRequest, groups.sync_group),
    15: Api(0, 4, admin.DescribeGroupsRequest, groups.describe_groups),
    16: Api(0, 2, admin.ListGroupsRequest, groups.list_groups),
    19: Api(2, 4, admin.CreateTopicsRequest, topics.create_topics),
    20: Api(1, 3, admin.DeleteTopicsRequest, topics.delete_topics),
    21: Api(0, 1, admin.DeleteRecordsRequest, topics.delete_records),
    22: Api(0, 1, producer.InitProducerIdRequest, producers.init_producer_id),
    23: Api(2, 3, consumer.OffsetForLeaderEpochRequest, topics.offset_for_leader_epoch),
    32: Api(1, 3, admin.DescribeConfigsRequest, configs.describe_configs),
    33: Api(0, 1, admin.AlterConfigsRequest, configs.alter_configs),
    37: Api(0, 1, admin.CreatePartitionsRequest, topics.create_partitions),
    42: Api(0, 1, admin.DeleteGroupsRequest, groups.delete_groups),
    44: Api(0, 0, admin.IncrementalAlterConfigsRequest, configs.incremental_alter_configs),
    47: Api(0, 0, consumer.OffsetDeleteRequest, offsets.offset_delete),
    60: Api(0, 2, admin.DescribeClusterRequest, cluster.describe_cluster, 0),
    61: Api(0, 0, admin.DescribeProducersRequest, producers.describe_producers, 0),
}


def served() -> list[tuple[int, int, int]]:
    """Every key with its lowest and highest version, in order."""
    rows = [(key, lowest, highest) for key, (lowest, highest, _) in HOT.items()]
    rows += [(key, api.lowest, api.highest) for key, api in APIS.items()]
    rows.append((API_VERSIONS, 0, API_VERSIONS_MAX))
    return sorted(rows)


def is_flexible(key: int, version: int) -> bool:
    """Whether a request of this kind has the flexible header."""
    if key == API_VERSIONS:
        return version >= API_VERSIONS_FLEXIBLE_FROM
    api = APIS.get(key)
    return api is not None and api.flexible_from <= version <= api.highest


def refusal_of(key: int, version: int) -> bytes | None:
    """The whole body that says "unsupported version", for those requests whose answer can say it."""
    response = _RESPONSES.get(key)
    if response is None or not 0 <= version <= response.max_version or response.flexible_version_q(version):
        return None
    if "error_code" not in response.fields or not response.fields["error_code"].for_version_q(version):
        return None
    return bytes(response(version=version, error_code=35).encode(version=version))


_RESPONSES: Mapping[int, Any] = {
    api.request.API_KEY: getattr(module, api.request.name.replace("Request", "Response"))
    for api in APIS.values()
    for module in (admin, consumer, metadata, producer)
    if hasattr(module, api.request.name.replace("Request", "Response"))
} | {
    25: producer.AddOffsetsToTxnResponse,
    26: producer.EndTxnResponse,
}
