"""Keeps the write-ahead log short.

A checkpoint copies committed pages from the write-ahead log into the file. Most of it runs beside the writers; only
the little that came meanwhile is copied while the writer pauses, so that the next commit starts the write-ahead log
from its beginning and it stops growing.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bopis.broker.database import connect
from bopis.broker.errors import BrokerError
from bopis.broker.limits import BrokerLimits
from bopis.broker.writer import Writer

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
_CACHE_BYTES = 64 * 1024
_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpointer:
    """Looks at the write-ahead log a few times a second."""

    def __init__(self, path: Path, writer: Writer, limits: BrokerLimits) -> None:
        self._writer = writer
        self._limits = limits
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="log-checkpoint")
        self._connection = connect(path, _CACHE_BYTES)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Let the checkpoint under way finish."""
        self._task.cancel()
        await asyncio.wait({self._task})
        await asyncio.to_thread(self._pool.shutdown)
        self._connection.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._look()
            except (BrokerError, sqlite3.Error) as error:
                log.warning("log.checkpoint_failed", exc_info=error)

    async def _look(self) -> None:
        if self._writer.written_bytes < self._limits.wal_bytes_checkpoint:
            return
        loop = asyncio.get_running_loop()
        written = self._writer.written_bytes
        await loop.run_in_executor(self._pool, lambda: self._connection.execute(_CHECKPOINT).fetchone())
        await self._writer.job(lambda connection: connection.execute(_CHECKPOINT).fetchone(), transaction=False)
        self._writer.written_bytes = max(0, self._writer.written_bytes - written)
