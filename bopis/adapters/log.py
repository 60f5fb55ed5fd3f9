"""Reading the log with kafka-python, outside any group: nothing that is read here moves anybody's position."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors

from bopis.adapters.errors import ReadStalled, RightMissing, TopicMissing
from bopis.adapters.publisher import bootstrap_ms
from bopis.adapters.refusals import SEE, no_way_in, translate
from bopis.ports import Offsets, Record

POLL_SECONDS = 0.5
RETRY_MS = 20
STALL_SECONDS_MAX = 30.0
RECORDS_PER_POLL_MAX = 5_000
FETCH_BYTES = 4 << 20


class LogReader:
    """Topics are named without the prefix, going in and coming out."""

    def __init__(self, bootstrap: str, prefix: str, *, timeout_seconds: float = 30.0, **options: Any) -> None:
        self._prefix = prefix
        settings = {
            "bootstrap_servers": bootstrap.split(","),
            "client_id": "bopis",
            "group_id": None,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "allow_auto_create_topics": False,
            "bootstrap_timeout_ms": bootstrap_ms(timeout_seconds),
            "max_poll_records": RECORDS_PER_POLL_MAX,
            "max_partition_fetch_bytes": FETCH_BYTES,
            "fetch_max_wait_ms": int(POLL_SECONDS * 1000),
            # Also the pause between two questions about topics, which a command asks right after each other.
            "retry_backoff_ms": RETRY_MS,
            "metrics_enabled": False,
        }
        try:
            self._consumer = KafkaConsumer(**(settings | options))
        except kafka_errors.KafkaError as error:
            raise no_way_in(bootstrap, error, options) from error
        # A log with access rules keeps silent about topics that one may not see; a plain one has no rules.
        self._has_rules = options.get("security_protocol", "PLAINTEXT") != "PLAINTEXT"

    def start_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The oldest offset of every partition; topics that are absent are left out."""
        return self._by_topic(self._offsets(self._consumer.beginning_offsets, self._partitions(topics)))

    def end_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The offset after the newest record of every partition; topics that are absent are left out."""
        return self._by_topic(self._offsets(self._consumer.end_offsets, self._partitions(topics)))

    def offsets_at(self, topics: Iterable[str], at_ms: int) -> dict[tuple[str, int], int]:
        """The first offset of every partition whose record the log learned at or after an instant."""
        partitions = self._partitions(topics)
        ends = self._offsets(self._consumer.end_offsets, partitions)
        try:
            found = self._offset_at(partitions, at_ms)
        except kafka_errors.KafkaError as error:
            raise translate(error, "(all)", SEE) from error
        return self._by_topic(ends | found)

    def read(self, first: Offsets, end: Offsets) -> Iterator[Record]:
        """Every record from `first` up to, not with, `end`; in order within a partition."""
        wanted = {self._partition(*where): end[where] for where in first if first[where] < end.get(where, 0)}
        self._assign({it: first[it.topic.removeprefix(self._prefix), it.partition] for it in wanted})
        heard = time.monotonic()
        while wanted:
            for partition, records in self._poll().items():
                heard = time.monotonic()
                until = wanted.get(partition, 0)
                yield from (self._record(it) for it in records if it.offset < until)
            reached = [it for it, until in wanted.items() if self._consumer.position(it) >= until]
            for partition in reached:
                del wanted[partition]
                self._consumer.pause(partition)
            if wanted and time.monotonic() - heard > STALL_SECONDS_MAX:
                partition, until = next(iter(wanted.items()))
                raise ReadStalled(
                    seconds=int(STALL_SECONDS_MAX), topic=partition.topic, partition=partition.partition, end=until
                )

    def follow(self, first: Offsets) -> Iterator[Record]:
        """Every record from `first` on, for ever."""
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
        # What is remembered is used; only for a topic that is not, the log is asked.
        try:
            return [
                TopicPartition(self._prefix + topic, partition)
                for topic in topics
                for partition in self._numbers(self._prefix + topic)
            ]
        except kafka_errors.KafkaError as error:
            raise translate(error, "(all)", SEE) from error

    def _numbers(self, topic: str) -> list[int]:
        found = self._consumer.partitions_for_topic(topic)
        if not found and self._has_rules:
            cluster, manager = self._consumer._cluster, self._consumer._manager
            self._consumer._net.run(manager.wait_for, cluster.add_topic(topic), None)
            if topic in cluster.unauthorized_topics:
                raise RightMissing(right=f"{SEE} on topic {topic}")
        return sorted(found or ())

    @staticmethod
    def _offsets(question: Any, partitions: list[Any]) -> dict[Any, Any]:
        try:
            try:
                return dict(question(partitions))
            except KeyError:
                # kafka-python forgets a partition whose leader it does not know just now. Of one alone it finds out.
                return {it: question([it])[it] for it in partitions}
        except kafka_errors.KafkaError as error:
            raise translate(error, "(all)", SEE) from error

    def _offset_at(self, partitions: list[Any], at_ms: int) -> dict[Any, int]:
        """Where records at or after an instant begin; partitions that have none are left out."""
        found = self._consumer.offsets_for_times(dict.fromkeys(partitions, at_ms))
        if len(partitions) > 1:
            # None says that there is no such record, or that the leader is not known just now.
            for it in [it for it in partitions if found.get(it) is None]:
                found |= self._consumer.offsets_for_times({it: at_ms})
        return {it: place.offset for it, place in found.items() if place is not None}

    def _assign(self, first: dict[Any, int]) -> None:
        self._consumer.assign(list(first))
        self._consumer.resume(*first)
        for partition, offset in first.items():
            self._consumer.seek(partition, offset)

    def _poll(self) -> dict[Any, list[Any]]:
        try:
            polled: dict[Any, list[Any]] = self._consumer.poll(timeout_ms=int(POLL_SECONDS * 1000))
        except kafka_errors.KafkaError as error:
            raise translate(error, "(read)", "READ") from error
        return polled

    def _partition(self, topic: str, partition: int) -> Any:
        return TopicPartition(self._prefix + topic, partition)

    def _by_topic(self, offsets: dict[Any, int]) -> dict[tuple[str, int], int]:
        return {(it.topic.removeprefix(self._prefix), it.partition): offset for it, offset in offsets.items()}

    def _record(self, it: Any) -> Record:
        topic = it.topic.removeprefix(self._prefix)
        return Record(topic, it.partition, it.offset, it.timestamp, it.key, it.value, tuple(it.headers))


def require(offsets: Offsets, topic: str) -> None:
    """Raise `TopicMissing` unless the topic was found."""
    if not any(name == topic for name, _ in offsets):
        raise TopicMissing(topic=topic)
