"""Every limit of a stream worker, named, with its unit at the end."""

import msgspec


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one worker process. They change speed and patience, never what a processor decides."""

    # Membership: how long the log waits for a silent worker before it gives its partitions away.
    session_timeout_ms: int = 10_000
    heartbeat_ms: int = 3_000
    rebalance_timeout_ms: int = 20_000

    # Patience with the log. An absence longer than `absence_s_max` ends the worker; a supervisor starts it again.
    request_timeout_ms: int = 15_000
    retry_backoff_ms: int = 100
    retry_backoff_ms_max: int = 1_000
    absence_s_max: float = 300.0
    drain_s_max: float = 8.0
    stop_s_max: float = 5.0
    # True: a clean stop gives a named worker's partitions away at once. False: they wait for it to come back.
    leave_on_stop: bool = True

    # Reading. A chunk is the records of one fetch for one partition.
    fetch_bytes_max: int = 1 << 20
    recovery_fetch_bytes_max: int = 8 << 20
    # Tables that a worker keeps whole: read in larger pieces, a moment later. Each piece costs as much as a hundred
    # rows, and a decision may see rows that are a moment old.
    table_fetch_bytes_min: int = 1 << 16
    table_fetch_wait_ms: int = 10
    table_quiet_wait_ms: int = 1_500
    fetch_wait_s: float = 1.0
    chunks_ahead_max: int = 8
    slice_records_max: int = 128
    record_bytes_max: int = 1 << 20
    gap_seeks_max: int = 20
    # True: continue at the oldest record left when retention removed records before they were decided.
    truncated_source_accepted: bool = False

    # Committing. One commit is one atomic batch, so the changelog topic must take batches this large.
    commit_bytes_max: int = 32 << 20
    commit_bytes_target: int = 4 << 20
    commit_rows_max: int = 20_000
    # A fetch of more records than this is a backlog; its commits gather rows for so long, or until one is full.
    backlog_records: int = 512
    commit_gather_s: float = 0.5
    staged_outputs_max: int = 20_000
    output_batch_bytes_max: int = 900_000
    request_bytes_max: int = 8 << 20
    group_offsets_s: float = 3.0

    # Watchdogs: how often they check, and how long a stall may last before the worker ends and is started again.
    watch_s: float = 5.0
    stall_s: float = 60.0
    recovery_stall_s: float = 120.0
    commit_stall_s: float = 120.0
    # Longer than a rebalance may take; counted only while the log answers.
    group_stall_s: float = 45.0
    disk_free_bytes_min: int = 256 << 20

    # Reports to the topic `workers`: how often, and how long writing one may take.
    status_s: float = 5.0
    status_write_s_max: float = 5.0

    # Standby tables: how many of each partition the group keeps, and how gently they are fed. One that lagged for
    # longer than the changelog keeps its tombstones could miss that a row was dropped.
    standby: int = 0
    standby_slice_records: int = 500
    standby_fetch_bytes_min: int = 1 << 16
    standby_fetch_wait_ms: int = 500
    standby_retry_s: float = 5.0
    tombstones_kept_s: float = 12 * 3600

    # Topics that a worker declares.
    source_bytes_max: int = 8 << 20
    dead_letter_bytes_max: int = 9 << 20

    # How long one thread of a worker may keep the interpreter from another that waits for it. Python's own five
    # milliseconds are longer than most transactions.
    thread_switch_s: float = 0.0002

    # Ticks.
    tick_check_ms: int = 100
    tick_repeat_ms: int = 1_000

    # Libraries log many lines; below this level their texts are not even built.
    library_log_level: str = "WARNING"

    @property
    def sleep_s_max(self) -> float:
        """Seconds after which a process that did not run may have been dropped from its group: its last heartbeat may
        have been an interval old when it fell asleep."""
        return max(self.session_timeout_ms - self.heartbeat_ms, self.session_timeout_ms / 2) / 1000


class SupervisorLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How patiently a supervisor starts, restarts and stops its children."""

    ready_s_max: float = 60.0
    stop_s_max: float = 15.0
    restart_backoff_s: float = 0.2
    restart_backoff_s_max: float = 30.0
    # Restarts in a row after which an essential child is given up, and any other one is reported as failing.
    restarts_max: int = 20
    # Restarts after which the next child no longer waits until this one is ready.
    waited_for_restarts_max: int = 3
    # A child that has run for this long is healthy again, and its restarts no longer count.
    stable_s: float = 60.0
