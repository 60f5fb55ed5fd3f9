"""Books are signed, exact in any order of arrival, and counts stand at their own time."""

import itertools

import pytest

from bopis.domain.inventory.messages import (
    AdjustmentReason,
    Condition,
    CountLine,
    PosReturn,
    PosSale,
    ReturnLine,
    SaleLine,
    StockAdjusted,
    StockCounted,
    StockLine,
    StockReceived,
)
from bopis.domain.inventory.movements import MOVES_MAX, sold_per_week, window_start
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS, ChangeLine
from tests.domain.books import NOON_MS, SKU, Shop, kinds


def sale(quantity: int, sku: str = SKU) -> PosSale:
    return PosSale(basket="b", lines=(SaleLine(sku, quantity),))


def receipt(quantity: int, sku: str = SKU) -> StockReceived:
    return StockReceived(document="d", lines=(StockLine(sku=sku, quantity=quantity),))


def counted(units: int, **more: bool) -> StockCounted:
    return StockCounted(lines=(CountLine(sku=SKU, counted=units),), **more)


def test_on_hand_is_signed_and_kept_below_zero() -> None:
    shop = Shop()

    shop.say(sale(3))

    assert shop.on_hand() == -3


def test_a_basket_with_the_same_sku_on_two_lines_counts_both() -> None:
    shop = Shop()

    shop.say(PosSale(basket="b", lines=(SaleLine(SKU, 1), SaleLine(SKU, 2), SaleLine(SKU, -1), SaleLine(SKU, 0))))

    assert shop.on_hand() == -2


def test_a_zero_line_moves_nothing_and_makes_no_row() -> None:
    shop = Shop()

    shop.say(sale(0))

    assert shop.rows.get(f"{shop.store}|{SKU}") is None


@pytest.mark.parametrize(
    ("condition", "on_hand", "damaged", "quarantined"),
    [(Condition.SELLABLE, 2, 0, 0), (Condition.DAMAGED, 0, 2, 0), (Condition.QUARANTINE, 0, 0, 2)],
)
def test_only_sellable_returns_join_the_books(
    condition: Condition, on_hand: int, damaged: int, quarantined: int
) -> None:
    shop = Shop()

    shop.say(PosReturn(basket="b", lines=(ReturnLine(sku=SKU, quantity=2, condition=condition),)))

    level = shop.level()
    assert (level.on_hand, level.damaged, level.quarantined) == (on_hand, damaged, quarantined)


@pytest.mark.parametrize(
    ("reason", "change", "on_hand", "quarantined"),
    [
        (AdjustmentReason.DAMAGE, -1, -1, 5),
        (AdjustmentReason.FOUND, 4, 4, 5),
        (AdjustmentReason.QUARANTINE_RELEASED, 2, 2, 3),
        (AdjustmentReason.QUARANTINE_SCRAPPED, -2, 0, 3),
    ],
)
def test_an_adjustment_books_by_its_reason(
    reason: AdjustmentReason, change: int, on_hand: int, quarantined: int
) -> None:
    shop = Shop()
    line = ReturnLine(sku=SKU, quantity=5, condition=Condition.QUARANTINE)
    shop.say(PosReturn(basket="b", lines=(line,)))

    shop.say(StockAdjusted(reason=reason, lines=(ChangeLine(sku=SKU, change=change),)))

    assert (shop.level().on_hand, shop.level().quarantined) == (on_hand, quarantined)


def test_a_count_made_at_two_that_arrives_at_three_leaves_later_movements_standing() -> None:
    shop = Shop()
    two = NOON_MS - HOUR_MS
    shop.say(receipt(10), at_ms=two - HOUR_MS)
    shop.say(sale(1), at_ms=two - MINUTE_MS)
    shop.say(sale(2), at_ms=two + MINUTE_MS)

    shop.say(counted(7), at_ms=two)

    assert shop.on_hand() == 7 - 2


def test_a_movement_from_before_the_count_that_arrives_after_it_was_seen_by_it() -> None:
    shop = Shop()
    shop.say(counted(7), at_ms=NOON_MS - HOUR_MS)

    shop.say(sale(1), at_ms=NOON_MS - 2 * HOUR_MS)

    assert shop.on_hand() == 7


def test_an_older_count_that_arrives_later_is_superseded() -> None:
    shop = Shop()
    shop.say(counted(7), at_ms=NOON_MS - HOUR_MS)

    shop.say(counted(100), at_ms=NOON_MS - 2 * HOUR_MS)

    assert shop.on_hand() == 7


def test_every_order_of_arrival_gives_the_same_books() -> None:
    said = [
        (receipt(20), NOON_MS - 5 * HOUR_MS),
        (sale(3), NOON_MS - 4 * HOUR_MS),
        (counted(11), NOON_MS - 3 * HOUR_MS),
        (sale(2), NOON_MS - 3 * HOUR_MS),
        (sale(4), NOON_MS - 2 * HOUR_MS),
        (counted(9), NOON_MS - 3 * HOUR_MS + 1),
    ]

    found = set()
    for order in itertools.permutations(enumerate(said)):
        shop = Shop()
        for number, (data, happened_ms) in order:
            shop.say(data, at_ms=happened_ms, id=f"m{number}")
        found.add(shop.on_hand())

    assert found == {9 - 4}


def test_two_counts_of_one_instant_stand_the_same_in_either_order() -> None:
    found = set()
    for order in ((5, 6), (6, 5)):
        shop = Shop()
        for units in order:
            shop.say(counted(units), id=f"count-{units}")
        found.add(shop.on_hand())

    assert found == {6}


def test_a_count_too_far_back_to_be_placed_is_refused_by_event_and_changes_nothing() -> None:
    shop = Shop()
    for number in range(MOVES_MAX + 1):
        shop.say(sale(1), at_ms=NOON_MS - HOUR_MS + number)

    events = shop.say(counted(50), at_ms=NOON_MS - HOUR_MS)

    assert kinds(events) == ["CountRefused"]
    assert shop.on_hand() == -MOVES_MAX - 1
    shop.say(counted(50))
    assert shop.on_hand() == 50


def test_as_many_later_movements_as_are_remembered_can_stand_after_a_count() -> None:
    shop = Shop()
    for number in range(MOVES_MAX):
        shop.say(sale(1), at_ms=NOON_MS - HOUR_MS + number)

    shop.say(counted(50), at_ms=NOON_MS - 2 * HOUR_MS)

    assert shop.on_hand() == 50 - MOVES_MAX


def test_a_count_too_far_back_for_one_sku_still_counts_the_others() -> None:
    shop = Shop()
    for number in range(MOVES_MAX + 1):
        shop.say(sale(1), at_ms=NOON_MS - HOUR_MS + number)
    lines = (CountLine(sku=SKU, counted=1), CountLine(sku="B", counted=2))

    shop.say(StockCounted(lines=lines), at_ms=NOON_MS - HOUR_MS)

    assert shop.on_hand("B") == 2


def test_the_same_sku_on_two_count_lines_was_found_in_two_places() -> None:
    shop = Shop()
    lines = (CountLine(sku=SKU, counted=1), CountLine(sku=SKU, counted=2))

    shop.say(StockCounted(lines=lines))

    assert shop.on_hand() == 3


def test_a_device_clock_that_runs_ahead_counts_as_now() -> None:
    shop = Shop()
    shop.say(counted(5), at_ms=NOON_MS + 10 * MINUTE_MS)
    shop.now_ms += MINUTE_MS

    shop.say(sale(1))

    assert shop.on_hand() == 4


@pytest.mark.parametrize(("days_later", "per_week"), [(0, 14), (3, 14), (7, 14), (10, 8), (14, 0), (30, 0)])
def test_the_selling_rate_fades_over_two_weeks(days_later: int, per_week: int) -> None:
    begin_ms = window_start(NOON_MS)
    shop = Shop(now_ms=begin_ms)
    shop.say(sale(14))

    assert sold_per_week(shop.level(), begin_ms + days_later * DAY_MS) == per_week


def test_the_selling_rate_rolls_over_into_the_next_window() -> None:
    shop = Shop(now_ms=window_start(NOON_MS))
    shop.say(sale(14))
    shop.now_ms += 7 * DAY_MS

    shop.say(sale(7))

    assert sold_per_week(shop.level(), shop.now_ms) == 7 + 14
