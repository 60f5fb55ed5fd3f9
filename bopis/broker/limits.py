"""Every limit of the embedded log, with its unit in its name.

The defaults suit one shop or one head office on a small machine: 150 MB resident, whatever the size of the log. A
higher limit lets a misbehaving client take more.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLimits:
    """The limits of a server. Every loop, queue and cache of the package has one of these as its bound."""

    # Sockets. `advertised_port` is sent to clients, for example that of a proxy; 0 for the listening port.
    advertised_port: int = 0
    connections_max: int = 512
    frame_bytes_max: int = 40 * MIB
    control_frame_bytes_max: int = 1 * MIB
    flexible_frame_bytes_max: int = 16 * KIB
    ingress_bytes_max: int = 64 * MIB
    egress_bytes_max: int = 48 * MIB
    write_buffer_bytes_high: int = 256 * KIB
    requests_in_flight_max: int = 64
    frame_timeout_seconds: float = 30.0
    write_stall_seconds: float = 30.0
    connection_idle_seconds: float = 600.0

    # Appending
    commit_group_bytes_max: int = 8 * MIB
    producer_batches_kept: int = 5
    producer_states_cached: int = 10_000
    producer_expiry_seconds: float = 86_400.0
    producer_id_block: int = 1_000

    # Reading
    fetch_cache_bytes: int = 16 * MIB
    fetch_response_bytes_max: int = 8 * MIB
    fetch_wait_ms_max: int = 60_000
    read_batches_max: int = 4_096

    # Topics
    topics_max: int = 2_000
    partitions_max: int = 10_000
    partitions_per_topic_max: int = 1_000

    # Groups
    groups_max: int = 5_000
    group_members_max: int = 500
    group_session_timeout_ms_min: int = 1_000
    group_session_timeout_ms_max: int = 1_800_000
    group_join_delay_ms: int = 0
    group_tick_seconds: float = 0.1
    offset_metadata_bytes_max: int = 4_096

    # Storage
    writer_cache_bytes: int = 8 * MIB
    reader_cache_bytes: int = 2 * MIB
    wal_bytes_checkpoint: int = 8 * MIB
    wal_quiet_seconds: float = 5.0
    wal_bytes_max: int = 64 * MIB
    start_check_bytes_max: int = 64 * MIB

    # Housekeeping
    retention_interval_seconds: float = 30.0
    compaction_interval_seconds: float = 15.0
    compaction_keys_max: int = 100_000
    compaction_slice_bytes: int = 128 * KIB
    compaction_rest_ratio: float = 2.0
    purge_slice_rows: int = 256
    purge_slice_bytes: int = 1 * MIB
    vacuum_slice_pages: int = 128
    vacuum_free_pages_min: int = 512
    vacuum_free_ratio_min: float = 0.1

    def with_text(self, assignments: dict[str, str]) -> BrokerLimits:
        """A copy with some limits given as text, as on a command line. Raises `ValueError` for an unknown name."""
        kinds: dict[str, Any] = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, text in assignments.items():
            if name not in kinds:
                raise ValueError(f"There is no limit named {name!r}. The limits are: {', '.join(sorted(kinds))}.")
            values[name] = kinds[name](text)
        return BrokerLimits(**values)
