"""The uplink to the log itself, with kafka-python: idempotent, acknowledged by all replicas, in order."""

import time
from collections.abc import Sequence

from bopis.adapters.address import embedded_log
from bopis.adapters.agent_process import KafkaOptions
from bopis.adapters.errors import EmbeddedLogNotRunning, RecordTooLarge
from bopis.adapters.publisher import LogPublisher
from bopis.errors import BopisError
from bopis.journal.entries import Entry, Reject
from bopis.names import STOCK_TOPIC
from bopis.ports import PendingDelivery
from bopis.uplink.protocol import Sent, refused

LINGER_MS = 5
BATCH_BYTES = 256 << 10


class KafkaUplink:
    """Implements `bopis.uplink.protocol.Uplink` over one producer."""

    def __init__(self, options: KafkaOptions, store: str, timeout_seconds: float) -> None:
        self._options, self._store, self._timeout_seconds = options, store, timeout_seconds
        self._publisher: LogPublisher | None = None

    def send(self, entries: Sequence[Entry]) -> Sent:
        started_ms = time.time_ns() // 1_000_000
        position, clock_ahead_ms = entries[0].position - 1, None
        rejects: list[Reject] = []
        try:
            deliveries = self._publish(entries)
            for entry, delivery in zip(entries, deliveries, strict=True):
                try:
                    placed = delivery.wait()
                except RecordTooLarge as error:
                    rejects.append(refused(entry, error))
                else:
                    # The log dates a record when it appends it, between the two looks at this clock.
                    clock_ahead_ms = (started_ms + time.time_ns() // 1_000_000) // 2 - placed.timestamp_ms
                position = entry.position
        except BopisError as error:
            self.close()
            return Sent(position=position, refused=tuple(rejects), problem=error)
        return Sent(position=position, refused=tuple(rejects), clock_ahead_ms=clock_ahead_ms)

    def centre(self) -> None:
        return None  # the log has messages, and no books to compare with

    def close(self) -> None:
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None

    def _publish(self, entries: Sequence[Entry]) -> list[PendingDelivery]:
        if self._publisher is None:
            self._publisher = LogPublisher(
                self._bootstrap(),
                self._options.prefix,
                linger_ms=LINGER_MS,
                batch_bytes=BATCH_BYTES,
                timeout_seconds=self._timeout_seconds,
                **self._options.security.client_options(),
            )
        return [self._publisher.publish(STOCK_TOPIC, self._store, entry.value) for entry in entries]

    def _bootstrap(self) -> str:
        if self._options.embedded_in is None:
            return self._options.bootstrap
        # An embedded log that was started again may have another port.
        found = embedded_log(self._options.embedded_in)
        if found is None:
            raise EmbeddedLogNotRunning(data_dir=self._options.embedded_in)
        return found.address
