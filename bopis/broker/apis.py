"""The requests that are served, in which versions, and by which handlers.

Nearly all versions are the classic ones, before the "flexible" encoding: every client still supports them, and no field
has a length that a hostile frame could inflate. A request that is not listed is answered with the protocol's own error
where its response has a field for one, and otherwise by closing the connection, as Apache Kafka does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kafka.protocol import admin, consumer, metadata, producer
from kafka.protocol.api_key import ApiKey

from bopis.broker.connection import PendingRequest
from bopis.broker.error_codes import ErrorCode
from bopis.broker.handlers import cluster, configs, groups, offsets, producers, topics
from bopis.broker.handlers.cluster import ServedVersions
from bopis.broker.handlers.fetch import fetch
from bopis.broker.handlers.produce import produce
from bopis.broker.node import BrokerNode

API_VERSIONS_MAX = 3
API_VERSIONS_FLEXIBLE_FROM = 3
_NEVER = 1 << 15

Handler = Callable[[BrokerNode, Any, Any], Any]


class Api(NamedTuple):
    """A request that the library decodes. `flexible_from` is the first version with the flexible encoding."""

    lowest: int
    highest: int
    request: Any
    handler: Handler
    flexible_from: int = _NEVER


class HotApi(NamedTuple):
    """A request that its handler decodes itself, because it comes most often."""

    lowest: int
    highest: int
    handler: Callable[[BrokerNode, PendingRequest], None]


HOT: Mapping[int, HotApi] = {
    ApiKey.Produce: HotApi(0, 8, produce),
    ApiKey.Fetch: HotApi(4, 11, fetch),
}

APIS: Mapping[int, Api] = {
    api.request.API_KEY: api
    for api in (
        Api(1, 5, consumer.ListOffsetsRequest, topics.list_offsets),
        Api(0, 8, metadata.MetadataRequest, cluster.metadata),
        Api(2, 7, consumer.OffsetCommitRequest, offsets.offset_commit),
        Api(1, 5, consumer.OffsetFetchRequest, offsets.offset_fetch),
        Api(0, 2, metadata.FindCoordinatorRequest, cluster.find_coordinator),
        Api(0, 5, consumer.JoinGroupRequest, groups.join_group),
        Api(0, 3, consumer.HeartbeatRequest, groups.heartbeat),
        Api(0, 3, consumer.LeaveGroupRequest, groups.leave_group),
        Api(0, 3, consumer.SyncGroupRequest, groups.sync_group),
        Api(0, 4, admin.DescribeGroupsRequest, groups.describe_groups),
        Api(0, 2, admin.ListGroupsRequest, groups.list_groups),
        Api(2, 4, admin.CreateTopicsRequest, topics.create_topics),
        Api(1, 3, admin.DeleteTopicsRequest, topics.delete_topics),
        Api(0, 1, admin.DeleteRecordsRequest, topics.delete_records),
        Api(0, 1, producer.InitProducerIdRequest, producers.init_producer_id),
        Api(2, 3, consumer.OffsetForLeaderEpochRequest, topics.offset_for_leader_epoch),
        Api(1, 3, admin.DescribeConfigsRequest, configs.describe_configs),
        Api(0, 1, admin.AlterConfigsRequest, configs.alter_configs),
        Api(0, 1, admin.CreatePartitionsRequest, topics.create_partitions),
        Api(0, 1, admin.DeleteGroupsRequest, groups.delete_groups),
        Api(0, 0, admin.IncrementalAlterConfigsRequest, configs.incremental_alter_configs),
        Api(0, 0, consumer.OffsetDeleteRequest, offsets.offset_delete),
        Api(0, 2, admin.DescribeClusterRequest, cluster.describe_cluster, 0),
        Api(0, 0, admin.DescribeProducersRequest, producers.describe_producers, 0),
    )
}


def served() -> list[ServedVersions]:
    """Every request with its lowest and highest version, by API key."""
    rows = [ServedVersions(key, api.lowest, api.highest) for key, api in HOT.items()]
    rows += [ServedVersions(key, api.lowest, api.highest) for key, api in APIS.items()]
    rows.append(ServedVersions(ApiKey.ApiVersions, 0, API_VERSIONS_MAX))
    return sorted(rows)


def is_flexible(key: int, version: int) -> bool:
    """Whether a request of this version has the flexible header."""
    if key == ApiKey.ApiVersions:
        return version >= API_VERSIONS_FLEXIBLE_FROM
    api = APIS.get(key)
    return api is not None and api.flexible_from <= version <= api.highest


def refusal_of(key: int, version: int) -> bytes | None:
    """The body of a response that says UNSUPPORTED_VERSION; None where the response has no field for it."""
    response = _RESPONSES.get(key)
    if response is None or not 0 <= version <= response.max_version or response.flexible_version_q(version):
        return None
    if "error_code" not in response.fields or not response.fields["error_code"].for_version_q(version):
        return None
    return bytes(response(version=version, error_code=ErrorCode.UNSUPPORTED_VERSION).encode(version=version))


_RESPONSES: Mapping[int, Any] = {
    api.request.API_KEY: getattr(module, api.request.name.replace("Request", "Response"))
    for api in APIS.values()
    for module in (admin, consumer, metadata, producer)
    if hasattr(module, api.request.name.replace("Request", "Response"))
} | {
    # Transactions are not served, but these two responses can say so.
    ApiKey.AddOffsetsToTxn: producer.AddOffsetsToTxnResponse,
    ApiKey.EndTxn: producer.EndTxnResponse,
}
