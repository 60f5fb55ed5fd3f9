"""The read side, as a replay asks it: which messages of a file are in the books, and what became of them."""

import time
from collections.abc import Callable, Mapping

from sqlalchemy import Engine

from bopis.adapters.log import LogReader
from bopis.names import LEVELS_TOPIC, STOCK_TOPIC
from bopis.readside import queries
from bopis.readside.queries.sources import books_by_sources, source_marks
from bopis.services.replay.comparison import BookedCell
from bopis.services.replay.errors import NotCaughtUp
from bopis.services.replay.plain_sum import Cell

POLL_SECONDS = 0.05
STALL_SECONDS_MAX = 60.0


class ReadSideBooks:
    """The books in the read side. Sources are named by the prefix of their names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def marks(self, prefix: str) -> Mapping[str, int]:
        """By store, the sequence up to which every message of these sources is in the books."""
        return source_marks(self._engine, prefix)

    def booked(self, prefix: str) -> Mapping[Cell, BookedCell]:
        """Every cell with a level or a movement; ``by_file`` counts movements of these sources."""
        return {cell: BookedCell(*found) for cell, found in books_by_sources(self._engine, prefix).items()}

    def gaps(self, prefix: str) -> int:
        """The number of missing messages of these sources."""
        return sum(it.last - it.first + 1 for it in queries.gaps(self._engine) if it.source.startswith(prefix))

    def left(self, ends: Mapping[int, int]) -> int:
        """The number of records of the stock log before these ends that levels or history do not have yet."""
        taken = self.taken()
        return sum(max(0, end - taken.get(partition, 0)) for partition, end in ends.items())

    def taken(self) -> dict[int, int]:
        """By partition of the stock log, the offset before which both levels and history have every record."""
        levels: dict[int, int] = {}
        history: dict[int, int] = {}
        for it in queries.positions(self._engine):
            if it.topic == STOCK_TOPIC:
                history[it.partition] = it.position + 1
            elif it.topic == LEVELS_TOPIC and it.source_position is not None:
                levels[it.partition] = it.source_position + 1
        return {partition: min(end, history[partition]) for partition, end in levels.items() if partition in history}


def stock_ends(reader: LogReader) -> dict[int, int]:
    """The end of each partition of the stock log."""
    return {partition: end for (_, partition), end in reader.end_offsets([STOCK_TOPIC]).items()}


def wait_until_taken(books: ReadSideBooks, ends: Mapping[int, int], advance: Callable[[int], None]) -> None:
    """Wait until levels and history have every record before these ends; ``advance`` gets the number of new ones.

    Raises `NotCaughtUp` when they make no progress for `STALL_SECONDS_MAX`.
    """
    left = books.left(ends)
    moved_at = time.monotonic()
    while left:
        time.sleep(POLL_SECONDS)
        now_left = books.left(ends)
        if now_left < left:
            advance(left - now_left)
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > STALL_SECONDS_MAX:
            raise NotCaughtUp(seconds=STALL_SECONDS_MAX, left=now_left)
        left = now_left
