"""Holds: all lines or none, never more than can be promised, each unit ended once."""

from typing import Any

import pytest

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.events import (
    HoldChanged,
    HoldCommandRefused,
    HoldEnd,
    HoldExtended,
    ReservationRefused,
    ShortfallFound,
    ShortfallHit,
    StockRefusal,
)
from bopis.domain.inventory.messages import (
    CategoriseSkus,
    CategoryLine,
    CollectStock,
    CountLine,
    ExtendHold,
    OrderLine,
    PickLine,
    PosSale,
    ReleaseStock,
    ReserveStock,
    SaleLine,
    SetStockRule,
    SetStorePolicy,
    StockCounted,
    StockLine,
    StockPicked,
    StockReceived,
    StockTick,
)
from bopis.domain.inventory.rows import hold_key
from bopis.domain.inventory.step import conclusion_id, step
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from tests.domain.books import NOON_MS, SKU, STORE, Shop, at, kinds


def stocked(units: int = 10, sku: str = SKU) -> Shop:
    shop = Shop()
    shop.say(StockReceived(document="d", lines=(StockLine(sku=sku, quantity=units),)))
    return shop


def reserve(
    hold: str, *lines: tuple[str, int], until_ms: int = NOON_MS + HOUR_MS, promised_ms: int = 0
) -> ReserveStock:
    return ReserveStock(
        hold=hold,
        order=f"order-{hold}",
        lines=tuple(OrderLine(line=n, sku=sku, quantity=q) for n, (sku, q) in enumerate(lines or ((SKU, 1),), 1)),
        hold_until=at(until_ms),
        promised_for=at(promised_ms) if promised_ms else None,
    )


def sale(quantity: int) -> PosSale:
    return PosSale(basket="b", lines=(SaleLine(SKU, quantity),))


def tick(shop: Shop) -> list[Any]:
    return shop.say(StockTick(at=at(shop.now_ms)), source="inventory", subject="-")


def test_the_last_unit_is_promised_once() -> None:
    shop = stocked(1)

    first = shop.say(reserve("h1"))
    second = shop.say(reserve("h2"))

    assert kinds(first) == ["StockReserved"]
    assert isinstance(second[0], ReservationRefused)
    assert second[0].reason is StockRefusal.NOT_ENOUGH_STOCK
    assert (second[0].shortages[0].terms.on_hand, second[0].shortages[0].terms.held) == (1, 1)
    assert shop.level().held == 1


def test_lines_are_held_all_or_none() -> None:
    shop = stocked(5)

    events = shop.say(reserve("h1", (SKU, 2), ("B", 1)))

    assert kinds(events) == ["ReservationRefused"]
    assert shop.level().held == 0


def test_two_lines_of_one_sku_are_checked_together() -> None:
    shop = stocked(3)

    assert kinds(shop.say(reserve("h1", (SKU, 2), (SKU, 2)))) == ["ReservationRefused"]
    assert kinds(shop.say(reserve("h2", (SKU, 2), (SKU, 1)))) == ["StockReserved"]
    assert shop.level().held == 3


def test_asking_twice_says_nothing_new_even_when_the_first_answer_was_no() -> None:
    shop = stocked(1)
    wanted = shop.message(reserve("h1", (SKU, 2)))
    shop.hear(wanted)
    shop.say(StockReceived(document="d", lines=(StockLine(sku=SKU, quantity=5),)))

    assert shop.hear(wanted) == []
    assert shop.level().held == 0


def test_a_hold_id_stands_for_one_request() -> None:
    shop = stocked()
    shop.say(reserve("h1"))

    with pytest.raises(Rejected, match="hold 'h1' was asked for before"):
        shop.say(reserve("h1", (SKU, 2)))


def test_a_line_number_stands_for_one_line() -> None:
    shop = stocked()
    lines = (OrderLine(line=1, sku=SKU, quantity=1), OrderLine(line=1, sku=SKU, quantity=1))

    with pytest.raises(Rejected, match="names a line number twice"):
        shop.say(ReserveStock(hold="h1", order="o1", lines=lines, hold_until=at(NOON_MS + HOUR_MS)))

    assert shop.level().held == 0


@pytest.mark.parametrize(
    ("rules", "promised", "rule"),
    [
        ([SetStockRule(safety_stock=3)], 7, "store"),
        ([SetStockRule(safety_stock=3), SetStockRule(category="dairy", safety_stock=4)], 6, "category:dairy"),
        ([SetStockRule(category="dairy", safety_stock=4), SetStockRule(sku=SKU, safety_stock=0)], 10, f"sku:{SKU}"),
        ([SetStockRule(category="bread", safety_stock=4)], 10, "default"),
        ([SetStockRule(safety_stock=3), SetStockRule()], 10, "default"),
    ],
)
def test_the_most_specific_rule_wins_and_is_named(rules: list[SetStockRule], promised: int, rule: str) -> None:
    shop = stocked(10)
    shop.say(CategoriseSkus(lines=(CategoryLine(sku=SKU, category="dairy"),)))
    for it in rules:
        shop.say(it)

    refused = shop.say(reserve("h1", (SKU, promised + 1)))
    granted = shop.say(reserve("h2", (SKU, promised)))

    assert isinstance(refused[0], ReservationRefused)
    terms = refused[0].shortages[0].terms
    assert (terms.atp, terms.safety_stock_rule) == (promised, rule)
    assert kinds(granted) == ["StockReserved"]


def test_walk_in_reserve_falls_to_the_wider_rule_when_the_narrow_one_is_silent() -> None:
    shop = stocked(10)
    shop.say(SetStockRule(walk_in_reserve=2))
    shop.say(SetStockRule(sku=SKU, safety_stock=1))

    refused = shop.say(reserve("h1", (SKU, 8)))

    assert isinstance(refused[0], ReservationRefused)
    terms = refused[0].shortages[0].terms
    assert (terms.safety_stock, terms.walk_in_reserve, terms.walk_in_reserve_rule) == (1, 2, "store")


def test_a_store_without_pickup_takes_no_holds() -> None:
    shop = stocked()
    shop.say(SetStorePolicy(pickup=False))

    refused = shop.say(reserve("h1"))

    assert isinstance(refused[0], ReservationRefused)
    assert refused[0].reason is StockRefusal.PICKUP_OFF


def test_a_deadline_in_the_past_is_refused() -> None:
    shop = stocked()

    refused = shop.say(reserve("h1", until_ms=NOON_MS))

    assert isinstance(refused[0], ReservationRefused)
    assert refused[0].reason is StockRefusal.DEADLINE_PASSED


@pytest.mark.parametrize(("silent_minutes", "withheld"), [(0, 0), (5, 0), (6, 1), (24 * 60, 19), (48 * 60, 33)])
def test_a_silent_store_promises_less_by_its_selling_rate(silent_minutes: int, withheld: int) -> None:
    shop = stocked(1000)
    shop.say(sale(70), source="till", seq=1)
    shop.now_ms += silent_minutes * MINUTE_MS

    refused = shop.say(reserve("h1", (SKU, 10_000), until_ms=shop.now_ms + HOUR_MS))

    assert isinstance(refused[0], ReservationRefused)
    assert refused[0].shortages[0].terms.staleness == withheld


@pytest.mark.parametrize(
    ("command", "end", "on_hand"), [(ReleaseStock, "released", 10), (CollectStock, "collected", 7)]
)
def test_a_hold_ends_once_and_its_units_return_once(command: Any, end: str, on_hand: int) -> None:
    shop = stocked(10)
    shop.say(reserve("h1", (SKU, 3)))

    first = shop.say(command(hold="h1"))
    again = shop.say(command(hold="h1"))

    assert isinstance(first[0], HoldChanged)
    assert first[0].end == end
    assert again == []
    level = shop.level()
    assert (level.on_hand, level.held, level.holds) == (on_hand, 0, ())


def test_release_after_collection_is_refused_and_gives_nothing_back() -> None:
    shop = stocked(10)
    shop.say(reserve("h1", (SKU, 3)))
    shop.say(CollectStock(hold="h1"))

    events = shop.say(ReleaseStock(hold="h1"))

    assert events == [
        HoldCommandRefused(hold="h1", order="order-h1", command="ReleaseStock", reason=StockRefusal.HOLD_ENDED)
    ]
    assert (shop.on_hand(), shop.level().held) == (7, 0)


def test_lines_of_a_hold_end_apart() -> None:
    shop = stocked(10)
    shop.say(reserve("h1", (SKU, 3), (SKU, 2)))

    shop.say(CollectStock(hold="h1", lines=(2,)))

    assert (shop.on_hand(), shop.level().held, shop.level().holds) == (8, 3, ("h1",))
    shop.say(ReleaseStock(hold="h1"))
    assert (shop.on_hand(), shop.level().held, shop.level().holds) == (8, 0, ())


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (CollectStock(hold="h9"), StockRefusal.UNKNOWN_HOLD),
        (CollectStock(hold="h1", lines=(7,)), StockRefusal.UNKNOWN_LINE),
        (ExtendHold(hold="h9", hold_until=at(NOON_MS + DAY_MS)), StockRefusal.UNKNOWN_HOLD),
        (StockPicked(hold="h9", lines=(PickLine(line=1, picked=1),)), StockRefusal.UNKNOWN_HOLD),
        (StockPicked(hold="h1", lines=(PickLine(line=1, picked=4),)), StockRefusal.UNKNOWN_LINE),
        (
            StockPicked(hold="h1", lines=(PickLine(line=1, picked=2), PickLine(line=1, picked=2))),
            StockRefusal.UNKNOWN_LINE,
        ),
    ],
)
def test_commands_that_do_not_fit_are_refused_by_name(command: Any, reason: StockRefusal) -> None:
    shop = stocked(10)
    shop.say(reserve("h1", (SKU, 3)))

    events = shop.say(command)

    assert [getattr(event, "reason", None) for event in events] == [reason]
    assert (shop.on_hand(), shop.level().held) == (10, 3)


def test_a_hold_expires_on_the_logs_clock_and_only_once() -> None:
    shop = stocked(10)
    shop.say(reserve("h1", (SKU, 3)))
    assert tick(shop) == []
    shop.now_ms += HOUR_MS

    first, again = tick(shop), tick(shop)

    assert isinstance(first[0], HoldChanged)
    assert first[0].end is HoldEnd.EXPIRED
    assert again == []
    assert (shop.on_hand(), shop.level().held) == (10, 0)


def test_an_extended_hold_expires_at_its_new_deadline_and_an_old_extension_changes_nothing() -> None:
    shop = stocked(10)
    shop.say(reserve("h1"))

    assert shop.say(ExtendHold(hold="h1", hold_until=at(NOON_MS + 3 * HOUR_MS))) == [
        HoldExtended(hold="h1", order="order-h1", hold_until_ms=NOON_MS + 3 * HOUR_MS)
    ]
    assert shop.say(ExtendHold(hold="h1", hold_until=at(NOON_MS + 2 * HOUR_MS))) == []
    shop.now_ms += 2 * HOUR_MS
    assert tick(shop) == []
    shop.now_ms += HOUR_MS
    assert kinds(tick(shop)) == ["HoldChanged"]


def test_a_collection_before_the_tick_wins_over_the_deadline() -> None:
    shop = stocked(10)
    shop.say(reserve("h1", (SKU, 3)))
    shop.now_ms += 2 * HOUR_MS

    shop.say(CollectStock(hold="h1"))

    assert tick(shop) == []
    assert shop.on_hand() == 7


def test_an_ended_hold_is_forgotten_after_its_memory() -> None:
    shop = stocked(10)
    shop.say(reserve("h1"))
    shop.say(ReleaseStock(hold="h1"))
    shop.now_ms += 31 * DAY_MS

    assert tick(shop) == []
    assert shop.rows.get(hold_key(STORE, "h1")) is None
    assert kinds(shop.say(reserve("h1"))) == ["ReservationRefused"]


def test_a_sale_is_always_true_and_takes_from_the_latest_promise_first() -> None:
    shop = stocked(5)
    shop.say(reserve("early", (SKU, 2), promised_ms=NOON_MS + HOUR_MS))
    shop.say(reserve("late", (SKU, 2), promised_ms=NOON_MS + 2 * HOUR_MS))

    events = shop.say(sale(4))

    assert events == [
        ShortfallFound(
            sku=SKU,
            missing=3,
            on_hand=1,
            held=4,
            hits=(
                ShortfallHit(hold="late", order="order-late", line=1, lost=2),
                ShortfallHit(hold="early", order="order-early", line=1, lost=1),
            ),
        )
    ]
    assert (shop.on_hand(), shop.level().held, shop.level().holds) == (1, 1, ("early",))


def test_of_two_equal_promises_the_later_hold_loses() -> None:
    shop = stocked(2)
    shop.say(reserve("first", promised_ms=NOON_MS + HOUR_MS))
    shop.now_ms += 1
    shop.say(reserve("second", promised_ms=NOON_MS + HOUR_MS))

    events = shop.say(sale(1))

    assert isinstance(events[0], ShortfallFound)
    assert [hit.hold for hit in events[0].hits] == ["second"]


def test_picked_units_are_set_aside_and_no_shortfall_takes_them() -> None:
    shop = stocked(3)
    shop.say(reserve("picked", (SKU, 2), promised_ms=NOON_MS + 5 * HOUR_MS))
    shop.say(reserve("open", (SKU, 1), promised_ms=NOON_MS + HOUR_MS))
    shop.say(StockPicked(hold="picked", lines=(PickLine(line=1, picked=2),)))

    events = shop.say(sale(3))

    assert isinstance(events[0], ShortfallFound)
    assert [(hit.hold, hit.lost) for hit in events[0].hits] == [("open", 1)]
    assert (shop.on_hand(), shop.level().held, shop.level().staged) == (0, 2, 2)


def test_a_count_that_finds_less_than_was_held_is_a_shortfall() -> None:
    shop = stocked(5)
    shop.say(reserve("h1", (SKU, 4)))

    events = shop.say(StockCounted(lines=(CountLine(sku=SKU, counted=3),)))

    assert isinstance(events[0], ShortfallFound)
    assert (shop.on_hand(), shop.level().held) == (3, 3)


def test_a_count_of_the_shelf_adds_what_was_staged_then() -> None:
    shop = stocked(5)
    shop.say(reserve("h1", (SKU, 2)))
    shop.say(StockPicked(hold="h1", lines=(PickLine(line=1, picked=2),)), at_ms=NOON_MS - HOUR_MS)

    shop.say(StockCounted(lines=(CountLine(sku=SKU, counted=3),)))
    assert shop.on_hand() == 5
    shop.say(StockCounted(lines=(CountLine(sku=SKU, counted=5),), staged_counted=True))
    assert shop.on_hand() == 5


def test_a_count_made_before_the_goods_were_picked_saw_them_on_the_shelf() -> None:
    shop = stocked(5)
    shop.say(reserve("h1", (SKU, 2)))
    shop.now_ms += HOUR_MS
    shop.say(StockPicked(hold="h1", lines=(PickLine(line=1, picked=2),)))

    shop.say(StockCounted(lines=(CountLine(sku=SKU, counted=5),)), at_ms=NOON_MS)

    assert shop.on_hand() == 5


def test_units_handed_over_after_a_count_of_the_shelf_leave_the_books_once() -> None:
    shop = stocked(5)
    shop.say(reserve("h1", (SKU, 2)))
    shop.say(StockPicked(hold="h1", lines=(PickLine(line=1, picked=2),)))
    shop.now_ms += HOUR_MS
    shop.say(CollectStock(hold="h1"))

    shop.say(StockCounted(lines=(CountLine(sku=SKU, counted=3),)), at_ms=NOON_MS + MINUTE_MS)

    assert (shop.on_hand(), shop.level().staged) == (3, 0)


def test_a_short_pick_leaves_units_in_doubt_until_a_count() -> None:
    shop = stocked(5)
    shop.say(reserve("h1", (SKU, 3)))

    events = shop.say(StockPicked(hold="h1", lines=(PickLine(line=1, picked=1, missing=2),)))

    assert kinds(events) == ["ShortPickFound"]
    level = shop.level()
    assert (level.on_hand, level.held, level.in_doubt) == (5, 1, 2)
    assert kinds(shop.say(reserve("h2", (SKU, 3)))) == ["ReservationRefused"]
    shop.now_ms += MINUTE_MS
    shop.say(StockCounted(lines=(CountLine(sku=SKU, counted=2),)))
    assert (shop.on_hand(), shop.level().in_doubt) == (3, 0)


def test_a_line_of_which_nothing_was_found_ends_lost() -> None:
    shop = stocked(5)
    shop.say(reserve("h1", (SKU, 2)))

    shop.say(StockPicked(hold="h1", lines=(PickLine(line=1, picked=0, missing=2),)))

    assert (shop.level().held, shop.level().holds) == (0, ())
    assert shop.say(CollectStock(hold="h1")) == [
        HoldCommandRefused(hold="h1", order="order-h1", command="CollectStock", reason=StockRefusal.HOLD_ENDED)
    ]


def test_releasing_picked_goods_makes_them_available_at_once() -> None:
    shop = stocked(2)
    shop.say(reserve("h1", (SKU, 2)))
    shop.say(StockPicked(hold="h1", lines=(PickLine(line=1, picked=2),)))

    shop.say(ReleaseStock(hold="h1", reason="cancelled"))

    assert (shop.level().held, shop.level().staged) == (0, 0)
    assert kinds(shop.say(reserve("h2", (SKU, 2)))) == ["StockReserved"]


def test_an_extension_that_comes_again_after_the_hold_ended_is_refused_under_an_id_of_its_own() -> None:
    shop = stocked(2)
    shop.say(reserve("h1", (SKU, 2)))
    extension = shop.message(ExtendHold(hold="h1", hold_until=at(NOON_MS + DAY_MS)))
    ids = []

    for recorded_at_ms in (NOON_MS + MINUTE_MS, NOON_MS + 2 * MINUTE_MS):
        [(_, event)] = step(shop.rows, extension, recorded_at_ms, 0)
        ids.append((type(event).__name__, conclusion_id(extension, 0, event)))
        shop.say(ReleaseStock(hold="h1"))

    cause = extension.cause
    assert ids == [("HoldExtended", f"{cause}#0"), ("HoldCommandRefused", f"{cause}#0/refused")]
