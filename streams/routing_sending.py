"""What routing says, on its way to the log: acknowledged by all before the group is told that it is answered."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.connection import Connection
from streams.limits import StreamLimits
from streams.processor import Output

CHUNKS_ON_THEIR_WAY_MAX = 32  # fetches of requests whose answers are not acknowledged

Said = tuple[str, str, bytes]


class Sending:
    """An idempotent producer; messages of one order keep their order."""

    def __init__(self, connection: Connection, limits: StreamLimits) -> None:
        self._connection = connection
        self._parked: list[Output] = []
        self._on_their_way: asyncio.Queue[tuple[list[asyncio.Future[Any]], Callable[[], None]]]
        self._on_their_way = asyncio.Queue(CHUNKS_ON_THEIR_WAY_MAX)
        self._producer = AIOKafkaProducer(
            enable_idempotence=True,
            acks="all",
            max_request_size=limits.source_bytes_max,
            # A batch of the library's own size holds four decisions, and the fifth would wait until they are written.
            max_batch_size=limits.output_batch_bytes_max,
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
        await asyncio.gather(*await self._hand_over(said))

    async def answer(self, said: Iterable[Said], answered: Callable[[], None]) -> None:
        """Send messages and what was parked without waiting; ``answered`` is called once all are acknowledged, in the
        order in which they were sent. Waits while too much is on its way."""
        await self._on_their_way.put((await self._hand_over(said), answered))

    async def acknowledge(self) -> None:
        """Wait for acknowledgements, for ever. Raises what the log refused: then nothing later counts as answered."""
        while True:
            sent, answered = await self._on_their_way.get()
            await asyncio.gather(*sent)
            answered()

    async def _hand_over(self, said: Iterable[Said]) -> "list[asyncio.Future[Any]]":
        parked, self._parked = self._parked, []
        outputs = [Output(topic, key.encode(), value) for topic, key, value in said] + parked
        return [
            await self._producer.send(
                self._connection.topic(it.topic), value=it.value, key=it.key, headers=list(it.headers) or None
            )
            for it in outputs
        ]
