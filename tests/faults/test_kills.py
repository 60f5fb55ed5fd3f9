"""Processes killed at random under load: nothing lost, nothing twice, by an independent sum."""

import random
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bopis.domain.inventory.rows import Level, Row, split_key
from tests.faults.judge import sums
from tests.faults.load import Load
from tests.faults.world import World

VICTIMS = ("inventory", "broker", "projection", "inventory")


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
            for number in range(kills):
                time.sleep(chance.uniform(0.2, 1.2))
                # Each of them in turn first, so that a short run kills all.
                world.kill(VICTIMS[number] if number < len(VICTIMS) else chance.choice(VICTIMS))
            time.sleep(0.5)

        expected = sums(load.acknowledged())
        rows = world.wait_decided()

        assert on_hand(rows) == expected, f"seed {seed}"
        assert world.answered_wrongly(load.asked()) == set(), f"seed {seed}"
        assert world.violations(rows) == [], f"seed {seed}"
        world.wait(lambda: read_side(world, "levels", "max(on_hand)") == expected, "the levels are read")
        world.wait(lambda: read_side(world, "movements", "sum(applied)") == expected, "the history is read")


def test_six_kills_under_load_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    kill_and_compare(tmp_path, kills=6, seed=random.randrange(2**32))


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_two_hundred_kills_under_load_lose_nothing_and_double_nothing(tmp_path: Path, part: int) -> None:
    kill_and_compare(tmp_path, kills=20, seed=random.randrange(2**32) + part)
