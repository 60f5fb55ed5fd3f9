"""Rows and position together, each record once, whatever is handed over."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from bopis.domain.inventory.messages import CollectStock, OrderLine, PosSale, ReleaseStock, ReserveStock, SaleLine
from bopis.readside import queries, statements
from bopis.readside.errors import RecordsMissing, TopicNotProjected
from bopis.readside.writer import Batch, Projection
from tests.readside.tables import contents
from tests.readside.world import World, at, changelog, chunks


def _busy_world() -> World:
    world = World()
    for number in range(30):
        store, sku = f"S{number % 3}", f"K{number % 4}"
        world.receive(store, sku, 10)
        world.sell(store, sku, number % 5 + 1, at_ms=number - 5)
        if number % 7 == 0:
            world.count(store, sku, 8, at_ms=number - 2)
        if number % 5 == 0:
            lines = (OrderLine(line=1, sku=sku, quantity=1),)
            hold = f"h{number}"
            world.say(store, ReserveStock(hold=hold, order="o1", lines=lines, hold_until=at(1_000_000)))
            world.receive(store, f"other{number}", 1)
            world.say(store, CollectStock(hold=hold) if number % 2 else ReleaseStock(hold=hold))
    return world


def _write_all(projection: Projection, world: World) -> None:
    for partition, records in world.stock.items():
        projection.write("stock", partition, records)
        projection.write("inventory-levels", partition, changelog(records))


def test_the_same_records_in_other_batches_give_the_same_tables(engine: Engine, fresh: Callable[[], Engine]) -> None:
    world = _busy_world()
    other = fresh()

    _write_all(Projection(engine), world)
    projection = Projection(other)
    for partition, records in world.stock.items():
        for piece in chunks(records, [1, 4, 2, 9]):
            projection.write("stock", partition, piece)
        for piece in chunks(changelog(records), [3, 5, 1]):
            projection.write("inventory-levels", partition, piece)

    assert contents(other) == contents(engine)


def test_batches_handed_over_again_change_nothing(engine: Engine) -> None:
    world = _busy_world()
    projection = Projection(engine)
    _write_all(projection, world)
    before = contents(engine)

    _write_all(projection, world)
    _write_all(Projection(engine), world)
    for partition, records in world.stock.items():
        projection.write("stock", partition, records[3:])

    assert contents(engine) == before


def test_records_that_were_not_handed_over_are_asked_for_and_nothing_is_written(engine: Engine) -> None:
    world = World(partitions=1)
    for _ in range(6):
        world.sell("S1", "K1", 1)
    projection = Projection(engine)
    projection.write("stock", 0, world.stock[0][:2])
    before = contents(engine)

    with pytest.raises(RecordsMissing) as missing:
        projection.write("stock", 0, world.stock[0][3:])
    with pytest.raises(RecordsMissing):
        projection.write_many([Batch("stock", 0, world.stock[0][3:], 3, 6)])

    assert (missing.value.topic, missing.value.partition, missing.value.position) == ("stock", 0, 1)
    assert contents(engine) == before
    projection.write("stock", 0, world.stock[0][1:])
    assert queries.verify(engine).differences == ()
    assert projection.positions() == {("stock", 0): 5}


def test_a_hole_in_the_log_itself_is_accepted_when_the_caller_read_from_before_it(engine: Engine) -> None:
    world = World(partitions=1)
    for _ in range(6):
        world.sell("S1", "K1", 1)
    log = world.stock[0]

    projection = Projection(engine)
    projection.write("stock", 0, [log[0], log[3]], 0, 4)
    projection.write("stock", 0, [], 4, 5)
    projection.write("stock", 0, log[5:], 5, 6)

    assert projection.positions() == {("stock", 0): 5}
    assert [it.offset for it in queries.history(engine, "S1", "K1").movements] == [5, 3, 0]


def test_several_batches_are_one_transaction(engine: Engine) -> None:
    world = _busy_world()
    projection = Projection(engine)
    batches = [Batch("stock", partition, records) for partition, records in world.stock.items()]
    broken = [*batches, Batch("stock", 0, world.stock[0][-1:], 99, 100)]
    broken[-1] = Batch("stock", 0, [world.stock[0][-1]._replace(offset=500)])

    with pytest.raises(RecordsMissing):
        projection.write_many(broken)
    nothing = contents(engine)
    projection.write_many(batches)

    assert not any(rows for name, rows in nothing.items())
    assert projection.positions() == {
        ("stock", 0): len(batches[0].records) - 1,
        ("stock", 1): len(batches[1].records) - 1,
    }


def test_a_failure_in_the_middle_leaves_neither_rows_nor_position(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _busy_world()
    projection = Projection(engine)
    half = len(world.stock[0]) // 2
    projection.write("stock", 0, world.stock[0][:half])
    before = contents(engine)

    whole = statements.upsert

    def break_off(connection: object, table: object, rows: object) -> None:
        whole(connection, table, rows)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(statements, "upsert", break_off)
        with pytest.raises(KeyboardInterrupt):
            projection.write("stock", 0, world.stock[0][half:])
    after_failure = contents(engine)
    projection.write("stock", 0, world.stock[0][half:])

    assert after_failure == before
    assert queries.verify(engine).differences == ()


def test_two_projections_on_one_database_double_nothing(engine: Engine, fresh: Callable[[], Engine]) -> None:
    world = _busy_world()
    alone = fresh()
    _write_all(Projection(alone), world)

    first, second = Projection(engine), Projection(engine)
    for partition, records in world.stock.items():
        for turn, piece in enumerate(chunks(records, [4] * 20)):
            (first, second)[turn % 2].write("stock", partition, piece)
            (second, first)[turn % 2].write("stock", partition, piece)
        for piece in chunks(changelog(records), [6] * 20):
            first.write("inventory-levels", partition, piece)
            second.write("inventory-levels", partition, piece)

    assert contents(engine) == contents(alone)


def test_rows_forgotten_in_memory_come_back_from_the_table(engine: Engine, fresh: Callable[[], Engine]) -> None:
    world = _busy_world()
    alone = fresh()
    _write_all(Projection(alone), world)

    forgetful = Projection(engine, rows_cached_max=1)
    for partition, records in world.stock.items():
        for piece in chunks(records, [1] * len(records)):
            forgetful.write("stock", partition, piece)
        forgetful.write("inventory-levels", partition, changelog(records))

    assert contents(engine) == contents(alone)


def test_topics_are_named_with_the_prefix_and_told_without(engine: Engine) -> None:
    world = World(partitions=1)
    world.sell("S1", "K1", 1)
    projection = Projection(engine, "shop.")

    projection.write("shop.stock", 0, world.stock[0])

    assert projection.positions() == {("stock", 0): 0}
    with pytest.raises(TopicNotProjected):
        projection.write("shop.order-archive", 0, world.stock[0])


def test_records_that_are_no_messages_are_passed_over(engine: Engine) -> None:
    world = World(partitions=1)
    world.receive("S1", "K1", 5)
    world.put(0, None, 2)
    world.put(0, b"{not json", 3)
    world.put(0, b'{"specversion":"1.0","type":"bopis.unknown.v9"}', 4)
    world.say("S|1", PosSale(basket="b", lines=(SaleLine(sku="K1", quantity=1),)), learned_ms=5)
    world.sell("S1", "K1", 2, learned_ms=6)

    projection = Projection(engine)
    projection.write("stock", 0, world.stock[0])
    projection.write("inventory-levels", 0, changelog(world.stock[0]))

    assert projection.positions()["stock", 0] == 5
    assert [it.on_hand_after for it in queries.history(engine, "S1", "K1").movements] == [3, 5]
    assert queries.verify(engine).differences == ()
