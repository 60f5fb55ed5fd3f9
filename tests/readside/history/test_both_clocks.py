"""Both clocks against brute force, for any story."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from bopis.readside import queries
from bopis.readside.errors import CellUnknown
from bopis.readside.queries import HistoryClock
from bopis.readside.queries.answers import instant
from bopis.readside.schema import basket_hours, movements
from bopis.readside.writer import Projection
from tests.readside.history.books import Occurred, recorded_terms, run
from tests.readside.history.stories import LATE_MS_MAX, SKUS, STORES, stories, tell
from tests.readside.tables import emptied, folded
from tests.readside.world import T0_MS, World, changelog, chunks

ANY_STORY = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def reused(fresh: Callable[[], Engine]) -> Engine:
    return fresh()


def _written(engine: Engine, story: list[object], sizes: list[int]) -> World:
    world = tell(story)
    emptied(engine)
    projection = Projection(engine, rows_cached_max=3)
    for partition, records in world.stock.items():
        for piece in chunks(records, sizes):
            projection.write("stock", partition, piece)
        projection.write("inventory-levels", partition, changelog(records))
    return world


def _cells(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        found = connection.execute(select(movements.c.store, movements.c.sku).distinct()).all()
    return sorted((store, sku) for store, sku in found)


@ANY_STORY
@given(story=stories, sizes=st.lists(st.integers(1, 12), max_size=6), asked=st.lists(st.integers(0, 100), max_size=4))
def test_each_clock_answers_as_brute_force_does(
    reused: Engine, story: list[object], sizes: list[int], asked: list[int]
) -> None:
    world = _written(reused, story, sizes)
    end_ms = world.now_ms + LATE_MS_MAX

    for store, sku in _cells(reused):
        stock = world.stock[world.partition(store)]
        occurred = Occurred(stock)
        for hundredth in [*asked, 100]:
            at_ms = T0_MS + end_ms * hundredth // 100
            then = queries.at(reused, store, sku, instant(at_ms), HistoryClock.OCCURRED)
            booked = queries.at(reused, store, sku, instant(at_ms), HistoryClock.RECORDED)

            assert then.terms == occurred.terms(store, sku, at_ms), (store, sku, at_ms - T0_MS)
            assert booked.terms == recorded_terms(stock, store, sku, at_ms), (store, sku, at_ms - T0_MS)


@ANY_STORY
@given(story=stories, sizes=st.lists(st.integers(1, 12), max_size=6))
def test_the_second_fold_comes_to_the_rows_of_the_first(reused: Engine, story: list[object], sizes: list[int]) -> None:
    world = _written(reused, story, sizes)

    verified = queries.verify(reused)

    assert verified.differences == ()
    assert all(it.compared for it in verified.partitions)
    assert {it.partition for it in verified.partitions} == {n for n, log in world.stock.items() if log}
    assert folded(reused) == {
        (partition, key): repr(row) for partition, log in world.stock.items() for key, row in run(log)[0].rows.items()
    }


@ANY_STORY
@given(story=stories)
def test_the_messages_behind_each_term_add_up_to_it(reused: Engine, story: list[object]) -> None:
    world = _written(reused, story, [])
    now = instant(T0_MS + world.now_ms + LATE_MS_MAX)

    for store in STORES:
        for sku in SKUS:
            try:
                told = queries.why(reused, store, sku, now=now)
            except CellUnknown:
                continue
            present = queries.levels(reused, store, sku, now=now).levels[0]
            moved = sum(it.change for it in told.on_hand.movements) + told.on_hand.earlier_units
            counted = told.on_hand.count.change if told.on_hand.count else 0

            assert told.terms == present.terms
            assert told.on_hand.on_hand == counted + told.on_hand.staged_at_count + moved == present.terms.on_hand
            assert sum(it.units for it in told.held) == present.terms.held
            assert sum(it.units for it in told.in_doubt) + told.in_doubt_carried == present.terms.in_doubt
            assert told.safety_stock.units == present.terms.safety_stock
            assert (told.safety_stock.message_id is None) == (told.safety_stock.rule == "default")
            assert told.staleness.units == present.terms.staleness


@ANY_STORY
@given(story=stories)
def test_on_hand_after_each_movement_is_the_sum_of_what_was_applied(reused: Engine, story: list[object]) -> None:
    _written(reused, story, [])

    for store, sku in _cells(reused):
        page = queries.history(reused, store, sku, queries.HistorySpan(clock=HistoryClock.RECORDED, limit=1000))
        running = 0
        for it in reversed(page.movements):
            running += it.applied
            assert it.on_hand_after == running
    with reused.connect() as connection:
        count = connection.execute(select(func.count()).select_from(movements)).scalar_one()
    assert count == sum(
        len(queries.history(reused, *cell, queries.HistorySpan(limit=1000)).movements) for cell in _cells(reused)
    )


def test_the_hours_of_a_silent_store_are_those_that_were_in_effect_then(reused: Engine) -> None:
    world, days = World(), 9
    world.receive("S1", "A", 500)
    for day in range(days):
        for number in range(8):
            at_ms = day * DAY_MS + 9 * HOUR_MS + number * MINUTE_MS
            world.sell("S1", "A", 1, at_ms=at_ms, learned_ms=at_ms)
    # A till that was cut off for long sends, during the silence of the other, what changes the hours again.
    for number in range(days * 8):
        at_ms, learned_ms = number * 3 * HOUR_MS, world.now_ms + HOUR_MS // 40
        world.sell("S1", "A", 1, at_ms=at_ms, learned_ms=learned_ms, device="till/late")
    stock = world.stock[world.partition("S1")]
    emptied(reused)
    Projection(reused).write("stock", world.partition("S1"), stock)

    asked = [T0_MS + day * DAY_MS + hour * HOUR_MS for day in (0, 4, 6, 7, 8) for hour in (10, 13, 20, 32)]
    found = [queries.at(reused, "S1", "A", instant(it), HistoryClock.RECORDED).terms for it in asked]
    known = [queries.at(reused, "S1", "A", instant(it), HistoryClock.OCCURRED).terms for it in asked]

    assert found == [recorded_terms(stock, "S1", "A", it) for it in asked]
    assert known == [Occurred(stock).terms("S1", "A", it) for it in asked]
    with reused.connect() as connection:
        sources = set(connection.execute(select(basket_hours.c.source)).scalars())
    assert sources == {"till/S1", "till/late"}, "hours took effect for both tills, and so were compared"
