"""The demonstrated day: the same for the same seed, and plausible for whoever looks closely."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from bopis.demo.buyers import Fate, after_grant, reservation, wishes
from bopis.demo.clock import DayClock
from bopis.demo.day import deliveries, sales
from bopis.demo.world import CLOSES, OPENS, Scale, World, last_trading_day, make_world
from bopis.domain.values import epoch_ms
from bopis.wire.stock import STOCK

NOW = datetime(2026, 3, 12, 4, 30, tzinfo=UTC)  # three days after the clocks changed in the United States
SMALL = Scale(stores=6, skus=300, assortment=80, baskets_per_store=60, scarce_stores=3)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(7, SMALL)


def test_a_seed_is_a_day() -> None:
    one, same, other = (make_world(seed, SMALL) for seed in (7, 7, 8))
    day = last_trading_day(one, NOW)

    assert one == same
    assert sales(one, day, "demo") == sales(same, day, "demo")
    assert wishes(one) == wishes(same)
    assert sales(other, day, "demo") != sales(one, day, "demo")


def test_forty_stores_stand_in_four_time_zones_and_have_names() -> None:
    world = make_world(1, Scale())

    assert len({store.record.name for store in world.stores}) == 40
    assert len({store.record.time_zone for store in world.stores}) == 4
    assert all(store.record.latitude and store.record.longitude for store in world.stores)


def test_every_message_can_be_written_and_counts_from_one_without_holes(world: World) -> None:
    day = last_trading_day(world, NOW)
    messages = [*deliveries(world, day, "demo"), *(sale.message for sale in sales(world, day, "demo"))]

    sequences: dict[tuple[str, str], list[object]] = {}
    for message in messages:
        assert STOCK.decode(STOCK.encode(message)).data == message.data
        sequences.setdefault((message.subject, message.source), []).append(message.seq)
    assert len(sequences) == 12
    assert all(seen == list(range(1, len(seen) + 1)) for seen in sequences.values())


def test_all_happens_while_the_stores_are_open_on_a_day_that_is_over(world: World) -> None:
    day = last_trading_day(world, NOW)
    zones = {store.id: store.zone for store in world.stores}

    for sale in sales(world, day, "demo"):
        local = sale.message.time.astimezone(zones[sale.store])
        assert OPENS <= local.time() < CLOSES
        assert local.date() == day
        assert sale.message.time < NOW
        assert sale.at_ms == epoch_ms(sale.message.time)
    assert NOW - timedelta(days=5) < datetime.combine(day, OPENS, UTC) < NOW - timedelta(days=3)


def test_nobody_takes_what_is_not_there(world: World) -> None:
    shelf = {(store, sku): units for store, skus in world.opening.items() for sku, units in skus.items()}

    for sale in sales(world, last_trading_day(world, NOW), "demo"):
        for line in sale.message.data.lines:
            shelf[sale.store, line.sku] -= line.quantity
            assert shelf[sale.store, line.sku] >= 0


def test_the_day_is_shaped_like_real_ones() -> None:
    world = make_world(3, Scale())
    day = last_trading_day(world, NOW)
    zones = {store.id: store.zone for store in world.stores}
    found = sales(world, day, "demo")
    hours = Counter(sale.message.time.astimezone(zones[sale.store]).hour for sale in found)
    sold = Counter[str]()
    for sale in found:
        sold.update({line.sku: line.quantity for line in sale.message.data.lines if line.quantity > 0})

    assert hours.most_common(1)[0][0] in (17, 18)
    assert hours[8] < hours[12] < hours[18] > hours[21]
    sizes = [len(sale.message.data.lines) for sale in found]
    assert 3.5 < sum(sizes) / len(sizes) < 6
    assert max(sizes) > 20
    best = sum(units for _, units in sold.most_common(len(sold) // 10))
    assert 0.3 < best / sum(sold.values()) < 0.8  # a tenth of the SKUs makes much of the sales, not all


def test_more_is_wanted_than_there_is_and_tills_leave_it_alone(world: World) -> None:
    wanted = wishes(world)
    units = sum(world.opening[store][sku] for store, sku in world.scarce)
    sold = {line.sku for sale in sales(world, last_trading_day(world, NOW), "demo") for line in sale.message.data.lines}

    assert sum(wish.units for wish in wanted) > 2 * units
    assert {(wish.store, wish.sku) for wish in wanted} <= set(world.scarce)
    assert not sold & {sku for _, sku in world.scarce}
    assert {wish.fate for wish in wanted} == set(Fate)
    assert len({wish.hold for wish in wanted}) == len(wanted)


def test_what_a_buyer_says_can_be_written(world: World) -> None:
    for wish in wishes(world)[:50]:
        asked = STOCK.decode(STOCK.encode(reservation(wish, "demo", NOW)))
        answer = after_grant(wish, "demo", NOW)
        assert asked.data.hold == wish.hold
        assert (answer is None) == (wish.fate is Fate.FORGET)
        if answer is not None:
            assert STOCK.decode(STOCK.encode(answer)).data.hold == wish.hold


def test_the_clock_runs_at_many_times_real_time() -> None:
    clock = DayClock(opens_ms=1_000_000, closes_ms=1_000_000 + 3_600_000, seconds=10, began=50.0)

    assert clock.times_real == 360
    assert clock.at_ms(55.0) == 1_000_000 + 1_800_000
    assert clock.seconds_until(1_000_000 + 3_600_000, 55.0) == 5.0
    assert clock.share(1_000.0) == 1.0
