"""SQLite's write-ahead log, brought into the database file beside the writer instead of by it.

SQLite lets whoever commits the page that is one too many do this work within that commit: tens of milliseconds in
which nothing new can be read. Another connection can do it at the same time as the writer writes. Only to begin the
log at its front again all of it must have been brought over at a moment when nothing is written, so once in a while
the writer brings over the little that is left.
"""

import logging
import threading
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

log = logging.getLogger(__name__)

EVERY_S = 0.5
# Beyond this many pages the writer finishes what is left, so that the log begins at its front again.
PAGES_BEFORE_FRONT = 4_000
# Should the thread have ended, the commits do it as they always do.
PAGES_BEFORE_COMMITS_DO = 64_000
_BRING_OVER = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpoints:
    """Brings the log over every half second while there is something; on SQLite only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        event.listen(engine, "connect", _leave_to_us)
        self._written = threading.Event()
        self._closed = threading.Event()
        self._to_front = False
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def wrote(self) -> None:
        """Called by the writer after each transaction, in its thread."""
        self._written.set()
        if self._to_front:
            self._to_front = False
            self._bring_over()

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
                self._to_front = self._bring_over() > PAGES_BEFORE_FRONT

    def _bring_over(self) -> int:
        """Returns how many pages the log has."""
        try:
            with self._engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                _, pages, _ = driver.execute(_BRING_OVER).fetchone()
                return int(pages)
        except OperationalError as error:
            log.warning("checkpoint.failed: %s", error.orig)
            return 0


def _leave_to_us(connection: Any, _: Any) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_BEFORE_COMMITS_DO}")
