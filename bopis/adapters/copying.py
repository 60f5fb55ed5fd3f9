"""Copying records to known offsets with kafka-python: their timestamps are kept, and each resulting offset is
checked."""

import time
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from bopis.adapters.client_errors import connection_failure, translate
from bopis.adapters.errors import CopyMisplaced, NotAcknowledged
from bopis.adapters.publisher import bootstrap_ms
from bopis.ports import RecordCopy

BATCH_BYTES = 512 << 10
LINGER_MS = 20
REQUEST_BYTES_MAX = 40 << 20
RECORDS_UNACKNOWLEDGED_MAX = 20_000
# After a batch that was given up, the next batch would take its offsets. Retrying for long keeps the order complete.
DELIVERY_SECONDS_MAX = 3_600.0


class CopyWriter:
    """Topics are named without the prefix. Batches of a partition arrive in order and without a hole, so the records
    that have arrived are always the first ones that were sent."""

    def __init__(self, bootstrap: str, prefix: str, *, timeout_seconds: float = 30.0, **options: Any) -> None:
        self._prefix = prefix
        self._failure: Exception | None = None
        self._unacknowledged = 0
        settings = {
            "bootstrap_servers": bootstrap.split(","),
            "client_id": "bopis",
            "enable_idempotence": True,
            "acks": "all",
            "linger_ms": LINGER_MS,
            "batch_size": BATCH_BYTES,
            "delivery_timeout_ms": int(DELIVERY_SECONDS_MAX * 1000),
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
            raise connection_failure(bootstrap, error, options) from error

    def append(self, topic: str, offset: int, copy: RecordCopy) -> None:
        """Send a record that must get this offset. Raises `CopyMisplaced` when an earlier record got another one."""
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
        future.add_callback(self._acknowledged, topic, offset)
        future.add_errback(self._failed, topic)
        self._unacknowledged += 1
        if self._unacknowledged >= RECORDS_UNACKNOWLEDGED_MAX:
            self.flush()

    def flush(self) -> None:
        """Wait until every record that was sent is acknowledged. Raises `CopyMisplaced`, or the error of a delivery."""
        give_up = time.monotonic() + DELIVERY_SECONDS_MAX
        while self._failure is None:
            try:
                self._producer.flush(self._timeout_seconds)
                break
            except kafka_errors.KafkaTimeoutError as error:
                if time.monotonic() > give_up:
                    raise NotAcknowledged(topic=self._prefix) from error
        self._check()
        self._unacknowledged = 0

    def close(self) -> None:
        """Close the connection without waiting for records that are not acknowledged."""
        is_done = self._failure is None and not self._unacknowledged
        self._producer.close(timeout=self._timeout_seconds if is_done else 0)

    def __enter__(self) -> "CopyWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _acknowledged(self, topic: str, offset: int, metadata: Any) -> None:
        if metadata.offset != offset and self._failure is None:
            self._failure = CopyMisplaced(
                topic=self._prefix + topic,
                partition=metadata.partition,
                offset=metadata.offset,
                expected=offset,
            )

    def _failed(self, topic: str, error: Exception) -> None:
        if self._failure is None:
            self._failure = translate(error, topic)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
