"""The pickup orders of the demonstrated day, and the two who tell of them."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bopis.demo.articles import price_cents
from bopis.demo.day import sales
from bopis.demo.payings import Paying
from bopis.demo.pickups import Deed, Pickup, Story, body, goods_for, pickups
from bopis.demo.tally import NoticeKey, PickupAccount, PickupOutcome, Tally, compared, failed_pickup_checks
from bopis.demo.world import Scale, World, closing, cut_off, last_trading_day, make_world, opening_time
from bopis.domain.message import Message
from bopis.domain.orders.events import OrderExpired, OrderPromised
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.numbers import parse
from bopis.domain.values import epoch_ms
from bopis.wire.orders import ORDERS

NOW = datetime(2026, 3, 13, 4, 30, tzinfo=UTC)
MINUTE_MS = 60_000
STAMP = Stamp(device="d", actor="", at_ms=0, recorded_at_ms=0)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(7, Scale(stores=6, skus=300, assortment=80, baskets_per_store=60, scarce_stores=3))


@pytest.fixture(scope="module")
def found(world: World) -> list[Pickup]:
    return pickups(world, last_trading_day(world, NOW), cut_off(world))


def test_a_seed_is_the_same_orders(world: World, found: list[Pickup]) -> None:
    again = pickups(make_world(7, world.scale), last_trading_day(world, NOW), cut_off(world))

    assert again == found


def test_every_story_is_told_and_the_shop_without_a_line_has_none(world: World, found: list[Pickup]) -> None:
    told = Counter(it.story for it in found)

    assert set(told) == set(Story)
    assert len(found) == 5 * world.scale.orders_per_store
    assert cut_off(world) not in {it.store for it in found}
    assert len({it.order for it in found}) == len(found)
    assert all(parse(it.order) == it.order for it in found)


def test_deeds_follow_each_other_while_the_store_is_open(world: World, found: list[Pickup]) -> None:
    day = last_trading_day(world, NOW)
    stores = {store.id: store for store in world.stores}

    for it in found:
        times = [at_ms for at_ms, _ in it.deeds]
        assert times == sorted(times)
        assert epoch_ms(opening_time(stores[it.store], day)) <= times[0]
        assert times[-1] < epoch_ms(closing(stores[it.store], day))
        assert it.deeds[0][1] is Deed.PLACE


def test_only_late_ones_take_longer_than_two_hours_and_early_customers_wait(found: list[Pickup]) -> None:
    for it in found:
        when = {deed: at_ms for at_ms, deed in it.deeds}
        if Deed.STAGE in when:
            assert (when[Deed.STAGE] - when[Deed.PLACE] > 120 * MINUTE_MS) is (it.story is Story.LATE)
        if Deed.ARRIVE in when:
            assert (when[Deed.ARRIVE] < when[Deed.STAGE]) is (it.story is Story.EARLY)
        is_collected = it.story not in (Story.CANCELLED, Story.NO_SHOW) and it.paying is not Paying.GIVES_UP
        assert (Deed.HAND_OVER in when) is is_collected
        assert (Deed.RETURN in when) is (it.paying is Paying.BRINGS_BACK)


def test_what_is_ordered_comes_beside_what_tills_sell(world: World, found: list[Pickup]) -> None:
    day = last_trading_day(world, NOW)
    units = Counter[tuple[str, str]]()
    for it in found:
        units.update({(it.store, sku): quantity for sku, quantity in it.lines})
    came = {
        (said.subject, line.sku): line.quantity
        for said in goods_for(found, world, day, "d")
        for line in said.data.lines
    }

    assert came == dict(units)
    assert {sale.store for sale in sales(world, day, "d")} >= {store for store, _ in units}


def test_what_is_said_can_be_written(found: list[Pickup]) -> None:
    for it in found:
        for at_ms, deed in it.deeds:
            if deed in (Deed.PLACE, Deed.HAND_OVER):
                with pytest.raises(ValueError, match="secrets"):
                    body(it, deed)
                continue
            at = datetime.fromtimestamp(at_ms / 1000, UTC)
            said = Message(id="m", source="d", time=at, subject=it.order, data=body(it, deed))
            assert ORDERS.decode(ORDERS.encode(said)).data == said.data


def test_the_price_of_what_is_kept_leaves_out_what_is_missing_or_comes_back(found: list[Pickup]) -> None:
    for it in found:
        full = sum(price_cents(line.sku) * line.units for line in it.lines)
        lost = (it.story is Story.SHORT) + (it.paying is Paying.BRINGS_BACK)
        is_collected = any(deed is Deed.HAND_OVER for _, deed in it.deeds)
        assert it.kept_cents == (full - lost * price_cents(it.lines[0].sku) if is_collected else 0)


# Who acted, and what can be read


def tally_of(found: list[Pickup]) -> Tally:
    """Everything was done as planned, and every order promised within two hours."""
    tally = Tally(found)
    for it in found:
        for at_ms, deed in it.deeds:
            tally.did(it.order, deed, at_ms)
        if it.paying is Paying.GIVES_UP:
            continue
        promised = it.deeds[0][0] + 120 * MINUTE_MS
        hear(tally, it.order, OrderPromised, store=it.store, lines=(1,), ready_by_ms=promised)
        if it.story is Story.NO_SHOW:
            hear(tally, it.order, OrderExpired, store=it.store, lines=(1,))
        tally.short += it.story is Story.SHORT
    return tally


def hear(tally: Tally, order: str, kind: Any, **facts: Any) -> None:
    if kind is OrderPromised:
        facts |= {"promised_before_ms": None, "hold_until_ms": 0}
    event = kind(stamp=STAMP, **facts)
    at = datetime.fromtimestamp(0, UTC)
    tally.take_order_event(Message(id=f"{order}/{kind.__name__}", source="orders", time=at, subject=order, data=event))


def test_two_who_tell_the_same_agree(found: list[Pickup]) -> None:
    tally = tally_of(found)

    figures = compared(tally, tally.account(0), tally.account(0))

    assert failed_pickup_checks(figures, len(found)) == ()
    stories = Counter(it.story for it in found)
    assert (figures.late, figures.no_shows, figures.cancelled) == (
        stories[Story.LATE],
        stories[Story.NO_SHOW],
        stories[Story.CANCELLED] + sum(it.paying is Paying.GIVES_UP for it in found),
    )
    assert figures.p50_minutes < 60 < 120 < figures.p95_minutes


@pytest.mark.parametrize(
    "change",
    [
        {"state": "expired"},
        {"ready_ms": 1},
        {"ready_by_ms": 1},
        {"placed_ms": 1},
    ],
)
def test_one_order_that_is_read_otherwise_is_seen(found: list[Pickup], change: dict[str, Any]) -> None:
    tally = tally_of(found)
    mine = tally.account(0)
    collected = next(it.order for it in found if it.story is Story.COLLECTED)
    read = replace(mine, outcomes={**mine.outcomes, collected: replace(mine.outcomes[collected], **change)})

    assert compared(tally, mine, read).mismatches == 1


def test_an_order_a_notice_or_a_mail_that_is_missing_is_seen(found: list[Pickup]) -> None:
    tally = tally_of(found)
    mine = PickupAccount(
        outcomes={"A": PickupOutcome("ready", 1)}, notices=frozenset({NoticeKey("A", "ready", 1)}), mails=1
    )

    assert compared(tally, mine, mine).mismatches == 0
    assert compared(tally, mine, replace(mine, outcomes={})).mismatches == 1
    assert compared(tally, mine, replace(mine, notices=frozenset())).mismatches == 1
    assert compared(tally, mine, replace(mine, mails=3)).mismatches == 2


def test_whatever_is_wrong_with_pickups_is_told(found: list[Pickup]) -> None:
    tally = tally_of(found)
    tally.refused.append("A: AcceptPick was refused (too_late)")
    figures = compared(tally, tally.account(0), tally.account(0))

    told = failed_pickup_checks(replace(figures, no_shows=0, unsent=2), len(found) + 1)

    assert "1 commands about pickup orders were refused" in told
    assert "2 mails were neither sent nor withdrawn" in told
    assert "1 pickup orders were not placed" in told
    assert any("have no end" in it for it in told)
    assert "of pickup orders, none was counted as no_shows" in told
