"""Publishing to the log with kafka-python: idempotent, acks=all, partitions by the key's murmur2 hash."""

from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from bopis.adapters.client_errors import connection_failure, translate
from bopis.adapters.errors import AdapterError, TopicMissing
from bopis.ports import Headers, OnDelivery, PendingDelivery, RecordMetadata

BATCH_BYTES = 16_384
REQUEST_BYTES_MAX = 8 << 20
BUFFER_WAIT_SECONDS = 10.0
BOOTSTRAP_SECONDS_MAX = 10.0


class LogPublisher:
    """Implements `bopis.ports.Publisher` over one producer. Topics are named without the prefix.

    The defaults suit a single command: each record is sent at once. For a bulk load set `linger_ms` and a larger
    `batch_bytes`, and pass `on_delivery` instead of waiting for each record.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        *,
        linger_ms: int = 0,
        batch_bytes: int = BATCH_BYTES,
        timeout_seconds: float = 30.0,
        **options: Any,
    ) -> None:
        self._prefix = prefix
        self._timeout_seconds = timeout_seconds
        timeout_ms = int(timeout_seconds * 1000)
        settings = {
            "bootstrap_servers": bootstrap.split(","),
            "client_id": "bopis",
            "enable_idempotence": True,
            "acks": "all",
            "linger_ms": linger_ms,
            "batch_size": batch_bytes,
            "delivery_timeout_ms": timeout_ms + linger_ms,
            "request_timeout_ms": timeout_ms,
            "bootstrap_timeout_ms": bootstrap_ms(timeout_seconds),
            # How long a send may wait for metadata or for space in the buffer.
            "max_block_ms": min(timeout_ms, int(BUFFER_WAIT_SECONDS * 1000)),
            "max_request_size": REQUEST_BYTES_MAX,
            # A created topic would have the broker's defaults, and times of the writers instead of the log's.
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }
        try:
            self._producer = KafkaProducer(**(settings | options))
        except kafka_errors.KafkaError as error:
            raise connection_failure(bootstrap, error, options) from error

    def publish(
        self,
        topic: str,
        key: str | bytes,
        value: bytes | None,
        *,
        headers: Headers = (),
        on_delivery: OnDelivery | None = None,
    ) -> PendingDelivery:
        """Send a record without waiting. Raises at once what is known at once, for example a missing topic."""
        try:
            key_bytes = key.encode() if isinstance(key, str) else key
            future = self._producer.send(
                self._prefix + topic, key=key_bytes, value=value, headers=list(headers) if headers else None
            )
        except kafka_errors.KafkaTimeoutError as error:
            raise self._why_blocked(topic, error) from error
        except kafka_errors.KafkaError as error:
            raise translate(error, topic, self._write(topic)) from error
        if on_delivery is not None:
            notify = on_delivery
            future.add_callback(lambda it: notify(RecordMetadata(topic, it.partition, it.offset, it.timestamp)))
            future.add_errback(lambda error: notify(translate(error, topic, self._write(topic))))
        return _Delivery(topic, future, self._timeout_seconds, self._write(topic))

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Wait until every record that was sent is acknowledged or has failed."""
        try:
            self._producer.flush(timeout_seconds)
        except kafka_errors.KafkaError as error:
            raise translate(error, "(all)", "WRITE") from error

    def close(self) -> None:
        """Wait for records that are not acknowledged, at most the time-out, and close the connection."""
        self._producer.close(timeout=self._timeout_seconds)

    def __enter__(self) -> "LogPublisher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, topic: str) -> str:
        """The right to publish. Since Apache Kafka 3.0 an idempotent producer needs no other right."""
        return f"WRITE on topic {self._prefix}{topic}"

    def _why_blocked(self, topic: str, error: Exception) -> AdapterError:
        """Why a send timed out: the topic is hidden or missing, or the log no longer accepts records."""
        name = self._prefix + topic
        if name in self._producer._metadata.unauthorized_topics:
            return translate(kafka_errors.TopicAuthorizationFailedError(name), topic, self._write(topic))
        if self._producer._metadata.partitions_for_topic(name) is None:
            return TopicMissing(topic=name)
        return translate(error, topic)


class _Delivery:
    """Implements `bopis.ports.PendingDelivery` over the future of kafka-python."""

    __slots__ = ("_future", "_right", "_timeout_seconds", "_topic")

    def __init__(self, topic: str, future: Any, timeout_seconds: float, right: str) -> None:
        self._right = right
        self._topic = topic
        self._future = future
        self._timeout_seconds = timeout_seconds

    def wait(self, timeout_seconds: float | None = None) -> RecordMetadata:
        """Wait for the acknowledgement and return the record's place. Raises the error of a failed delivery."""
        try:
            metadata = self._future.get(timeout=timeout_seconds or self._timeout_seconds)
        except kafka_errors.KafkaError as error:
            raise translate(error, self._topic, self._right) from error
        return RecordMetadata(self._topic, metadata.partition, metadata.offset, metadata.timestamp)


def bootstrap_ms(timeout_seconds: float) -> int:
    """Time to find a broker at the start. Shorter than a request's time-out, so that a wrong address is reported
    soon."""
    return int(min(timeout_seconds, BOOTSTRAP_SECONDS_MAX) * 1000)
