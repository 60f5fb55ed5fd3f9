"""Checkpoints, which keep the write-ahead log short.

A checkpoint copies committed pages from the write-ahead log into the file. Most of it runs beside the writer; only
pages that were committed meanwhile are copied while the writer pauses, so that the next commit starts at the beginning
of the write-ahead log, which then stops growing. After a quiet time everything is copied, and the next start has little
to read.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bopis.broker.errors import BrokerError
from bopis.broker.limits import BrokerLimits
from bopis.broker.storage.database import connect
from bopis.broker.storage.writer import Writer

log = logging.getLogger(__name__)

_CHECK_SECONDS = 0.25
_CACHE_BYTES = 64 * 1024
_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpointer:
    """Checks the size of the write-ahead log a few times a second."""

    def __init__(self, path: Path, writer: Writer, limits: BrokerLimits) -> None:
        self._writer = writer
        self._limits = limits
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="log-checkpoint")
        self._connection = connect(path, _CACHE_BYTES)
        self._seen_bytes = 0
        self._quiet_checks = 0
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Wait for the checkpoint under way, then close."""
        self._task.cancel()
        await asyncio.wait({self._task})
        await asyncio.to_thread(self._pool.shutdown)
        self._connection.close()

    async def _run(self) -> None:
        failure = ""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            try:
                await self._check()
            except (BrokerError, sqlite3.Error) as error:
                # A disk may be full for hours: log a failure once, not four times a second.
                if str(error) != failure:
                    log.warning("log.checkpoint_failed %s", error)
                failure = str(error)
            else:
                if failure:
                    log.warning("log.checkpoint_resumed")
                failure = ""

    async def _check(self) -> None:
        written = self._writer.written_bytes
        if written != self._seen_bytes:
            self._seen_bytes, self._quiet_checks = written, 0
        self._quiet_checks += 1
        quiet = written > 0 and self._quiet_checks * _CHECK_SECONDS >= self._limits.wal_quiet_seconds
        if written < self._limits.wal_bytes_checkpoint and not quiet:
            return
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._pool, _checkpoint, self._connection)
        await self._writer.job(_checkpoint, transaction=False, written_bytes=0)
        self._writer.written_bytes = max(0, self._writer.written_bytes - written)


def _checkpoint(connection: sqlite3.Connection) -> None:
    connection.execute(_CHECKPOINT).fetchone()
