"""Checkpoints of SQLite's write-ahead log, beside the writer instead of in its commits.

By default SQLite checkpoints in the commit that fills the log beyond a limit: tens of milliseconds in which nothing new
can be read. Another connection can checkpoint while the writer writes. But the log restarts at its front only after a
checkpoint that covers all of it while nothing is written, so once in a while the writer checkpoints the rest.
See https://www.sqlite.org/wal.html#ckpt.
"""

import logging
import threading
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

log = logging.getLogger(__name__)

EVERY_S = 0.5
# Beyond this many pages the writer checkpoints the rest, so that the log restarts at its front.
PAGES_BEFORE_RESTART = 4_000
# If the thread has ended, SQLite checkpoints in commits again.
PAGES_BEFORE_COMMITS_CHECKPOINT = 64_000
_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpoints:
    """Checkpoints every half second while there is something to do. For SQLite only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        event.listen(engine, "connect", _limit_automatic)
        self._written = threading.Event()
        self._closed = threading.Event()
        self._is_restart_due = False
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def wrote(self) -> None:
        """The writer calls this after each transaction, in its thread."""
        self._written.set()
        if self._is_restart_due:
            self._is_restart_due = False
            self._checkpoint()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._written.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(EVERY_S):
            self._written.wait()
            self._written.clear()
            if not self._closed.is_set():
                self._is_restart_due = self._checkpoint() > PAGES_BEFORE_RESTART

    def _checkpoint(self) -> int:
        """Returns the number of pages in the log."""
        try:
            with self._engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                _, pages, _ = driver.execute(_CHECKPOINT).fetchone()
                return int(pages)
        except OperationalError as error:
            log.warning("checkpoint.failed: %s", error.orig)
            return 0


def _limit_automatic(connection: Any, _: Any) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_BEFORE_COMMITS_CHECKPOINT}")
