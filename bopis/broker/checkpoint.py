"""Keeps the write-ahead log short.

A checkpoint copies committed pages from the write-ahead log into the file. Most of it runs beside the writers; only
the little that came meanwhile is copied while the writer pauses, so that the next commit starts the write-ahead log
from its beginning and it stops growing. When nothing has been written for a while the rest is copied too: the
file shrinks, and the next start has little to read.
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
        self._seen_bytes = 0
        self._quiet_looks = 0
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Let the checkpoint under way finish."""
        self._task.cancel()
        await asyncio.wait({self._task})
        await asyncio.to_thread(self._pool.shutdown)
        self._connection.close()

    async def _run(self) -> None:
        trouble = ""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._look()
            except (BrokerError, sqlite3.Error) as error:
                # A full disk is full for hours: what has been said is not said again four times a second.
                if str(error) != trouble:
                    log.warning("log.checkpoint_failed %s", error)
                trouble = str(error)
            else:
                if trouble:
                    log.warning("log.checkpoint_resumed")
                trouble = ""

    async def _look(self) -> None:
        written = self._writer.written_bytes
        if written != self._seen_bytes:
            self._seen_bytes, self._quiet_looks = written, 0
        self._quiet_looks += 1
        quiet = written > 0 and self._quiet_looks * _LOOK_SECONDS >= self._limits.wal_quiet_seconds
        if written < self._limits.wal_bytes_checkpoint and not quiet:
            return
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._pool, _checkpoint, self._connection)
        await self._writer.job(_checkpoint, transaction=False, written_bytes=0)
        self._writer.written_bytes = max(0, self._writer.written_bytes - written)


def _checkpoint(connection: sqlite3.Connection) -> None:
    connection.execute(_CHECKPOINT).fetchone()
