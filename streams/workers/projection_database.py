"""The read side's database for the projection worker: in a thread of its own, waited for while it is away."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from bopis.errors import BopisError
from bopis.readside.errors import DatabaseAway, SchemaAbsent
from bopis.services.worker_reports import Issue
from streams.engine.connection import LogConnection
from streams.engine.retry import ReplyT, retried
from streams.errors import ReadSideDamaged, ReadSideReplaced
from streams.limits import StreamLimits

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from bopis.readside.checkpoints import Checkpoints
    from bopis.readside.writer import Batch, Projection

log = structlog.get_logger("streams.workers.projection")

NAME = "database"
AWAY, DROPPED = "database.away", "database.dropped"


class ProjectionDatabase:
    """Reads positions and writes batches in one thread of its own; waits while the database is away."""

    def __init__(self, engine: "Engine", connection: LogConnection, limits: StreamLimits) -> None:
        self._engine = engine
        self._connection = connection
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, "projection")
        self._projection: Projection | None = None
        self._checkpoints: Checkpoints | None = None
        self._away_since: float | None = None
        # Whether the tables were dropped, and this worker waits for new ones.
        self._is_dropped = False
        # Why the worker waits for the database, while it does.
        self.issues: dict[str, Issue] = {}

    @property
    def away(self) -> bool:
        """Whether the database did not answer when it was last asked."""
        return self._away_since is not None

    async def open(self, issues: dict[str, Issue]) -> None:
        """Check the tables; an absence is noted in `issues`. Raises `SchemaAbsent`."""
        self.issues = issues
        from bopis.readside.checkpoints import Checkpoints
        from bopis.readside.engine import SQLITE, kind_of, raising_away
        from bopis.readside.migrate import require
        from bopis.readside.writer import Projection

        def check() -> None:
            with raising_away():
                require(self._engine)

        await self._patiently(check)
        self._projection = Projection(self._engine, self._connection.prefix, self._connection.partitions)
        if kind_of(self._engine) == SQLITE:
            self._checkpoints = Checkpoints(self._engine)

    async def positions(self) -> dict[tuple[str, int], int]:
        """The newest offset that is written, by topic (without prefix) and partition."""
        assert self._projection is not None
        return await self._patiently(self._projection.positions)

    async def write(self, batches: Sequence["Batch"]) -> None:
        """Write batches and positions in one transaction. Raises `RecordsMissing`."""
        await self._patiently(lambda: self._write(batches))

    def _write(self, batches: Sequence["Batch"]) -> None:
        assert self._projection is not None
        self._projection.write_many(batches)
        if self._checkpoints is not None:
            self._checkpoints.wrote()

    async def _patiently(self, work: Callable[[], ReplyT]) -> ReplyT:
        """The result of `work` in the database's thread, repeated while the database is away.

        Repeating is harmless: what a lost reply had written is found consumed. Raises `DatabaseAway` after
        `absence_s_max`, and every other error at once.
        """

        def failed(error: Exception, seconds: float) -> None:
            self._rebuild_if_damaged(error)
            if seconds > self._limits.absence_s_max:
                raise error
            if isinstance(error, DatabaseAway):
                self._note_absence(error)
            elif isinstance(error, SchemaAbsent) and self._projection is not None:
                self._note_drop()
            else:
                raise error

        async def attempt() -> ReplyT:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

        result = await retried(attempt, self._limits, failed)
        self._note_return()
        return result

    def _rebuild_if_damaged(self, error: Exception) -> None:
        """Raise `ReadSideDamaged` after a damaged file was set aside and empty tables were made in a new one."""
        from bopis.readside.engine import is_damaged, set_aside
        from bopis.readside.migrate import upgrade

        if is_damaged(error):
            aside = set_aside(self._engine, datetime.now(UTC))
            upgrade(self._engine)
            raise ReadSideDamaged(aside=str(aside), cause=str(error)) from error

    def _run(self, work: Callable[[], ReplyT]) -> ReplyT:
        """The result of `work`, in the database's thread. Raises `SchemaAbsent` while the tables are dropped under a
        worker that writes to them, and `ReadSideReplaced` when new ones are there, which it does not remember.

        It waits for them: started again before they are made, it would find none, and that is a fault of the
        configuration.
        """
        from bopis.readside.migrate import current, head

        if self._is_dropped and current(self._engine) is not None:
            raise ReadSideReplaced
        try:
            return work()
        except BopisError:
            raise
        except Exception as error:  # those of the drivers have no class in common
            if self._projection is None or current(self._engine) is not None:
                raise
            raise SchemaAbsent(found=None, needed=head()) from error

    def _note_drop(self) -> None:
        """Log a drop once, not with every attempt."""
        self.issues[NAME] = Issue(name=DROPPED, text="the read side has no tables; bopis readside rebuild makes them")
        if not self._is_dropped:
            self._is_dropped = True
            log.warning(DROPPED, waiting_s_max=self._limits.absence_s_max)

    def _note_absence(self, error: DatabaseAway) -> None:
        """Log an absence once, not with every attempt."""
        cause = str(error.facts.get("cause"))
        self.issues[NAME] = Issue(name=AWAY, text=f"the database does not answer: {cause}")
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning(AWAY, waiting_s_max=self._limits.absence_s_max, error=cause)

    def _note_return(self) -> None:
        if self._away_since is not None:
            log.info("database.back", seconds=round(time.monotonic() - self._away_since, 3))
            self._away_since = None
            self.issues.pop(NAME, None)

    def close(self) -> None:
        """Wait for the thread to end."""
        self._thread.shutdown(wait=True)
        if self._checkpoints is not None:
            self._checkpoints.close()


@contextmanager
def connected(database_url: str, connection: LogConnection, limits: StreamLimits) -> Iterator[ProjectionDatabase]:
    """The database behind a URL, closed at the end."""
    from bopis.readside.engine import connect

    engine = connect(database_url)
    database = ProjectionDatabase(engine, connection, limits)
    try:
        yield database
    finally:
        database.close()
        engine.dispose()
