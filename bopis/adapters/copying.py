"""Copying records to known offsets with kafka-python: their times are kept, and where each one lands is checked."""

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka import errors as kafka_errors
from kafka.partitioner.default import murmur2

from bopis.adapters.errors import CopyMisplaced, NotAcknowledged
from bopis.adapters.publisher import bootstrap_ms
from bopis.adapters.refusals import no_way_in, translate

BATCH_BYTES = 512 << 10
LINGER_MS = 20
REQUEST_BYTES_MAX = 40 << 20
RECORDS_UNDERWAY_MAX = 20_000
KEYS_REMEMBERED_MAX = 100_000
# A batch that was given up would be a hole that the next one closes: patience is what keeps the order whole.
PATIENCE_SECONDS = 3_600.0


class Copied(Protocol):
    """A record with its place."""

    @property
    def partition(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...
    @property
    def timestamp_ms(self) -> int: ...


class CopyWriter:
    """Topics are named without the prefix. One batch of a partition follows the other, none is ever left out, so
    what has arrived is always the beginning of what was handed over."""

    def __init__(self, bootstrap: str, prefix: str, *, timeout_seconds: float = 30.0, **options: Any) -> None:
        self._prefix = prefix
        self._failure: Exception | None = None
        self._underway = 0
        settings = {
            "bootstrap_servers": bootstrap.split(","),
            "client_id": "bopis",
            "enable_idempotence": True,
            "acks": "all",
            "linger_ms": LINGER_MS,
            "batch_size": BATCH_BYTES,
            "delivery_timeout_ms": int(PATIENCE_SECONDS * 1000),
            "request_timeout_ms": int(timeout_seconds * 1000),
            "max_block_ms": int(timeout_seconds * 1000),
            "bootstrap_timeout_ms": bootstrap_ms(timeout_seconds),
            "max_request_size": REQUEST_BYTES_MAX,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }
        self._timeout_seconds = timeout_seconds
        try:
            self._producer = KafkaProducer(**(settings | options))
        except kafka_errors.KafkaError as error:
            raise no_way_in(bootstrap, error, options) from error

    def append(self, topic: str, offset: int, copy: Copied) -> None:
        """Hand a record over that must get this offset. Raises `CopyMisplaced` when an earlier one got another."""
        self._check()
        try:
            future = self._producer.send(
                self._prefix + topic,
                key=copy.key,
                value=copy.value,
                headers=list(copy.headers),
                partition=copy.partition,
                timestamp_ms=copy.timestamp_ms,
            )
        except kafka_errors.KafkaError as error:
            raise translate(error, topic) from error
        future.add_callback(self._landed, topic, offset)
        future.add_errback(self._failed, topic)
        self._underway += 1
        if self._underway >= RECORDS_UNDERWAY_MAX:
            self.flush()

    def flush(self) -> None:
        """Wait until everything handed over stands where it must."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while self._failure is None:
            try:
                self._producer.flush(self._timeout_seconds)
                break
            except kafka_errors.KafkaTimeoutError as error:
                if time.monotonic() > give_up:
                    raise NotAcknowledged(topic=self._prefix) from error
        self._check()
        self._underway = 0

    def close(self) -> None:
        """Hang up. What is still under way may arrive or not; either way it is the beginning of what was to come."""
        self._producer.close(timeout=0 if self._failure is not None or self._underway else self._timeout_seconds)

    def __enter__(self) -> "CopyWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _landed(self, topic: str, offset: int, told: Any) -> None:
        if told.offset != offset and self._failure is None:
            name = self._prefix + topic
            self._failure = CopyMisplaced(topic=name, partition=told.partition, offset=told.offset, expected=offset)

    def _failed(self, topic: str, error: Exception) -> None:
        if self._failure is None:
            self._failure = translate(error, topic)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure


@lru_cache(KEYS_REMEMBERED_MAX)
def place(key: bytes, partitions: int) -> int:
    """The partition of a key, by the rule that every client of the log has."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
