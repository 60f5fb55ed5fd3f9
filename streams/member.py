"""A member of a consumer group that tells the group itself what it has dealt with."""

from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.connection import Connection
from streams.limits import StreamLimits


def member(connection: Connection, limits: StreamLimits, name: str) -> Any:
    """A consumer in the group of a processor; with an instance's name it is a static member."""
    group = connection.group(name)
    return AIOKafkaConsumer(
        group_id=group,
        group_instance_id=f"{group}-{connection.instance}" if connection.instance else None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=limits.session_timeout_ms,
        heartbeat_interval_ms=limits.heartbeat_ms,
        rebalance_timeout_ms=limits.rebalance_timeout_ms,
        request_timeout_ms=max(limits.request_timeout_ms, limits.session_timeout_ms),
        max_partition_fetch_bytes=limits.fetch_bytes_max,
        **connection.client_options(),
    )
