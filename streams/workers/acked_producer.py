"""A producer whose messages count only once all replicas have acknowledged them.

Workers that are plain consumers publish through it: an offset is committed after everything that follows from it.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from streams.engine.connection import LogConnection
from streams.engine.log_client import LogClient
from streams.engine.processor import Output
from streams.limits import StreamLimits

CHUNKS_IN_FLIGHT_MAX = 32  # fetches of requests whose answers are not acknowledged

Acknowledgements = list["asyncio.Future[object]"]


class _InFlight(NamedTuple):
    acknowledgements: Acknowledgements
    acknowledged: Callable[[], None]


class AckedProducer:
    """An idempotent producer; messages of one key keep their order."""

    def __init__(self, connection: LogConnection, limits: StreamLimits) -> None:
        self._connection = connection
        self._limits = limits
        self._parked: list[Output] = []
        self._in_flight: asyncio.Queue[_InFlight] = asyncio.Queue(CHUNKS_IN_FLIGHT_MAX)
        self._producer: AIOKafkaProducer = None

    async def start(self, client: LogClient) -> None:
        """Connect; waits while the log is away."""
        self._producer = AIOKafkaProducer(
            enable_idempotence=True,
            acks="all",
            max_request_size=self._limits.source_bytes_max,
            # A batch of the library's own size holds four decisions, and the fifth would wait until they are written.
            max_batch_size=self._limits.output_batch_bytes_max,
            request_timeout_ms=self._limits.request_timeout_ms,
            retry_backoff_ms=self._limits.retry_backoff_ms,
            **self._connection.client_options(),
        )
        await client.patiently("sending", self._producer.start)

    async def stop(self) -> None:
        """Send what is in flight and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    def park(self, letter: Output) -> None:
        """Publish a dead letter together with the messages that are published next."""
        self._parked.append(letter)

    async def publish(self, outputs: Iterable[Output]) -> None:
        """Publish messages and what was parked; returns when all are acknowledged. Raises what the log refused."""
        await asyncio.gather(*await self._send(outputs))

    async def publish_later(self, outputs: Iterable[Output], acknowledged: Callable[[], None]) -> None:
        """Publish messages and what was parked without waiting; `acknowledged` is called once all are acknowledged, in
        the order of the calls. Waits while too much is in flight."""
        await self._in_flight.put(_InFlight(await self._send(outputs), acknowledged))

    async def acknowledge(self) -> None:
        """Wait for acknowledgements, for ever. Raises what the log refused: then nothing later is acknowledged."""
        while True:
            sent = await self._in_flight.get()
            await asyncio.gather(*sent.acknowledgements)
            sent.acknowledged()

    async def _send(self, outputs: Iterable[Output]) -> Acknowledgements:
        parked, self._parked = self._parked, []
        return [
            await self._producer.send(
                self._connection.topic(it.topic), value=it.value, key=it.key, headers=list(it.headers) or None
            )
            for it in (*outputs, *parked)
        ]
