"""Staleness: units withheld for the sales that may have happened since a store's last report."""

from bisect import bisect_right
from copy import deepcopy
from math import exp, lgamma, log

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from bopis.domain.inventory.availability import last_report, staleness, terms
from bopis.domain.inventory.events import ReservationRefused, StockReserved
from bopis.domain.inventory.messages import (
    AgentHeartbeat,
    OrderLine,
    PosSale,
    ReserveStock,
    SaleLine,
    SetStorePolicy,
    StockReceived,
)
from bopis.domain.inventory.messages import StockLine as Line
from bopis.domain.inventory.movements import RATE_WINDOW_MS
from bopis.domain.inventory.rows import Device, Level, Store, device_key, store_key
from bopis.domain.inventory.staleness import (
    COUNTED_EVERY,
    HOURS,
    MILLIONTHS,
    WEEK_MS,
    LastReport,
    count_basket,
    expected_sales,
    hours_of,
    hours_of_store,
    units_covering,
)
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from tests.domain.books import NOON_MS, SKU, STORE, Shop, at

MIDNIGHT_MS = NOON_MS // DAY_MS * DAY_MS
TILL = "till/1"
# A store that sells at noon and in the evening, and nothing at night.
TRADING = tuple(90 if it in (12, 13, 17, 18) else 30 if 8 <= it < 20 else 0 for it in range(HOURS))

instants = st.integers(MIDNIGHT_MS, MIDNIGHT_MS + 3 * WEEK_MS)
by_hour = st.just(()) | st.tuples(*[st.integers(0, 500)] * HOURS)
reports = st.builds(LastReport, instants, by_hour)
spans = st.integers(0, 3 * WEEK_MS)
rates = st.integers(0, 5_000)


def policy_of(shop: Shop) -> Store:
    row = shop.rows.get(store_key(STORE))
    return row if isinstance(row, Store) else Store()


def atp(shop: Shop, at_ms: int) -> int:
    policy = policy_of(shop)
    return terms(shop.level(), SKU, policy, last_report(shop.rows, STORE, policy, at_ms), at_ms).atp


def tail(expected: float, units: int) -> float:
    """Probability that a Poisson count exceeds `units`, from its definition."""
    return 1 - sum(exp(-expected + it * log(expected) - lgamma(it + 1)) for it in range(units + 1))


@pytest.mark.parametrize("units", [*range(24)])
def test_each_number_of_units_covers_up_to_the_expectation_of_its_probability(units: int) -> None:
    steps = range(0, 20 * MILLIONTHS, 100)
    least = steps[bisect_right(steps, units, key=units_covering)]

    assert units_covering(least - 100) <= units
    assert tail((least - 100) / MILLIONTHS, units) <= 0.005 + 1e-6
    assert tail((least + 100) / MILLIONTHS, units) > 0.005 - 1e-6


@pytest.mark.parametrize("expected", [13.26, 14.0, 20.0, 50.0, 200.0, 500.0])
def test_many_units_are_covered_with_the_same_probability(expected: float) -> None:
    units = units_covering(int(expected * MILLIONTHS))

    assert tail(expected, units) <= 0.005
    assert tail(expected, units - 3) > 0.005, "and with few units more than are needed"


@given(st.integers(0, 1_000 * MILLIONTHS), st.integers(0, MILLIONTHS))
def test_more_expected_sales_are_covered_by_no_fewer_units(expected: int, more: int) -> None:
    assert units_covering(expected) <= units_covering(expected + more)
    assert units_covering(0) == 0


@given(rates, reports)
def test_nothing_is_expected_at_the_instant_of_a_report_or_before_it(per_week: int, report: LastReport) -> None:
    assert expected_sales(per_week, report, report.at_ms) == 0
    assert expected_sales(per_week, report, report.at_ms - HOUR_MS) == 0


@given(rates, reports, spans, spans)
def test_expected_sales_grow_with_the_age_of_the_data(per_week: int, report: LastReport, age: int, more: int) -> None:
    sooner = expected_sales(per_week, report, report.at_ms + age)

    assert 0 <= sooner <= expected_sales(per_week, report, report.at_ms + age + more)


@given(rates, reports, st.integers(0, 3))
def test_whole_weeks_are_expected_to_sell_the_weekly_rate(per_week: int, report: LastReport, weeks: int) -> None:
    assert expected_sales(per_week, report, report.at_ms + weeks * WEEK_MS) == weeks * per_week * MILLIONTHS


@given(rates, reports, spans, spans)
def test_expected_sales_of_two_spans_add_up(per_week: int, report: LastReport, first: int, second: int) -> None:
    middle = LastReport(report.at_ms + first, report.by_hour)
    both = expected_sales(per_week, report, middle.at_ms + second)

    parts = expected_sales(per_week, report, middle.at_ms) + expected_sales(per_week, middle, middle.at_ms + second)

    assert both - parts in (0, 1), "each is rounded down"


@pytest.mark.parametrize(
    ("from_hour", "hours", "sold"),
    [
        (0, 24, 1.0),
        (12, 1, 90 / 600),
        (12, 0.5, 45 / 600),
        (8, 4, 120 / 600),
        (0, 8, 0.0),
        (17, 24 - 17 + 12, (180 + 30 + 4 * 30) / 600),
    ],
)
def test_sales_are_expected_in_the_hours_in_which_the_store_sells(from_hour: int, hours: float, sold: float) -> None:
    report = LastReport(MIDNIGHT_MS + from_hour * HOUR_MS, tuple(it * 1_000 for it in TRADING))

    expected = expected_sales(70, report, report.at_ms + int(hours * HOUR_MS))

    assert expected == pytest.approx(10 * sold * MILLIONTHS, abs=10 * MILLIONTHS / 1_000)


def test_a_store_whose_hours_are_unknown_sells_evenly() -> None:
    report = LastReport(MIDNIGHT_MS + 3 * HOUR_MS)

    assert expected_sales(168, report, report.at_ms + 5 * HOUR_MS) == 5 * MILLIONTHS


def test_a_rate_below_zero_expects_nothing() -> None:
    assert expected_sales(-5, LastReport(MIDNIGHT_MS), MIDNIGHT_MS + DAY_MS) == 0


def test_hours_take_effect_when_their_week_is_over() -> None:
    device = Device()
    monday = MIDNIGHT_MS // WEEK_MS * WEEK_MS
    for minute in range(300):
        count_basket(device, monday + 9 * HOUR_MS + minute * 100)
    count_basket(device, monday + 6 * DAY_MS + 10 * HOUR_MS)

    assert hours_of(device) == ()

    count_basket(device, monday + WEEK_MS + 11 * HOUR_MS)

    assert [(hour, count) for hour, count in enumerate(hours_of(device)) if count] == [(9, 300), (10, 1)]

    count_basket(device, monday + 9 * HOUR_MS)
    count_basket(device, monday + 2 * WEEK_MS)

    assert [(hour, count) for hour, count in enumerate(hours_of(device)) if count] == [(9, 150), (11, 1)]


def test_rows_of_earlier_versions_are_read_and_count_from_then_on() -> None:
    device = json.decode(b'{"mark":5,"top":5,"heard_ms":7,"greatest_id":"till/1/5"}', type=Device)
    store = json.decode(b'{"devices":["till/1"],"staleness_grace_minutes":9}', type=Store)
    count_basket(device, MIDNIGHT_MS)
    again = json.decode(json.encode(device), type=Device)
    count_basket(again, MIDNIGHT_MS + WEEK_MS)

    assert store.staleness_percent == 100
    assert hours_of(device) == ()
    assert hours_of(again)[0] == 1


def test_an_hour_counts_up_to_two_bytes_and_stays_there() -> None:
    device = Device()
    week = MIDNIGHT_MS // WEEK_MS * WEEK_MS
    for _ in range(2**16 + 10):
        count_basket(device, week)
    count_basket(device, week + WEEK_MS)

    assert hours_of(device)[0] == 2**16 - 1


def test_hours_of_a_store_are_those_of_all_its_devices() -> None:
    assert hours_of_store([(), (1, 2, 3), (10, 20, 30), ()]) == (11, 22, 33)
    assert hours_of_store([()]) == ()


levels = st.builds(
    Level,
    on_hand=st.integers(-20, 200),
    held=st.integers(0, 20),
    in_doubt=st.integers(0, 5),
    sold=st.integers(-10, 2_000),
    sold_before=st.integers(-10, 2_000),
    sold_since_ms=st.just(MIDNIGHT_MS // RATE_WINDOW_MS * RATE_WINDOW_MS),
)
policies = st.builds(
    Store, staleness_grace_minutes=st.integers(0, 120), staleness_percent=st.sampled_from([0, 1, 50, 100, 250, 1_000])
)


@given(levels, policies, reports, spans, spans)
def test_available_to_promise_only_falls_as_data_age_and_is_never_negative(
    level: Level, policy: Store, report: LastReport, age: int, more: int
) -> None:
    fresh = terms(level, SKU, policy, report, report.at_ms)
    sooner = terms(level, SKU, policy, report, report.at_ms + age)
    later = terms(level, SKU, policy, report, report.at_ms + age + more)

    assert fresh.staleness == 0
    assert fresh.atp == terms(level, SKU, policy, None, report.at_ms).atp
    assert 0 <= sooner.staleness <= later.staleness
    assert 0 <= later.atp <= sooner.atp <= fresh.atp


@given(levels, reports, spans)
def test_switched_off_nothing_is_withheld_and_a_greater_share_withholds_no_less(
    level: Level, report: LastReport, age: int
) -> None:
    by_percent = [
        staleness(level, Store(staleness_percent=it), report, report.at_ms + age) for it in (0, 50, 100, 200, 1_000)
    ]

    assert by_percent[0] == 0
    assert by_percent == sorted(by_percent)


@given(levels, policies, reports)
def test_within_the_grace_time_nothing_is_withheld(level: Level, policy: Store, report: LastReport) -> None:
    until_ms = report.at_ms + policy.staleness_grace_minutes * MINUTE_MS

    assert staleness(level, policy, report, until_ms) == 0


def reserve(name: str, shop: Shop, units: int) -> ReserveStock:
    lines = (OrderLine(line=1, sku=SKU, quantity=units),)
    return ReserveStock(hold=name, order=name, lines=lines, hold_until=at(shop.now_ms + HOUR_MS))


def test_a_hold_is_refused_by_the_number_that_is_shown_and_granted_after_the_store_is_back() -> None:
    shop = Shop()
    shop.say(StockReceived(document="d1", lines=(Line(sku=SKU, quantity=10),)))
    for number in range(7):
        shop.now_ms += DAY_MS
        shop.say(PosSale(basket=f"b{number}", lines=(SaleLine(SKU, 1),)), source=TILL, seq=number + 1)
    before = atp(shop, shop.now_ms)
    shop.now_ms += 6 * HOUR_MS
    shown = atp(shop, shop.now_ms)

    assert (before, shown) == (3, 1)

    refused = shop.say(reserve("h1", shop, shown + 1))
    shop.say(AgentHeartbeat(), source=TILL, seq=8)
    granted = shop.say(reserve("h2", shop, before))

    assert isinstance(refused[0], ReservationRefused)
    assert refused[0].shortages[0].terms.staleness == 2
    assert isinstance(granted[0], StockReserved)


def test_a_store_without_devices_is_never_stale() -> None:
    shop = Shop()
    shop.say(StockReceived(document="d1", lines=(Line(sku=SKU, quantity=10),)))
    shop.say(PosSale(basket="b1", lines=(SaleLine(SKU, 5),)), id="by-hand")

    assert atp(shop, shop.now_ms + 14 * DAY_MS) == 5


def test_a_policy_says_how_much_is_withheld() -> None:
    shop = Shop()
    shop.say(SetStorePolicy(staleness_percent=0))
    event = shop.say(SetStorePolicy(pickup=True))[0]

    assert policy_of(shop).staleness_percent == 0
    assert event.staleness_percent == 0  # type: ignore[union-attr]  # the event of a policy


baskets = st.lists(
    st.tuples(st.integers(0, 3 * WEEK_MS), st.integers(1, 3), st.sampled_from([TILL, "till/2"])), max_size=40
)


@given(baskets)
def test_replaying_the_same_records_gives_the_same_rows_and_units(told: list[tuple[int, int, str]]) -> None:
    def played() -> Shop:
        shop, sequences = Shop(now_ms=MIDNIGHT_MS), dict.fromkeys((TILL, "till/2"), 0)
        shop.say(StockReceived(document="d1", lines=(Line(sku=SKU, quantity=500),)))
        for after_ms, units, source in sorted(told):
            shop.now_ms = MIDNIGHT_MS + after_ms
            sequences[source] += 1
            basket = f"{source}/{sequences[source]}"
            shop.say(
                PosSale(basket=basket, lines=(SaleLine(SKU, units),)), source=source, seq=sequences[source], id=basket
            )
        return shop

    first, second = played(), played()

    assert first.rows.rows == second.rows.rows
    asked_ms = MIDNIGHT_MS + 3 * WEEK_MS + 5 * HOUR_MS
    assert atp(first, asked_ms) == atp(second, asked_ms)


def test_a_basket_that_is_sent_again_is_counted_in_its_hour_once() -> None:
    shop = Shop()
    basket = PosSale(basket="b1", lines=(SaleLine(SKU, 1),))
    shop.say(basket, source=TILL, seq=1, id="one")
    device = deepcopy(shop.rows.get(device_key(STORE, TILL)))

    shop.say(basket, source=TILL, seq=1, id="one")
    shop.say(basket, source=TILL, seq=1 + COUNTED_EVERY, id="one")  # the next sequence that is looked at

    counted = shop.rows.get(device_key(STORE, TILL))
    assert isinstance(device, Device)
    assert isinstance(counted, Device)
    assert counted.baskets_by_hour == device.baskets_by_hour
    assert sum(counted.baskets_by_hour) == 1
