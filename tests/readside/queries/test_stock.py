"""The questions one by one, by hand-made cases."""

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import Engine

from bopis.domain.inventory.messages import (
    CollectStock,
    OrderLine,
    PickLine,
    ReserveStock,
    SetStockRule,
    SetStorePolicy,
    StockPicked,
    StockTick,
)
from bopis.geography import metres_between
from bopis.readside import queries
from bopis.readside.engine import connect
from bopis.readside.errors import CellUnknown, CursorInvalid, StoreAbsent, UrlUnsupported
from bopis.readside.queries import HistoryClock, HistorySpan, Page, StoreSearch
from bopis.readside.schema import levels
from bopis.readside.writer import Projection
from tests.readside.world import Record, World, at, changelog

MINUTE = 60_000
HOUR = 60 * MINUTE


def _write(engine: Engine, world: World) -> None:
    projection = Projection(engine)
    for partition, records in world.stock.items():
        projection.write("stock", partition, records)
        projection.write("inventory-levels", partition, changelog(records))


def test_a_count_is_taken_at_its_own_time_on_one_clock_and_when_learned_on_the_other(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 10, at_ms=0, learned_ms=1)
    world.sell("S1", "A", 1, at_ms=13 * HOUR, learned_ms=13 * HOUR)
    world.sell("S1", "A", 2, at_ms=14 * HOUR + MINUTE, learned_ms=14 * HOUR + MINUTE)
    world.count("S1", "A", 7, at_ms=14 * HOUR, learned_ms=15 * HOUR)
    _write(engine, world)

    def on_hand(clock: HistoryClock, ms: int) -> int:
        return queries.at(engine, "S1", "A", at(ms), clock).terms.on_hand

    assert [on_hand(HistoryClock.OCCURRED, ms) for ms in (13 * HOUR, 14 * HOUR, 15 * HOUR)] == [9, 7, 5]
    assert [on_hand(HistoryClock.RECORDED, ms) for ms in (13 * HOUR, 14 * HOUR, 15 * HOUR)] == [9, 9, 5]


def test_what_happened_at_the_instant_of_a_count_is_inside_it(engine: Engine) -> None:
    world = World(partitions=1)
    world.receive("S1", "A", 10, at_ms=0, learned_ms=1)
    world.sell("S1", "A", 1, at_ms=50, learned_ms=60)
    world.count("S1", "A", 6, at_ms=50, learned_ms=70, id="c1")
    world.count("S1", "A", 4, at_ms=50, learned_ms=80, id="c0")
    world.sell("S1", "A", 2, at_ms=50, learned_ms=90)
    _write(engine, world)

    told = queries.why(engine, "S1", "A", now=at(100))

    assert [queries.at(engine, "S1", "A", at(ms)).terms.on_hand for ms in (49, 50, 100)] == [10, 6, 6]
    assert (told.terms.on_hand, told.on_hand.movements, told.on_hand.count and told.on_hand.count.message_id) == (
        6,
        (),
        "c1",
    )


def test_goods_set_aside_are_added_to_a_count_of_the_shelf(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 10)
    lines = (OrderLine(line=1, sku="A", quantity=3),)
    world.say("S1", ReserveStock(hold="h1", order="o1", lines=lines, hold_until=at(HOUR)), learned_ms=10)
    world.say("S1", StockPicked(hold="h1", lines=(PickLine(line=1, picked=2),)), at_ms=20, learned_ms=40)
    world.count("S1", "A", 8, at_ms=30, learned_ms=35)
    _write(engine, world)

    then = queries.at(engine, "S1", "A", at(50))
    told = queries.why(engine, "S1", "A", now=at(60))

    assert (then.terms.on_hand, then.terms.held, then.staged) == (10, 3, 2)
    assert (told.on_hand.count.change if told.on_hand.count else None, told.on_hand.staged_at_count) == (8, 2)
    assert [(it.hold, it.order, it.units, it.message_id) for it in told.held] == [("h1", "o1", 3, "m1")]


def test_what_a_tick_ends_was_there_until_the_log_learned_of_the_tick(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 10)
    lines = (OrderLine(line=1, sku="A", quantity=3),)
    world.say("S1", ReserveStock(hold="h1", order="o1", lines=lines, hold_until=at(100)), learned_ms=10)
    world.say("S1", StockPicked(hold="h1", lines=(PickLine(line=1, picked=2),)), learned_ms=20)
    world.say("S1", StockTick(at=at(100)), source="inventory", at_ms=100, learned_ms=300)
    world.count("S1", "A", 8, at_ms=200, learned_ms=400)
    _write(engine, world)

    seen = {ms: queries.at(engine, "S1", "A", at(ms)) for ms in (150, 200, 299, 300)}

    assert [(it.terms.on_hand, it.terms.held, it.staged) for it in seen.values()] == [
        (10, 3, 2),
        (10, 3, 2),
        (10, 3, 2),
        (10, 0, 0),
    ]
    assert queries.verify(engine).differences == ()


def test_a_device_whose_clock_runs_ahead_is_booked_when_the_log_learned_it(engine: Engine) -> None:
    world = World()
    world.sell("S1", "A", 1, at_ms=HOUR, learned_ms=5)
    _write(engine, world)

    page = queries.history(engine, "S1", "A")

    assert [it.occurred_at for it in page.movements] == [at(5)]
    assert queries.at(engine, "S1", "A", at(5)).terms.on_hand == -1


def test_a_late_handover_takes_goods_and_promise_at_its_own_time(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 10)
    lines = (OrderLine(line=1, sku="A", quantity=3), OrderLine(line=2, sku="A", quantity=2))
    world.say("S1", ReserveStock(hold="h1", order="o1", lines=lines, hold_until=at(HOUR)), learned_ms=100)
    world.say("S1", StockPicked(hold="h1", lines=(PickLine(line=2, picked=1, missing=1),)), at_ms=200, learned_ms=500)
    world.say("S1", CollectStock(hold="h1"), at_ms=300, learned_ms=600)
    _write(engine, world)

    def told(ms: int, clock: HistoryClock) -> tuple[int, int, int, int]:
        found = queries.at(engine, "S1", "A", at(ms), clock)
        return found.terms.on_hand, found.terms.held, found.terms.in_doubt, found.staged

    assert [told(ms, HistoryClock.OCCURRED) for ms in (99, 100, 200, 300)] == [
        (10, 0, 0, 0), (10, 5, 0, 0), (10, 4, 1, 1), (6, 0, 1, 0),
    ]  # fmt: skip
    assert [told(ms, HistoryClock.RECORDED) for ms in (300, 500, 600)] == [(10, 5, 0, 0), (10, 4, 1, 1), (6, 0, 1, 0)]


def test_a_promise_does_not_end_before_it_was_made_whatever_a_lagging_clock_says(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 10)
    lines = (OrderLine(line=1, sku="A", quantity=3),)
    world.say("S1", ReserveStock(hold="h1", order="o1", lines=lines, hold_until=at(HOUR)), learned_ms=100)
    world.say("S1", StockPicked(hold="h1", lines=(PickLine(line=1, picked=0, missing=1),)), at_ms=50, learned_ms=110)
    world.say("S1", CollectStock(hold="h1"), at_ms=60, learned_ms=120)
    _write(engine, world)

    assert [queries.at(engine, "S1", "A", at(ms)).terms.held for ms in (55, 70, 99, 100, 120)] == [0, 0, 0, 0, 0]


def test_another_grace_time_holds_from_when_it_was_set(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 100)
    world.sell("S1", "A", 70, at_ms=MINUTE, learned_ms=MINUTE)
    world.say("S1", SetStorePolicy(staleness_grace_minutes=24 * 60), learned_ms=12 * HOUR)
    world.sell("S1", "A", 1, at_ms=20 * HOUR, learned_ms=20 * HOUR)
    _write(engine, world)

    withheld = [
        queries.at(engine, "S1", "A", at(ms), HistoryClock.RECORDED).terms.staleness
        for ms in (6 * HOUR, 12 * HOUR - 1, 12 * HOUR, 19 * HOUR)
    ]

    assert withheld == [7, 12, 0, 0]


def test_goods_put_back_at_the_very_instant_of_a_count_are_in_the_history(engine: Engine) -> None:
    world = World(partitions=1)
    world.receive("S1", "A", 10)
    lines = (OrderLine(line=1, sku="A", quantity=3),)
    world.say("S1", ReserveStock(hold="h1", order="o1", lines=lines, hold_until=at(300)), learned_ms=10)
    world.say("S1", StockPicked(hold="h1", lines=(PickLine(line=1, picked=2),)), learned_ms=20)
    world.count("S1", "A", 8, at_ms=300, learned_ms=300)
    world.say("S1", StockTick(at=at(300)), source="inventory", learned_ms=300)
    _write(engine, world)

    newest = queries.history(engine, "S1", "A", HistorySpan(clock=HistoryClock.RECORDED)).movements[0]

    assert (newest.kind, newest.change, newest.applied, newest.on_hand_after) == ("staged", 0, -2, 8)
    assert queries.verify(engine).differences == ()


def test_pages_do_not_lose_movements_of_one_instant(engine: Engine) -> None:
    world = World()
    for _ in range(5):
        world.sell("S1", "A", 1, at_ms=1, learned_ms=9)
    _write(engine, world)

    first = queries.history(engine, "S1", "A", HistorySpan(limit=2))
    second = queries.history(engine, "S1", "A", HistorySpan(limit=9, cursor=first.next))

    assert [it.message_id for it in (*first.movements, *second.movements)] == ["m4", "m3", "m2", "m1", "m0"]


def test_a_silent_store_holds_units_back_and_the_past_remembers_it(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 100)
    world.sell("S1", "A", 70, at_ms=MINUTE, learned_ms=MINUTE)
    world.sell("S1", "A", 1, at_ms=25 * HOUR, learned_ms=25 * HOUR)
    _write(engine, world)

    during = queries.at(engine, "S1", "A", at(24 * HOUR), HistoryClock.RECORDED)
    known = queries.at(engine, "S1", "A", at(24 * HOUR), HistoryClock.OCCURRED)
    now = queries.levels(engine, "S1", "A", now=at(49 * HOUR)).levels[0]
    why = queries.why(engine, "S1", "A", now=at(49 * HOUR)).staleness

    assert during.terms.staleness == 19
    assert during.heard_at == at(MINUTE)
    assert known.terms.staleness == 0
    assert now.terms.staleness == 19
    assert now.data_age_ms == why.data_age_ms == 24 * HOUR
    assert (why.units, why.sold_per_week, why.percent, why.expected_thousandths) == (19, 71, 100, 71_000 // 7)


def test_a_rule_is_told_with_the_message_that_set_it(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 10)
    world.say("S1", SetStockRule(safety_stock=1), id="r1", actor="kim")
    world.say("S1", SetStockRule(sku="A", safety_stock=4), id="r2", actor="lee")
    _write(engine, world)

    told = queries.why(engine, "S1", "A", now=at(99))

    assert (told.safety_stock.rule, told.safety_stock.units, told.safety_stock.message_id) == ("sku:A", 4, "r2")
    assert told.safety_stock.actor == "lee"
    assert (told.walk_in_reserve.rule, told.walk_in_reserve.set_at) == ("default", None)
    assert told.atp == 6


def test_levels_come_page_by_page_and_one_by_name(engine: Engine) -> None:
    world = World()
    for number in range(5):
        world.receive("S1", f"K{number}", number + 1)
    _write(engine, world)

    first = queries.levels(engine, "S1", now=at(9), page=Page(limit=2))
    rest = queries.levels(engine, "S1", now=at(9), page=Page(limit=9, cursor=first.next))

    assert [it.sku for it in first.levels] == ["K0", "K1"]
    assert [it.sku for it in rest.levels] == ["K2", "K3", "K4"]
    assert rest.next is None
    with pytest.raises(CellUnknown, match="compare exactly"):
        queries.levels(engine, "S1", "k0", now=at(9))


def test_history_comes_newest_first_page_by_page_on_either_clock(engine: Engine) -> None:
    world = World()
    for number in range(7):
        world.sell("S1", "A", 1, at_ms=100 - number, learned_ms=200 + number)
    _write(engine, world)

    for clock in HistoryClock:
        span, seen = HistorySpan(clock=clock, limit=3), []
        while True:
            page = queries.history(engine, "S1", "A", span)
            seen += [it.message_id for it in page.movements]
            if page.next is None:
                break
            span = HistorySpan(clock=clock, limit=3, cursor=page.next)
        newest_first = [f"m{number}" for number in range(7)]
        assert seen == (newest_first if clock is HistoryClock.OCCURRED else newest_first[::-1])
    with pytest.raises(CursorInvalid):
        queries.history(engine, "S1", "A", HistorySpan(cursor="yesterday"))


def test_history_is_bounded_by_its_span(engine: Engine) -> None:
    world = World()
    for number in range(6):
        world.sell("S1", "A", 1, at_ms=number, learned_ms=10 + number)
    _write(engine, world)

    page = queries.history(engine, "S1", "A", HistorySpan(since=at(2), until=at(4)))

    assert [it.message_id for it in page.movements] == ["m3", "m2"]


def _store(store: str, **told: object) -> Record:
    return Record(0, 0, store.encode(), msgspec.json.encode({"store_id": store, **told}))


def test_stores_that_can_promise_are_found_nearest_first(engine: Engine) -> None:
    world = World()
    for store, units in (("S1", 3), ("S2", 9), ("S3", 9), ("S4", 9), ("S5", 1)):
        world.receive(store, "A", units)
    world.say("S4", SetStorePolicy(pickup=False))
    _write(engine, world)
    places = [
        _store("S1", latitude=47.0, longitude=-122.0)._replace(offset=0),
        _store("S2", latitude=47.0, longitude=-121.0, name="Two")._replace(offset=1),
    ]
    Projection(engine).write("stores", 0, places)

    near = queries.find(engine, StoreSearch("A", (47.0, -122.1), 2), now=at(9))
    anywhere = queries.find(engine, StoreSearch("A", minimum=2), now=at(9))

    assert [(it.store, it.distance_km is not None) for it in near] == [("S1", True), ("S2", True), ("S3", False)]
    assert [it.store for it in anywhere] == ["S2", "S3", "S1"]
    assert near[1].name == "Two"


def test_distances_are_those_of_the_earth() -> None:
    assert metres_between((52.5200, 13.4050), (48.8566, 2.3522)) == pytest.approx(877_500, abs=1_000)
    assert metres_between((0, 179.5), (0, -179.5)) == pytest.approx(111_200, abs=100)
    assert metres_between((10, 10), (10, 10)) == 0


def test_a_store_is_known_by_its_place_or_by_what_it_said(engine: Engine) -> None:
    world = World()
    world.sell("S2", "A", 1, at_ms=5)
    _write(engine, world)
    Projection(engine).write("stores", 0, [_store("S1", name="One", city="Kent", time_zone="America/Los_Angeles")])

    found = queries.all_stores(engine)

    assert [(it.store, it.name, it.time_zone) for it in found] == [
        ("S1", "One", "America/Los_Angeles"),
        ("S2", "S2", "UTC"),
    ]
    assert queries.one_store(engine, "S2").heard_at == at(1)
    with pytest.raises(StoreAbsent):
        queries.one_store(engine, "S9")


def test_gaps_holds_and_positions_show_what_is_open(engine: Engine) -> None:
    world = World(partitions=1)
    world.receive("S1", "A", 10)
    world.sell("S1", "A", 1, seq=1)
    world.sell("S1", "A", 1, seq=5)
    lines = (OrderLine(line=1, sku="A", quantity=3),)
    world.say("S1", ReserveStock(hold="h1", order="o1", lines=lines, hold_until=at(HOUR)))
    world.say("S1", ReserveStock(hold="h2", order="o2", lines=lines, hold_until=at(0)))
    _write(engine, world)

    assert [(it.source, it.first, it.last) for it in queries.gaps(engine)] == [("till/S1", 2, 4)]
    assert [(it.hold, it.lines[0].quantity) for it in queries.holds(engine, "S1")] == [("h1", 3)]
    assert [it.hold for it in queries.holds(engine, "S1", all_known=True)] == ["h2", "h1"]
    assert [(it.topic, it.position, it.source_position) for it in queries.positions(engine)] == [
        ("inventory-levels", len(changelog(world.stock[0])) - 1, 4),
        ("stock", 4, None),
    ]


def test_every_answer_can_be_written_as_json(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 10)
    world.sell("S1", "A", 1)
    _write(engine, world)
    now = at(99)

    answers = [
        queries.all_stores(engine), queries.levels(engine, "S1", now=now),
        queries.find(engine, StoreSearch("A"), now=now),
        queries.history(engine, "S1", "A"), queries.at(engine, "S1", "A", now), queries.why(engine, "S1", "A", now=now),
        queries.gaps(engine), queries.holds(engine, "S1"), queries.positions(engine),
        queries.verify(engine),
    ]  # fmt: skip

    assert all(msgspec.json.decode(msgspec.json.encode(answer)) is not None for answer in answers)


def test_verify_names_the_row_and_the_figure_that_differ(engine: Engine) -> None:
    world = World(partitions=1)
    world.receive("S1", "A", 10)
    world.receive("S1", "B", 10)
    _write(engine, world)
    with engine.begin() as connection:
        connection.execute(levels.update().where(levels.c.sku == "B").values(on_hand=11))

    verified = queries.verify(engine)

    assert [(it.where, it.figure, it.found, it.expected) for it in verified.differences] == [
        ("S1 B", "on_hand", "11", "10")
    ]
    assert not verified.is_clean


def test_verify_compares_rows_only_at_equal_positions(engine: Engine) -> None:
    world = World(partitions=1)
    world.receive("S1", "A", 10)
    world.receive("S1", "A", 10)
    projection = Projection(engine)
    projection.write("stock", 0, world.stock[0])
    projection.write("inventory-levels", 0, changelog(world.stock[0][:1]))

    verified = queries.verify(engine)

    assert [(it.levels_position, it.history_position, it.compared) for it in verified.partitions] == [(0, 1, False)]
    assert verified.is_clean


def test_an_instant_that_nothing_is_known_about_is_told_as_such(engine: Engine) -> None:
    with pytest.raises(CellUnknown):
        queries.at(engine, "S1", "A", at(0) + timedelta(days=1))
    with pytest.raises(CellUnknown):
        queries.why(engine, "S1", "A", now=at(0))


def test_other_databases_are_refused_by_name() -> None:
    with pytest.raises(UrlUnsupported, match="mysql"):
        connect("mysql://root@localhost/shop")
    with pytest.raises(UrlUnsupported):
        connect("sqlite://")
