"""Processes killed at random under load: nothing lost, nothing twice, by an independent sum."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.inventory.rows import Level, Row, split_key
from bopis.domain.message import Message
from tests.faults.world import World, sums

VICTIMS = ("inventory", "inventory", "broker", "projection")


class Load:
    """Tills that sell all the time; some send a message twice."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._chance = random.Random(seed)
        self._sequences: dict[str, int] = {}
        self._sent: list[tuple[Message, object]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join(60)

    def _run(self) -> None:
        while not self._over.is_set():
            message = self._sale()
            self._sent.append((message, self._world.publish(message)))
            if self._chance.random() < 0.02:
                self._world.publish(message)
            time.sleep(0.0005)

    def _sale(self) -> Message:
        chance = self._chance
        store = f"S{chance.randrange(8)}"
        till = f"till-{store}-{chance.randrange(2)}"
        self._sequences[till] = sequence = self._sequences.get(till, 0) + 1
        lines = tuple(
            SaleLine(f"K{chance.randrange(200)}", chance.choice((1, 1, 2, -1))) for _ in range(chance.randint(1, 5))
        )
        return Message(
            id=f"{till}/{sequence}",
            source=till,
            seq=sequence,
            time=datetime.now(UTC),
            subject=store,
            data=PosSale(basket="b", lines=lines),
        )

    def acknowledged(self) -> list[Message]:
        """The messages that the log took; raises when one was given up."""
        self._world.producer.flush(120)
        for _, future in self._sent:
            future.get(30)  # type: ignore[attr-defined]  # kafka-python's future
        return [message for message, _ in self._sent]


def on_hand(rows: dict[str, Row]) -> dict[tuple[str, str], int]:
    return {split_key(key)[1:]: row.on_hand for key, row in rows.items() if isinstance(row, Level)}


def read_side(world: World, table: str, figure: str) -> dict[tuple[str, str], int]:
    engine = create_engine(f"sqlite:///{world.data_dir / 'readside.sqlite3'}")
    try:
        with engine.connect() as connection:
            query = text(f"select store, sku, {figure} from {table} group by store, sku")
            return {(store, sku): units for store, sku, units in connection.execute(query)}
    finally:
        engine.dispose()


def kill_and_compare(data_dir: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    with World(data_dir) as world:
        load = Load(world, seed)
        with load.running():
            for _ in range(kills):
                time.sleep(chance.uniform(0.2, 1.2))
                world.kill(chance.choice(VICTIMS))
            time.sleep(0.5)

        expected = sums(load.acknowledged())
        rows = world.wait_decided()

        assert on_hand(rows) == expected, f"seed {seed}"
        assert world.violations(rows) == [], f"seed {seed}"
        world.wait(lambda: read_side(world, "levels", "max(on_hand)") == expected, "the levels are read")
        world.wait(lambda: read_side(world, "movements", "sum(applied)") == expected, "the history is read")


def test_twelve_kills_under_load_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    kill_and_compare(tmp_path, kills=12, seed=random.randrange(2**32))


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_two_hundred_kills_under_load_lose_nothing_and_double_nothing(tmp_path: Path, part: int) -> None:
    kill_and_compare(tmp_path, kills=20, seed=random.randrange(2**32) + part)
