"""What a replay asks of the read side."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Engine, case, func, select

from bopis.readside import queries
from bopis.readside.engine import reading
from bopis.readside.schema import devices, levels, movements
from bopis.services.replay.errors import NotCaughtUp
from bopis.services.replay.judge import Booked, Cell

if TYPE_CHECKING:
    from bopis.adapters.log import LogReader

POLL_SECONDS = 0.05
STALL_SECONDS_MAX = 60.0
STOCK, LEVELS = "stock", "inventory-levels"


class ReadSideBooks:
    """The books as the read side has them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def marks(self, prefix: str) -> Mapping[str, int]:
        """Per store up to which sequence the sources with this prefix are in the books without a hole."""
        query = select(devices.c.store, devices.c.mark).where(devices.c.source.startswith(prefix, autoescape=True))
        with reading(self._engine) as connection:
            return {row.store: row.mark for row in connection.execute(query)}

    def booked(self, prefix: str) -> Mapping[Cell, Booked]:
        """Every cell that has a row or a movement; ``by_file`` counts movements of sources with this prefix."""
        of_file = movements.c.source.startswith(prefix, autoescape=True)
        moved = select(
            movements.c.store,
            movements.c.sku,
            func.sum(movements.c.applied),
            func.sum(case((of_file, movements.c.change), else_=0)),
            func.sum(case((of_file, 0), else_=1)),
        ).group_by(movements.c.store, movements.c.sku)
        with reading(self._engine) as connection:
            on_hand = {(store, sku): units for store, sku, units in connection.execute(select(
                levels.c.store, levels.c.sku, levels.c.on_hand
            ))}  # fmt: skip
            found = {
                (store, sku): Booked(on_hand.get((store, sku), 0), int(applied), int(by_file), int(others))
                for store, sku, applied, by_file, others in connection.execute(moved)
            }
        return {cell: Booked(units, 0, 0, 0) for cell, units in on_hand.items()} | found

    def gaps(self, prefix: str) -> int:
        """How many messages of these sources are missing."""
        return sum(it.last - it.first + 1 for it in queries.gaps(self._engine) if it.source.startswith(prefix))

    def left(self, ends: Mapping[int, int]) -> int:
        """How many records of the stock log, up to these ends, the present or the history has not taken."""
        taken: dict[int, list[int]] = {partition: [0, 0] for partition in ends}
        for it in queries.positions(self._engine):
            if it.partition in taken and it.topic == STOCK:
                taken[it.partition][0] = it.position + 1
            elif it.partition in taken and it.topic == LEVELS:
                taken[it.partition][1] = (it.source_position or 0) + 1 if it.source_position is not None else 0
        return sum(max(0, end - min(taken[partition])) for partition, end in ends.items())


def stock_ends(reader: "LogReader") -> dict[int, int]:
    """Where the stock log ends now, by partition."""
    return {partition: end for (_, partition), end in reader.end_offsets([STOCK]).items()}


def wait_until_taken(books: ReadSideBooks, ends: Mapping[int, int], advance: Callable[[int], None]) -> None:
    """Wait until present and history have everything up to these ends. Raises `NotCaughtUp` when they stand still."""
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
