"""What is on its way, what may be promised for later, and goods kept apart at past instants, on both databases."""

from typing import Any

from sqlalchemy import Engine

from bopis.domain.inventory.messages import (
    AdjustmentReason,
    Condition,
    ExpectationWithdrawn,
    PosReturn,
    ReturnLine,
    SetStorePolicy,
    StockAdjusted,
    StockExpected,
    StockLine,
    StockReceived,
    TransferAnnounced,
    TransferReceived,
)
from bopis.domain.values import ChangeLine
from bopis.readside import queries
from bopis.readside.queries import HistoryClock, StoreSearch
from bopis.readside.writer import Projection
from tests.readside.world import Record, World, at, changelog

HOUR = 3_600_000


def write(engine: Engine, world: World) -> None:
    projection = Projection(engine)
    for partition, records in world.stock.items():
        projection.write("stock", partition, records)
        projection.write("inventory-levels", partition, changelog(records))


def lines(**units: int) -> tuple[StockLine, ...]:
    return tuple(StockLine(sku=sku, quantity=quantity) for sku, quantity in units.items())


def expected(document: str, hours: int, **units: int) -> StockExpected:
    return StockExpected(document=document, lines=lines(**units), expected_at=at(hours * HOUR))


def test_a_later_promise_counts_documents_and_dated_transfers_that_are_there_by_then(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 2, at_ms=0)
    world.say("S1", expected("PO-1", 4, A=5))
    world.say("S1", expected("PO-2", 9, A=100))
    announced = TransferAnnounced(transfer="T1", from_store="S2", lines=lines(A=3), expected_at=at(5 * HOUR))
    world.say("S1", announced, source="inventory/S2")
    world.say("S1", TransferAnnounced(transfer="T2", from_store="S2", lines=lines(A=50)), source="inventory/S2")
    write(engine, world)
    now, on = at(HOUR), at(5 * HOUR)

    levels = queries.levels(engine, "S1", "A", now=now).levels
    [later] = queries.later(engine, levels, on=on, now=now)

    assert (later.atp_now, later.available) == (2, 10)
    told = [(it.document or it.transfer, it.quantity, it.overdue) for it in later.incoming]
    assert told == [("PO-1", 5, False), ("T1", 3, False), ("PO-2", 100, False)]


def test_what_was_received_withdrawn_or_is_overdue_counts_for_nothing(engine: Engine) -> None:
    world = World()
    world.receive("S1", "A", 2, at_ms=0)
    for document, hours in (("PO-1", 4), ("PO-2", 4), ("PO-3", 1)):
        world.say("S1", expected(document, hours, A=10))
    world.say("S1", StockReceived(document="PO-1", lines=lines(A=1)))
    world.say("S1", ExpectationWithdrawn(document="PO-2"))
    write(engine, world)
    now = at(2 * HOUR)

    levels = queries.levels(engine, "S1", "A", now=now).levels
    [later] = queries.later(engine, levels, on=at(9 * HOUR), now=now)

    assert later.available == 3
    assert [(it.document, it.overdue) for it in queries.expected(engine, "S1", now=now)] == [("PO-3", True)]


def test_stores_are_found_by_what_they_can_promise_then_and_only_if_they_take_pickups(engine: Engine) -> None:
    world = World()
    for store in ("S1", "S2", "S3"):
        world.receive(store, "A", 1, at_ms=0)
    for store in ("S2", "S3"):
        world.say(store, expected("PO-1", 4, A=6))
    world.say("S3", SetStorePolicy(pickup=False))
    write(engine, world)

    found = queries.find_later(engine, StoreSearch("A", minimum=2), on=at(5 * HOUR), now=at(HOUR))
    sooner = queries.find_later(engine, StoreSearch("A", minimum=2), on=at(3 * HOUR), now=at(HOUR))

    assert [(it.store, it.atp) for it in found] == [("S2", 7)]
    assert sooner == []


def test_a_sku_that_never_was_in_the_books_can_be_promised_for_later(engine: Engine) -> None:
    world = World(partitions=1)
    world.receive("S1", "A", 1, at_ms=0)
    world.say("S1", expected("PO-1", 4, A=3, N=6))
    write(engine, world)
    Projection(engine).write("stores", 0, [Record(0, 0, b"S1", b'{"store_id":"S1","name":"Main"}')])
    now, on = at(HOUR), at(5 * HOUR)

    fresh = queries.new_skus(engine, "S1", now=now)
    [later] = queries.later(engine, fresh, on=on, now=now)
    found = queries.find_later(engine, StoreSearch("N", minimum=2), on=on, now=now)

    assert (later.sku, later.atp_now, later.available) == ("N", 0, 6)
    assert [(it.store, it.name, it.atp) for it in found] == [("S1", "Main", 6)]


def test_transfers_tell_what_was_announced_is_on_the_way_came_and_came_short(engine: Engine) -> None:
    world = World()

    def say(transfer: str, data: Any) -> None:
        world.say("S1", data, source="inventory/S2" if isinstance(data, TransferAnnounced) else "desk")

    for name, complete in (("T1", None), ("T2", False), ("T3", True), ("T4", True)):
        announced = TransferAnnounced(transfer=name, from_store="S2", lines=lines(A=4, B=1), expected_at=at(4 * HOUR))
        say(name, announced)
        came = lines(A=4, B=1) if name == "T4" else lines(A=3, B=1)
        if complete is not None:
            say(name, TransferReceived(transfer=name, from_store="S2", lines=came, complete=complete))
    say("T5", TransferReceived(transfer="T5", from_store="S2", lines=lines(A=2)))
    write(engine, world)

    here, there = queries.transfers(engine, "S1"), queries.transfers(engine, "S2")

    assert here == there
    told = {
        it.transfer: (it.state, [(x.announced, x.on_the_way, x.received, x.short) for x in it.lines]) for it in here
    }
    assert told == {
        "T1": ("on the way", [(4, 4, 0, 0), (1, 1, 0, 0)]),
        "T2": ("received in part", [(4, 1, 3, 0), (1, 0, 1, 0)]),
        "T3": ("short", [(4, 0, 3, 1), (1, 0, 1, 0)]),
        "T4": ("received", [(4, 0, 4, 0), (1, 0, 1, 0)]),
        "T5": ("received, not announced", [(0, 0, 2, 0)]),
    }
    assert {it.expected_at for it in here} == {at(4 * HOUR), None}
    assert queries.transfers(engine, "S3") == []


def test_a_row_that_is_gone_from_the_changelog_is_gone_here(engine: Engine) -> None:
    world = World(partitions=1)
    world.say("S1", expected("PO-1", 4, A=5))
    world.say("S1", TransferAnnounced(transfer="T1", from_store="S2", lines=lines(A=3)), source="inventory/S2")
    write(engine, world)
    last = len(changelog(world.stock[0]))

    gone = [Record(last + n, 0, key, None) for n, key in enumerate((b"@expected|S1|PO-1", b"@transfer|S1|T1"))]
    Projection(engine).write("inventory-levels", 0, gone)

    assert queries.expected(engine, "S1", now=at(0)) == []
    assert queries.transfers(engine) == []


def test_goods_kept_apart_are_told_at_past_instants_on_both_clocks(engine: Engine) -> None:
    world = World(partitions=1)
    world.receive("S1", "A", 9, at_ms=0)

    def give_back(units: int, condition: Condition, hours: int, learned: int) -> None:
        line = ReturnLine(sku="A", quantity=units, condition=condition)
        world.say("S1", PosReturn(basket="b", lines=(line,)), at_ms=hours * HOUR, learned_ms=learned * HOUR)

    give_back(2, Condition.QUARANTINE, hours=2, learned=2)
    give_back(3, Condition.DAMAGED, hours=1, learned=3)
    released = StockAdjusted(reason=AdjustmentReason.QUARANTINE_RELEASED, lines=(ChangeLine(sku="A", change=1),))
    world.say("S1", released, at_ms=4 * HOUR, learned_ms=4 * HOUR)
    write(engine, world)

    def apart(clock: HistoryClock, hours: int) -> tuple[int, int]:
        found = queries.at(engine, "S1", "A", at(hours * HOUR), clock)
        return found.quarantined, found.damaged

    assert [apart(HistoryClock.OCCURRED, hours) for hours in (0, 1, 2, 3, 4)] == [
        (0, 0),
        (0, 3),
        (2, 3),
        (2, 3),
        (1, 3),
    ]
    assert [apart(HistoryClock.RECORDED, hours) for hours in (0, 1, 2, 3, 4)] == [
        (0, 0),
        (0, 0),
        (2, 0),
        (2, 3),
        (1, 3),
    ]
