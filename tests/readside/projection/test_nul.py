"""A NUL stops neither kind of database: what is sent with one is parked, what is in the books already is shown."""

import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from bopis.domain.inventory.rows import Level
from bopis.readside import queries
from bopis.readside.writer import Projection
from tests.readside.world import Record, World, changelog

STORE = {"store_id": "S1", "name": "Main\x00Street", "time_zone": "UTC"}


def with_nul(record: Record, *place: str | int) -> Record:
    """A record with a NUL at the end of one of its texts."""
    document: Any = json.loads(record.value or b"")
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] += "\x00"
    return record._replace(value=json.dumps(document).encode())


@pytest.mark.parametrize(
    "place",
    [("id",), ("source",), ("subject",), ("data", "basket"), ("data", "lines", 0, "sku")],
    ids=lambda place: str(place[-1]),
)
def test_o2_28_a_sale_with_a_nul_is_skipped_and_the_others_go_on(engine: Engine, place: tuple[str | int, ...]) -> None:
    world = World(partitions=1)
    world.receive("S1", "A", 10)
    world.sell("S1", "A", 2)
    world.sell("S1", "A", 3)
    first, second, third = world.stock[0]
    world.stock[0] = [first, with_nul(second, *place), third]
    projection = Projection(engine)

    projection.write("stock", 0, world.stock[0])
    projection.write("inventory-levels", 0, changelog(world.stock[0]))

    assert queries.on_hand(engine) == {("S1", "A"): 7}
    assert projection.positions()["stock", 0] == 2


@pytest.mark.parametrize("rows", [1, 200])
def test_o2_28_a_nul_in_the_books_of_an_earlier_version_is_shown_as_another_character(
    engine: Engine, rows: int
) -> None:
    value = msgspec.json.encode(Level(on_hand=1))
    levels = [Record(number, 0, f"S1|A{number}\x00".encode(), value) for number in range(rows)]
    projection = Projection(engine)

    projection.write("stores", 0, [Record(0, 0, b"S1", json.dumps(STORE).encode())])
    projection.write("inventory-levels", 0, levels)

    assert projection.positions()["inventory-levels", 0] == rows - 1
    [store] = queries.all_stores(engine)
    assert store.name == "MainStreet"
