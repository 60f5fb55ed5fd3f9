"""The page of now: which promises are at risk, its tiles, ages in words, and stores on a map."""

from typing import Any

import pytest

from bopis.domain.orders.state import Line, LineState, Order, StoreWork
from bopis.domain.orders.vocabulary import Allows, CustomerRef, PaymentState
from bopis.domain.values import HOUR_MS, MINUTE_MS
from bopis.services.counter.store_times import StoreTimes
from bopis.services.store_directory import StoreRecord
from bopis.web.pages.now_view import (
    MAP_EDGE,
    MAP_HEIGHT,
    MAP_WIDTH,
    RADIUS_MAX,
    RADIUS_MIN,
    StoreFigures,
    Tone,
    age_text,
    dots,
    order_figures,
    order_tiles,
    promises_at_risk,
)

NOW_MS = 1_790_000_000_000


def order(number: str, state: LineState, *, ready_by_ms: int = 0, promised: bool = True, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "order": number,
        "key": number,
        "request": number,
        "customer": CustomerRef(id="c"),
        "store": "S1",
        "allows": Allows(),
        "placed_ms": NOW_MS - HOUR_MS,
        "payment": PaymentState.PAY_IN_STORE,
        "lines": (Line(line=1, sku="A", quantity=1, state=state, store="S1"),),
        "work": (StoreWork(store="S1", ready_by_ms=ready_by_ms, promised=promised),),
    }
    return Order(**{**fields, **changes})


@pytest.mark.parametrize(
    ("state", "in_minutes", "promised", "risk"),
    [
        (LineState.PICKING, -1, True, "late"),
        (LineState.PROMISED, 0, True, "soon"),
        (LineState.PROMISED, 15, True, "soon"),
        (LineState.PROMISED, 16, True, ""),
        (LineState.READY, -30, True, ""),
        (LineState.ARRIVED, -30, True, ""),
        (LineState.STAGED, -30, True, "late"),
        (LineState.CANCELLED, -30, True, ""),
        (LineState.HELD, -30, False, ""),
    ],
)
def test_a_promise_is_at_risk_until_the_goods_are_ready(
    state: LineState, in_minutes: int, promised: bool, risk: str
) -> None:
    found = promises_at_risk(
        [order("O1", state, ready_by_ms=NOW_MS + in_minutes * MINUTE_MS, promised=promised)], NOW_MS
    )

    assert ["late" if it.is_late else "soon" for it in found] == ([risk] if risk else [])


def test_an_order_without_a_promised_time_is_at_no_risk() -> None:
    assert promises_at_risk([order("O1", LineState.PLACED)], NOW_MS) == []


def test_the_earliest_promise_comes_first() -> None:
    orders = [order(name, LineState.PICKING, ready_by_ms=NOW_MS + at) for name, at in (("O1", 2), ("O2", 1))]

    assert [it.order for it in promises_at_risk(orders, NOW_MS)] == ["O2", "O1"]


def test_figures_count_states_in_the_order_of_progress_and_name_the_oldest_unaccepted() -> None:
    figures = order_figures(
        [
            order("O1", LineState.READY, ready_by_ms=NOW_MS),
            order("O2", LineState.PROMISED, placed_ms=NOW_MS - 5),
            order("O3", LineState.PROMISED, placed_ms=NOW_MS - 9),
        ],
        NOW_MS,
    )

    assert figures.count == 3
    assert figures.by_state == (("promised", 2), ("ready", 1))
    assert figures.unaccepted == 2
    assert figures.oldest is not None
    assert figures.oldest.order == "O3"


def test_tiles_of_no_orders_are_calm_and_not_empty() -> None:
    tiles = order_tiles(order_figures([], NOW_MS), StoreTimes(), NOW_MS)

    assert all(it.value and it.note and it.tone is Tone.NONE for it in tiles)


def test_a_late_promise_makes_its_tile_red_and_one_that_is_soon_due_yellow() -> None:
    def tone(in_minutes: int) -> Tone:
        orders = [order("O1", LineState.PICKING, ready_by_ms=NOW_MS + in_minutes * MINUTE_MS)]
        tiles = order_tiles(order_figures(orders, NOW_MS), StoreTimes(), NOW_MS)
        return next(it.tone for it in tiles if it.id == "tile-risk")

    assert (tone(-1), tone(5), tone(60)) == (Tone.BAD, Tone.WARN, Tone.NONE)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "never"),
        (-5, "0 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (119 * 60_000, "119 min"),
        (2 * HOUR_MS, "2 h"),
        (47 * HOUR_MS, "47 h"),
        (48 * HOUR_MS, "2 d"),
    ],
)
def test_ages_are_in_their_largest_unit(ms: int | None, text: str) -> None:
    assert age_text(ms) == text


def store(name: str, place: tuple[float, float] | None, *, age_ms: int | None = 0, orders: int = 0) -> StoreFigures:
    latitude, longitude = place if place is not None else (None, None)
    record = StoreRecord(store_id=name, name=name, latitude=latitude, longitude=longitude)
    return StoreFigures(record=record, age_ms=age_ms, grace_minutes=5, pickup=True, orders=orders, minutes=0)


@pytest.mark.parametrize(
    ("age_ms", "tone"),
    [
        (None, "never"),
        (0, "fresh"),
        (5 * MINUTE_MS, "fresh"),
        (5 * MINUTE_MS + 1, "old"),
        (HOUR_MS, "old"),
        (HOUR_MS + 1, "silent"),
    ],
)
def test_a_store_is_coloured_by_its_data_age(age_ms: int | None, tone: str) -> None:
    assert store("S1", None, age_ms=age_ms).tone == tone


@pytest.mark.parametrize(
    "places",
    [
        {"S1": (37.8, -86.5), "S2": (38.0, -86.2), "S3": (37.5, -86.3)},
        {"S1": (-17.8, 179.9), "S2": (-18.1, -179.8)},
        {"S1": (52.5, 13.4)},
        {"S1": (52.5, 13.4), "S2": (52.5, 13.4)},
        {"S1": (89.9, 0.0), "S2": (-89.9, 10.0)},
    ],
)
def test_every_store_with_a_place_is_inside_the_map(places: dict[str, tuple[float, float]]) -> None:
    found = dots([*(store(name, place) for name, place in places.items()), store("S9", None)])

    assert {it.store.record.store_id for it in found} == set(places)
    assert all(MAP_EDGE <= it.x <= MAP_WIDTH - MAP_EDGE for it in found)
    assert all(MAP_EDGE <= it.y <= MAP_HEIGHT - MAP_EDGE for it in found)


def test_north_is_up_east_is_right_and_distances_keep_their_ratio() -> None:
    # At 60 degrees north a degree of longitude is half as long as one of latitude.
    found = {it.store.record.store_id: it for it in dots([store("A", (59.5, 10.0)), store("B", (60.5, 12.0))])}

    assert found["B"].y < found["A"].y
    assert found["B"].x > found["A"].x
    assert found["B"].x - found["A"].x == pytest.approx(found["A"].y - found["B"].y, rel=0.01)


def test_stores_beyond_the_date_line_are_near_those_before_it() -> None:
    found = {it.store.record.store_id: it for it in dots([store("W", (0.0, 179.0)), store("E", (0.5, -179.0))])}

    assert found["E"].x > found["W"].x


def test_the_busiest_store_is_the_largest_and_drawn_first() -> None:
    found = dots([store("A", (1.0, 1.0), orders=1), store("B", (2.0, 2.0), orders=9), store("C", (3.0, 3.0))])

    assert [it.store.record.store_id for it in found] == ["B", "A", "C"]
    assert (found[0].radius, found[-1].radius) == (RADIUS_MAX, RADIUS_MIN)
