"""The composition root of one processor: Faust around the exact step."""

from collections.abc import Callable
from typing import Any

import faust

from streams.engine.aiokafka_internals import is_member
from streams.engine.connection import LogConnection
from streams.engine.ownership import OwnedPartitions
from streams.engine.processor import Processor
from streams.limits import StreamLimits

SCHEME = "batched"


class StreamApp(faust.App):  # type: ignore[misc]  # Faust ships no types
    """A Faust app that knows its owned partitions. The transport reads these fields."""

    owned_partitions: OwnedPartitions
    limits: StreamLimits
    # Called from any thread when the worker cannot go on.
    failed: Callable[[BaseException], object]
    group_consumer: Any = None

    def is_member(self) -> bool | None:
        """Whether the group counts this worker; None while it has not asked to join."""
        return None if self.group_consumer is None else is_member(self.group_consumer)


def build_app(
    processor: Processor, connection: LogConnection, limits: StreamLimits, partitions: OwnedPartitions
) -> StreamApp:
    """One agent: take a chunk, step, stage. Outputs leave with the commit."""
    app = StreamApp(connection.group(processor.name), **app_settings(processor, connection, limits))
    app.owned_partitions = partitions
    app.limits = limits
    source = app.topic(connection.topic(processor.source), key_serializer="raw", value_serializer="raw", acks=False)

    @app.agent(source, concurrency=1, name=processor.name)  # type: ignore[untyped-decorator]  # Faust ships no types
    async def step(chunks: Any) -> None:
        async for chunk in chunks:
            await partitions.take(chunk)
            app.consumer.taken()
            if not app.consumer.ahead:
                partitions.flush()

    return app


def app_settings(processor: Processor, connection: LogConnection, limits: StreamLimits) -> dict[str, Any]:
    """Settings of a Faust app for a processor's source and group."""
    group = connection.group(processor.name)
    hosts = connection.bootstrap.split(",")
    data_dir = connection.data_dir / "faust" / group
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    return {
        "broker": [f"{SCHEME}://{host}" for host in hosts],
        "datadir": str(data_dir),
        "consumer_group_instance_id": f"{group}-{connection.instance}" if connection.instance else None,
        "broker_session_timeout": limits.session_timeout_ms / 1000,
        "broker_heartbeat_interval": limits.heartbeat_ms / 1000,
        "broker_rebalance_timeout": limits.rebalance_timeout_ms / 1000,
        # Faust refuses a request timeout below the session timeout.
        "broker_request_timeout": max(limits.request_timeout_ms, limits.session_timeout_ms) / 1000,
        "broker_commit_interval": limits.group_offsets_s,
        "broker_check_crcs": True,
        "consumer_max_fetch_size": limits.fetch_bytes_max,
        "consumer_auto_offset_reset": "earliest",
        # A chunk is one message, so this many is never reached: the transport bounds what is ahead.
        "stream_buffer_maxsize": 4096,
        "stream_wait_empty": False,
        # The group's assignment also places the standby tables, and makes the keeper of one the next owner.
        "table_standby_replicas": limits.standby,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "worker_redirect_stdouts": False,
        "web_enabled": False,
        **_security(connection),
    }


def _security(connection: LogConnection) -> dict[str, Any]:
    """SASL and TLS in Faust's own types."""
    options = connection.client_options()
    context = options.get("ssl_context")
    if "sasl_mechanism" in options:
        return {
            "broker_credentials": faust.SASLCredentials(
                mechanism=options["sasl_mechanism"],
                username=options["sasl_plain_username"],
                password=options["sasl_plain_password"],
                ssl_context=context,
            )
        }
    return {} if context is None else {"broker_credentials": faust.SSLCredentials(context)}
