"""Publishing to the log with kafka-python: idempotent, acknowledged by all, placed by the key's murmur2 hash."""

from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from bopis.adapters.errors import AdapterError, TopicMissing
from bopis.adapters.refusals import no_way_in, translate
from bopis.ports import Delivery, Headers, OnDelivery, Placed

BATCH_BYTES = 16_384
REQUEST_BYTES_MAX = 8 << 20
BUFFER_WAIT_SECONDS = 10.0
BOOTSTRAP_SECONDS_MAX = 10.0


class Publisher:
    """One connection for publishing.

    The defaults suit one command: each record leaves at once. For a bulk load give a `linger_ms` and a larger
    `batch_bytes`, and learn each record's fate by `on_delivery` instead of by waiting for it.
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
            "max_block_ms": min(timeout_ms, int(BUFFER_WAIT_SECONDS * 1000)),
            "max_request_size": REQUEST_BYTES_MAX,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }
        try:
            self._producer = KafkaProducer(**(settings | options))
        except kafka_errors.KafkaError as error:
            raise no_way_in(bootstrap, error, options) from error

    def publish(
        self,
        topic: str,
        key: str | bytes,
        value: bytes | None,
        *,
        headers: Headers = (),
        on_delivery: OnDelivery | None = None,
    ) -> Delivery:
        """Hand a record over; raises at once what is known at once, the rest comes with the delivery."""
        try:
            placed_by = key.encode() if isinstance(key, str) else key
            future = self._producer.send(
                self._prefix + topic, key=placed_by, value=value, headers=list(headers) if headers else None
            )
        except kafka_errors.KafkaTimeoutError as error:
            raise self._why_blocked(topic, error) from error
        except kafka_errors.KafkaError as error:
            raise translate(error, topic, self._write(topic)) from error
        if on_delivery is not None:
            notify = on_delivery
            future.add_callback(lambda told: notify(Placed(topic, told.partition, told.offset, told.timestamp)))
            future.add_errback(lambda error: notify(translate(error, topic, self._write(topic))))
        return _Delivery(topic, future, self._timeout_seconds, self._write(topic))

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Wait until everything handed over was acknowledged or failed."""
        try:
            self._producer.flush(timeout_seconds)
        except kafka_errors.KafkaError as error:
            raise translate(error, "(all)", "WRITE") from error

    def close(self) -> None:
        """Give what is under way a moment to arrive, then hang up."""
        self._producer.close(timeout=self._timeout_seconds)

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, topic: str) -> str:
        """The right that publishing takes. An idempotent writer needs no other: the log asks for this one only."""
        return f"WRITE on topic {self._prefix}{topic}"

    def _why_blocked(self, topic: str, error: Exception) -> AdapterError:
        """A send blocks for want of the topic, or because the log has stopped taking records."""
        name = self._prefix + topic
        if name in self._producer._metadata.unauthorized_topics:
            return translate(kafka_errors.TopicAuthorizationFailedError(name), topic, self._write(topic))
        if self._producer._metadata.partitions_for_topic(name) is None:
            return TopicMissing(topic=name)
        return translate(error, topic)


class _Delivery:
    """A record on its way."""

    __slots__ = ("_future", "_right", "_timeout_seconds", "_topic")

    def __init__(self, topic: str, future: Any, timeout_seconds: float, right: str) -> None:
        self._right = right
        self._topic = topic
        self._future = future
        self._timeout_seconds = timeout_seconds

    def wait(self, timeout_seconds: float | None = None) -> Placed:
        """Where the record stands, once the log has acknowledged it; raises if it did not."""
        try:
            told = self._future.get(timeout=timeout_seconds or self._timeout_seconds)
        except kafka_errors.KafkaError as error:
            raise translate(error, self._topic, self._right) from error
        return Placed(self._topic, told.partition, told.offset, told.timestamp)


def bootstrap_ms(timeout_seconds: float) -> int:
    """How long to look for a first answer: nobody should wait half a minute to hear that nothing is there."""
    return int(min(timeout_seconds, BOOTSTRAP_SECONDS_MAX) * 1000)
