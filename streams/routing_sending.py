"""What routing says, on its way to the log: acknowledged by all before the group is told that it is answered."""

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer

from streams.connection import Connection
from streams.limits import StreamLimits
from streams.processor import Output

Said = tuple[str, str, bytes]


class Sending:
    """An idempotent producer; messages of one order keep their order."""

    def __init__(self, connection: Connection, limits: StreamLimits) -> None:
        self._connection = connection
        self._parked: list[Output] = []
        self._producer = AIOKafkaProducer(
            enable_idempotence=True,
            acks="all",
            max_request_size=limits.source_bytes_max,
            request_timeout_ms=limits.request_timeout_ms,
            retry_backoff_ms=limits.retry_backoff_ms,
            **connection.client_options(),
        )

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    def park(self, letter: Output) -> None:
        """Send a dead letter with what is sent next."""
        self._parked.append(letter)

    async def send(self, said: Iterable[Said]) -> None:
        """Send messages and what was parked; returns when all are acknowledged, raises what the log refused."""
        parked, self._parked = self._parked, []
        outputs = [Output(topic, key.encode(), value) for topic, key, value in said] + parked
        acknowledged = [
            await self._producer.send(
                self._connection.topic(it.topic), value=it.value, key=it.key, headers=list(it.headers) or None
            )
            for it in outputs
        ]
        if acknowledged:
            await asyncio.gather(*acknowledged)
