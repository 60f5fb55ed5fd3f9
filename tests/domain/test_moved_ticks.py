"""A tick that was moved with its store to other partitions is about that store alone."""

from bopis.domain.inventory.messages import OrderLine, ReserveStock, StockLine, StockReceived, StockTick
from bopis.domain.inventory.step import conclusion_id, step
from tests.domain.books import NOON_MS, MemoryRows, Shop, at


def two_shops_with_a_hold_each() -> tuple[MemoryRows, Shop, Shop]:
    rows = MemoryRows()
    shops = Shop("S1"), Shop("S2")
    for shop in shops:
        shop.rows = rows
        line = OrderLine(line=1, sku="A", quantity=1)
        shop.say(StockReceived(document="d", lines=(StockLine(sku="A", quantity=2),)))
        shop.say(ReserveStock(hold=f"h-{shop.store}", order="o", hold_until=at(NOON_MS + 1), lines=(line,)))
    return rows, *shops


def test_a_moved_tick_ends_the_holds_of_its_own_store_alone() -> None:
    rows, here, there = two_shops_with_a_hold_each()
    tick = here.message(StockTick(at=at(NOON_MS + 2), numbers=(4,)), source="inventory")

    concluded = step(rows, tick, NOON_MS + 2, 0)

    assert [store for store, _ in concluded] == ["S1"]
    assert (here.level().held, there.level().held) == (0, 1)


def test_a_tick_that_was_never_moved_is_about_every_store_of_its_partition() -> None:
    rows, here, there = two_shops_with_a_hold_each()
    tick = here.message(StockTick(at=at(NOON_MS + 2)), source="inventory", subject="-")

    concluded = step(rows, tick, NOON_MS + 2, 0)

    assert [store for store, _ in concluded] == ["S1", "S2"]
    assert (here.level().held, there.level().held) == (0, 0)


def test_the_conclusions_of_a_moved_tick_keep_the_numbers_they_were_told_under() -> None:
    _, here, _ = two_shops_with_a_hold_each()
    tick = here.message(StockTick(at=at(NOON_MS + 2), numbers=(1, 4)), source="inventory")

    ids = [conclusion_id(tick, index) for index in range(2)]

    assert ids == [f"inventory/{tick.id}#1", f"inventory/{tick.id}#4"]


def test_a_conclusion_beyond_the_told_numbers_still_has_an_id() -> None:
    _, here, _ = two_shops_with_a_hold_each()
    tick = here.message(StockTick(at=at(NOON_MS + 2), numbers=()), source="inventory")

    assert conclusion_id(tick, 0) == f"inventory/{tick.id}#0"
