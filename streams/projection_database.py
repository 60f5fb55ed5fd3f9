"""The database as the projection worker uses it: in a thread of its own, waited for while it is away."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import stamina
import structlog

from bopis.readside.errors import DatabaseAway
from streams.client import Waiting
from streams.limits import StreamLimits

if TYPE_CHECKING:
    from bopis.readside.checkpoints import Checkpoints
    from bopis.readside.writer import Projection

log = structlog.get_logger("streams.projection")

NAME = "database"
AWAY = "database.away"
RETRY_WAIT_S_MAX = 5.0
TOLD_EVERY_S = 10.0

Answer = TypeVar("Answer")


class Database:
    """The projection in a thread of its own; waits while the database is away."""

    def __init__(self, engine: Any, prefix: str, limits: StreamLimits) -> None:
        self._engine = engine
        self._prefix = prefix
        self._absence_s_max = limits.absence_s_max
        self._thread = ThreadPoolExecutor(1, "projection")
        self._projection: Projection | None = None
        self._checkpoints: Checkpoints | None = None
        self._away_since: float | None = None
        # What is waited for just now, for whoever tells how the worker stands.
        self.troubles: dict[str, Waiting] = {}

    @property
    def away(self) -> bool:
        """Whether the database did not answer when it was last asked."""
        return self._away_since is not None

    async def open(self) -> None:
        """Check the tables. Raises `SchemaAbsent`."""
        from bopis.readside.checkpoints import Checkpoints
        from bopis.readside.engine import SQLITE, kind_of, patient
        from bopis.readside.migrate import require
        from bopis.readside.writer import Projection

        def check() -> None:
            with patient():
                require(self._engine)

        await self._patiently(check)
        self._projection = Projection(self._engine, self._prefix)
        if kind_of(self._engine) == SQLITE:
            self._checkpoints = Checkpoints(self._engine)

    async def positions(self) -> dict[tuple[str, int], int]:
        assert self._projection is not None
        return await self._patiently(self._projection.positions)

    async def write(self, batches: Sequence[Any]) -> None:
        await self._patiently(lambda: self._write(batches))

    def _write(self, batches: Sequence[Any]) -> None:
        assert self._projection is not None
        self._projection.write_many(batches)
        if self._checkpoints is not None:
            self._checkpoints.wrote()

    async def _patiently(self, work: Callable[[], Answer]) -> Answer:
        # The same batches again are harmless: what a lost answer had written is found consumed.
        async for attempt in stamina.retry_context(
            on=DatabaseAway, attempts=None, timeout=self._absence_s_max, wait_max=RETRY_WAIT_S_MAX
        ):
            with attempt:
                try:
                    answer = await asyncio.get_running_loop().run_in_executor(self._thread, work)
                except DatabaseAway as error:
                    self._note_away(error)
                    raise
                self._note_back()
                return answer
        raise AssertionError("stamina raises when it gives up")

    def _note_away(self, error: DatabaseAway) -> None:
        """Absence is told once, not with every attempt."""
        cause = str(error.facts.get("cause"))
        self.troubles[NAME] = Waiting(AWAY, f"the database does not answer: {cause}")
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning(AWAY, waiting_s_max=self._absence_s_max, error=cause)

    def _note_back(self) -> None:
        if self._away_since is not None:
            log.info("database.back", seconds=round(time.monotonic() - self._away_since, 3))
            self._away_since = None
            self.troubles.pop(NAME, None)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        if self._checkpoints is not None:
            self._checkpoints.close()


class Progress:
    """One line about many writes."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._began = time.monotonic()
        self._records = self._writes = 0
        self._seconds = 0.0

    def wrote(self, records: int, seconds: float, positions: Callable[[], dict[str, int]]) -> None:
        self._records += records
        self._writes += 1
        self._seconds += seconds
        if (passed := time.monotonic() - self._began) >= TOLD_EVERY_S:
            log.info(
                "projection.written",
                records=self._records,
                transactions=self._writes,
                busy=round(self._seconds / passed, 3),
                mean_ms=round(self._seconds / self._writes * 1000, 1),
                positions=positions(),
            )
            self._begin()
