"""Reading the log with kafka-python, outside any consumer group: no committed offset changes."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaTopicPartition
from kafka import errors as kafka_errors

from bopis.adapters.client_errors import SEE, connection_failure, translate
from bopis.adapters.errors import AccessDenied, ReadStalled, TopicMissing
from bopis.adapters.publisher import bootstrap_ms
from bopis.ports import Offsets, Record, TopicPartition

POLL_SECONDS = 0.5
RETRY_MS = 20
STALL_SECONDS_MAX = 30.0
ABSENT_CHECK_SECONDS = 0.5
RECORDS_PER_POLL_MAX = 5_000
FETCH_BYTES = 4 << 20


class LogReader:
    """Implements `bopis.ports.Log`. Topics are named without the prefix, in arguments and results."""

    def __init__(self, bootstrap: str, prefix: str, *, timeout_seconds: float = 30.0, **options: Any) -> None:
        self._prefix = prefix
        settings = {
            "bootstrap_servers": bootstrap.split(","),
            "client_id": "bopis",
            "group_id": None,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            # Reading must not create a topic, with the broker's default settings.
            "allow_auto_create_topics": False,
            "bootstrap_timeout_ms": bootstrap_ms(timeout_seconds),
            "max_poll_records": RECORDS_PER_POLL_MAX,
            "max_partition_fetch_bytes": FETCH_BYTES,
            "fetch_max_wait_ms": int(POLL_SECONDS * 1000),
            # Also the pause between two metadata requests; a command sends several in a row.
            "retry_backoff_ms": RETRY_MS,
            "metrics_enabled": False,
        }
        try:
            self._consumer = KafkaConsumer(**(settings | options))
        except kafka_errors.KafkaError as error:
            raise connection_failure(bootstrap, error, options) from error
        self.assigned_to: ConsumerTail | None = None
        # A log with access rules hides topics that the user may not describe; a plain-text one has no rules.
        self._has_rules = options.get("security_protocol", "PLAINTEXT") != "PLAINTEXT"

    def start_offsets(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """The oldest offset of every partition. Topics that do not exist are omitted."""
        return self._by_topic(self._offsets(self._consumer.beginning_offsets, self._partitions(topics)))

    def end_offsets(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """The offset after the newest record of every partition. Topics that do not exist are omitted."""
        return self._by_topic(self._offsets(self._consumer.end_offsets, self._partitions(topics)))

    def offsets_at(self, topics: Iterable[str], at_ms: int) -> dict[TopicPartition, int]:
        """The offset of the first record of every partition that was appended at or after an instant; the partition's
        end if there is none."""
        partitions = self._partitions(topics)
        ends = self._offsets(self._consumer.end_offsets, partitions)
        try:
            found = self._offset_at(partitions, at_ms)
        except kafka_errors.KafkaError as error:
            raise translate(error, "(all)", SEE) from error
        return self._by_topic(ends | found)

    def read(self, first: Offsets, end: Offsets) -> Iterator[Record]:
        """Every record from `first` (inclusive) to `end` (exclusive), in order within a partition.

        Raises `ReadStalled` when the log sends nothing for STALL_SECONDS_MAX.
        """
        unread = {self._partition(*where): end[where] for where in first if first[where] < end.get(where, 0)}
        self._assign({it: first[it.topic.removeprefix(self._prefix), it.partition] for it in unread})
        received_at = time.monotonic()
        while unread:
            for partition, records in self._poll().items():
                received_at = time.monotonic()
                until = unread.get(partition, 0)
                yield from (self._record(it) for it in records if it.offset < until)
            # By position, not by the last record: the offsets before `end` may be missing after compaction.
            reached = [it for it, until in unread.items() if self._consumer.position(it) >= until]
            for partition in reached:
                del unread[partition]
                self._consumer.pause(partition)
            if unread and time.monotonic() - received_at > STALL_SECONDS_MAX:
                partition, until = next(iter(unread.items()))
                raise ReadStalled(
                    seconds=int(STALL_SECONDS_MAX), topic=partition.topic, partition=partition.partition, end=until
                )

    def tail(self, topics: Iterable[str], first: Offsets | None = None) -> "ConsumerTail":
        """Follow topics from their current ends, or from the offsets in `first`. The reader may be used for other reads
        between two polls."""
        return ConsumerTail(self, tuple(topics), first or {})

    def follow(self, first: Offsets) -> Iterator[Record]:
        """Every record from `first` on, without end."""
        self._assign({self._partition(*where): offset for where, offset in first.items()})
        while True:
            for records in self._poll().values():
                yield from (self._record(it) for it in records)

    def close(self) -> None:
        self._consumer.close(autocommit=False)

    def __enter__(self) -> "LogReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _partitions(self, topics: Iterable[str]) -> list[Any]:
        try:
            return [
                KafkaTopicPartition(self._prefix + topic, partition)
                for topic in topics
                for partition in self._numbers(self._prefix + topic)
            ]
        except kafka_errors.KafkaError as error:
            raise translate(error, "(all)", SEE) from error

    def _numbers(self, topic: str) -> list[int]:
        """Numbers of a topic's partitions: from the consumer's metadata, or from the log if they are not there."""
        found = self._consumer.partitions_for_topic(topic)
        if not found and self._has_rules:
            # kafka-python treats a hidden topic as absent; its cluster metadata still knows which topics are hidden.
            cluster, manager = self._consumer._cluster, self._consumer._manager
            self._consumer._net.run(manager.wait_for, cluster.add_topic(topic), None)
            if topic in cluster.unauthorized_topics:
                raise AccessDenied(right=f"{SEE} on topic {topic}")
        return sorted(found or ())

    @staticmethod
    def _offsets(request: Any, partitions: list[Any]) -> dict[Any, Any]:
        try:
            try:
                return dict(request(partitions))
            except KeyError:
                # kafka-python skips a partition whose leader it does not know. Asked for one partition, it looks it up.
                return {it: request([it])[it] for it in partitions}
        except kafka_errors.KafkaError as error:
            raise translate(error, "(all)", SEE) from error

    def _offset_at(self, partitions: list[Any], at_ms: int) -> dict[Any, int]:
        """The first offset at or after an instant. Partitions without such a record are omitted."""
        found = self._consumer.offsets_for_times(dict.fromkeys(partitions, at_ms))
        if len(partitions) > 1:
            # None means that there is no such record, or that kafka-python does not know the leader: ask once more.
            for it in [it for it in partitions if found.get(it) is None]:
                found |= self._consumer.offsets_for_times({it: at_ms})
        return {it: first.offset for it, first in found.items() if first is not None}

    def _assign(self, first: dict[Any, int]) -> None:
        self.assigned_to = None
        self._consumer.assign(list(first))
        # An earlier read may have paused them at its end.
        self._consumer.resume(*first)
        for partition, offset in first.items():
            self._consumer.seek(partition, offset)

    def _poll(self, seconds: float = POLL_SECONDS) -> dict[Any, list[Any]]:
        try:
            polled: dict[Any, list[Any]] = self._consumer.poll(timeout_ms=int(seconds * 1000))
        except kafka_errors.KafkaError as error:
            raise translate(error, "(read)", "READ") from error
        return polled

    def _partition(self, topic: str, partition: int) -> Any:
        return KafkaTopicPartition(self._prefix + topic, partition)

    def _by_topic(self, offsets: dict[Any, int]) -> dict[TopicPartition, int]:
        return {(it.topic.removeprefix(self._prefix), it.partition): offset for it, offset in offsets.items()}

    def _record(self, it: Any) -> Record:
        topic = it.topic.removeprefix(self._prefix)
        return Record(topic, it.partition, it.offset, it.timestamp, it.key, it.value, tuple(it.headers))


class ConsumerTail:
    """Implements `bopis.ports.LogTail` over the consumer of a reader."""

    def __init__(self, reader: LogReader, topics: tuple[str, ...], first: Offsets) -> None:
        self._reader = reader
        self._next = reader.end_offsets(topics) | dict(first)
        self._absent = set(topics) - {topic for topic, _ in self._next}
        self._checked_at = time.monotonic()

    def poll(self, seconds: float) -> list[Record]:
        """The records since the last call; waits at most this long for the first."""
        reader = self._reader
        self._find_absent()
        # Another read of the same reader has moved its consumer in the meantime.
        if reader.assigned_to is not self:
            reader._assign({reader._partition(*where): offset for where, offset in self._next.items()})
            reader.assigned_to = self
        if not self._next:
            time.sleep(seconds)
            return []
        found = [reader._record(it) for records in reader._poll(seconds).values() for it in records]
        self._next = {where: reader._consumer.position(reader._partition(*where)) for where in self._next}
        return found

    @property
    def next(self) -> Offsets:
        """The offsets behind what `poll` has returned."""
        return self._next

    def has_reached(self, ends: Offsets) -> bool:
        """Whether `poll` has returned every record before these offsets."""
        return all(self._next.get(where, 0) >= end for where, end in ends.items())

    def _find_absent(self) -> None:
        """Follow topics that were created after the tail was opened, from their first record."""
        if not self._absent or time.monotonic() - self._checked_at < ABSENT_CHECK_SECONDS:
            return
        self._checked_at = time.monotonic()
        found = self._reader.start_offsets(self._absent)
        if found:
            self._next |= found
            self._absent -= {topic for topic, _ in found}
            self._reader.assigned_to = None


def require(offsets: Offsets, topic: str) -> None:
    """Raise `TopicMissing` unless the offsets contain a partition of the topic."""
    if not any(name == topic for name, _ in offsets):
        raise TopicMissing(topic=topic)
