"""Queries over everything: the units of every store, the outcome of every order, the share of some sources."""

from typing import Any

from sqlalchemy import Engine, insert

from bopis.readside import queries
from bopis.readside.engine import writing
from bopis.readside.queries.sources import CellBooks, books_by_sources, source_marks
from bopis.readside.queries.totals import OrderOutcome, StoreUnits
from bopis.readside.schema import devices, levels, movements
from tests.domain.books import NOON_MS
from tests.domain.orders.world import S1, number
from tests.readside.orderlog import OrderLog

OURS, OTHERS = "replay/abc/1", "till/1"
EMPTY = {column.name: 0 for column in levels.columns} | {"counted_by": "", "category": "", "staged_counted": False}


def level(store: str, sku: str, **units: int) -> dict[str, Any]:
    return EMPTY | {"store": store, "sku": sku} | units


def test_the_units_of_a_store_count_what_is_free_sku_by_sku(engine: Engine) -> None:
    rows = [
        level("S1", "a", on_hand=10, held=3, in_doubt=1),
        level("S1", "b", on_hand=2, held=4),
        level("S2", "a", on_hand=-1),
    ]
    with writing(engine) as connection:
        connection.execute(insert(levels), rows)

    assert queries.units_by_store(engine) == {
        "S1": StoreUnits(on_hand=12, free=6, held=7),
        "S2": StoreUnits(on_hand=-1, free=0, held=0),
    }
    assert queries.on_hand(engine) == {("S1", "a"): 10, ("S1", "b"): 2, ("S2", "a"): -1}


def test_movements_and_marks_of_sources_are_apart_from_those_of_others(engine: Engine) -> None:
    def moved(offset: int, source: str, change: int) -> dict[str, Any]:
        place = {"partition": 0, "offset": offset, "line": 0, "store": "1", "sku": "milk", "kind": "sale"}
        clocks = {"occurred_ms": 1, "recorded_ms": 1, "on_hand_after": 0, "message_id": str(offset)}
        return {**place, **clocks, "source": source, "change": change, "applied": change}

    def device(source: str, mark: int) -> dict[str, Any]:
        holes = {"open_holes": "[]", "closed_holes": "[]"}
        return {"store": "1", "source": source, "mark": mark, "partition": 0, "top": 9, "heard_ms": 1, **holes}

    with writing(engine) as connection:
        connection.execute(insert(movements), [moved(0, OURS, -5), moved(1, OTHERS, -3)])
        connection.execute(insert(levels), [level("1", "milk", on_hand=-8), level("1", "tea", on_hand=4)])
        connection.execute(insert(devices), [device(OURS, 3), device(OTHERS, 9)])

    assert books_by_sources(engine, "replay/abc/") == {
        ("1", "milk"): CellBooks(on_hand=-8, applied=-8, by_sources=-5, others=1),
        ("1", "tea"): CellBooks(on_hand=4, applied=0, by_sources=0, others=0),
    }
    assert source_marks(engine, "replay/abc/") == {"1": 3}


def test_an_order_has_the_instants_of_its_visit_once_it_is_promised(engine: Engine) -> None:
    log = OrderLog(stock={S1: {"A": 2}})
    log.place(1, lines=(("A", 2),))
    log.place(2, lines=(("A", 2),))
    log.project(engine)

    promised, unpromised = queries.order_outcomes(engine)

    assert promised.order == number(1)
    assert promised == OrderOutcome(
        order=number(1), state="promised", placed_ms=NOON_MS, ready_ms=None, ready_by_ms=promised.ready_by_ms
    )
    assert promised.ready_by_ms is not None
    assert (unpromised.order, unpromised.ready_ms, unpromised.ready_by_ms) == (number(2), None, None)
