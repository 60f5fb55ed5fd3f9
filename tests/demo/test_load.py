"""The load of trial stores: what it sends, what it counts, and that no real order can meet it."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bopis.demo.load.figures import LoadFigures, latency
from bopis.demo.load.plan import PREFIX, Baskets, LoadPlan, Orders, ending, opening, trial_articles, trial_world
from bopis.demo.load.traffic import Traffic
from bopis.demo.pickup_actor import placement
from bopis.demo.pickups import Deed, Pickup
from bopis.domain.inventory.messages import PosSale, SetStorePolicy, StockReceived
from bopis.domain.message import Message
from bopis.domain.orders.events import OrderPromised
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.numbers import parse
from bopis.ports import RecordMetadata
from bopis.wire.orders import ORDERS
from bopis.wire.stock import STOCK

PLAN = LoadPlan(name="trial-1", seed=1, stores=3, baskets=100, orders=10, seconds=1, staff=True)
WORLD = trial_world(PLAN)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_trial_stores_are_always_open_and_nobodys_neighbours() -> None:
    assert len(WORLD.stores) == 3
    for store in WORLD.stores:
        assert store.id.startswith(PREFIX)
        assert (store.record.latitude, store.record.longitude) == (None, None)
        assert store.record.opening_hours == "24/7"


def test_everything_that_is_sold_is_an_article_of_the_trial_and_in_stock() -> None:
    articles = {it.sku for it in trial_articles(WORLD)}
    received = {
        (it.subject, line.sku) for it in opening(PLAN, WORLD, NOW) if isinstance(it.data, StockReceived)
        for line in it.data.lines
    }  # fmt: skip
    baskets = Baskets(PLAN, WORLD)
    sold = [baskets.next(NOW) for _ in range(200)]
    orders = Orders(PLAN, WORLD)
    ordered = [orders.next() for _ in range(50)]

    cells = {(it.subject, line.sku) for it in sold for line in it.data.lines}
    cells |= {(it.store, line.sku) for it in ordered for line in it.lines}
    assert cells <= received
    assert {sku for _, sku in received} <= articles
    assert all(sku.startswith(PREFIX) for sku in articles)


def test_tills_number_their_baskets_without_holes_and_orders_have_numbers_of_their_own() -> None:
    baskets, orders = Baskets(PLAN, WORLD), Orders(PLAN, WORLD)
    sold = [baskets.next(NOW) for _ in range(100)]

    by_till: dict[str, list[Any]] = {}
    for it in sold:
        by_till.setdefault(it.source, []).append(it.seq)
        assert isinstance(STOCK.decode(STOCK.encode(it)).data, PosSale)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_till.values())
    numbers = [orders.next().order for _ in range(100)]
    assert len(set(numbers)) == 100
    assert [parse(it) for it in numbers] == numbers


def test_the_same_seed_sells_the_same_and_another_load_has_other_ids() -> None:
    other = msgspec.structs.replace(PLAN, name="trial-2")
    first, second = (Baskets(it, WORLD).next(NOW) for it in (PLAN, other))

    assert first.data.lines == second.data.lines
    assert first.id != second.id
    assert Orders(PLAN, WORLD).next().order != Orders(other, WORLD).next().order


def test_at_the_end_nobody_can_order_there() -> None:
    policies = [it.data for it in ending(PLAN, WORLD, NOW)]

    assert [it.pickup for it in policies if isinstance(it, SetStorePolicy)] == [False] * 3


def test_latencies_are_values_that_occurred() -> None:
    found = latency([float(it) for it in range(1, 101)])

    assert (found.count, found.p50_ms, found.p99_ms, found.most_ms) == (100, 50.0, 99.0, 100.0)
    assert latency([]).p50_ms is None


@pytest.mark.parametrize(
    "change",
    [{"lost": 1}, {"refusals": {"accept: no_such": 1}}, {"cancelled": {"no_stock": 1}}, {"unanswered": 1}],
)
def test_a_load_is_only_well_when_everything_was_answered(change: dict[str, Any]) -> None:
    report = LoadFigures().report(1.0, 3, 0)

    assert report.ok
    assert not msgspec.structs.replace(report, **change).ok


class Published:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Message]] = []

    def publish(self, topic: str, key: str, value: bytes, on_delivery: Any = None) -> None:
        self.said.append((key, ORDERS.decode(value)))
        on_delivery(RecordMetadata("orders", 0, len(self.said), 0))


class Secrets:
    """Seals nothing."""

    codes = SimpleNamespace(
        hashes=lambda _order, _version: ("a" * 64, "b" * 64), code=lambda *_: "1", hash_of_code=lambda *_: "a" * 64
    )

    @staticmethod
    def seal(_customer: str, _fields: Any) -> str:
        return "s1.AAAA"


@pytest.fixture
def order() -> Pickup:
    return Orders(PLAN, WORLD).next()


def answer(order: Pickup, cause: Message, data: Any) -> Message:
    return Message(id="e", source="orders", time=NOW, subject=order.order, causation=cause.cause, data=data)


def test_staff_go_on_after_each_answer_and_an_order_is_open_until_it_is_handed_over(order: Pickup) -> None:
    shop = Published()
    traffic = Traffic(PLAN, Secrets(), shop, shop)  # type: ignore[arg-type]  # as much of them as is used
    traffic._say(order, Deed.PLACE, placement(order, Secrets(), {}))  # type: ignore[arg-type]  # as above

    stamp = Stamp(device="d", actor="", at_ms=0, recorded_at_ms=0)
    promised = OrderPromised(
        stamp=stamp, store=order.store, lines=(1,), ready_by_ms=0, promised_before_ms=None, hold_until_ms=0
    )
    traffic._take(answer(order, shop.said[-1][1], promised))
    opened = []
    while traffic.unanswered and len(shop.said) < 20:
        opened.append(traffic.unanswered)
        traffic._take(answer(order, shop.said[-1][1], SimpleNamespace()))

    deeds = [message.id.rpartition("/")[2] for _, message in shop.said]
    assert deeds == ["place", "accept", "pick", "stage", "arrive", "hand_over"]
    assert opened == [1] * 5
    assert traffic.figures.handed_over == 1
    assert len(traffic.figures.staff_ms) == 5
