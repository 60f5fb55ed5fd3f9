"""The trial stores of a load, their baskets and orders. Pure: the same seed and name give the same messages."""

import random
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

import msgspec
from msgspec import Struct

from bopis.demo.articles import articles
from bopis.demo.day import basket_lines
from bopis.demo.pickups import LINES, UNITS, OrderedUnits, Pickup, Story
from bopis.demo.world import DemoStore, Scale, World, make_world
from bopis.domain.inventory.messages import (
    CategoriseSkus,
    CategoryLine,
    PosSale,
    SetStorePolicy,
    StockLine,
    StockReceived,
)
from bopis.domain.message import Message
from bopis.domain.orders.numbers import number_from
from bopis.domain.values import LINES_MAX
from bopis.services.store_directory import ALWAYS_OPEN, CAPACITY_MINUTES_MAX
from bopis.wire.catalogue import Article

PREFIX = "TRIAL-"
# So many that tills do not sell out within an hour at a high rate.
UNITS_ON_SHELF = 100_000
PLACES = 40


class LoadPlan(Struct, frozen=True, kw_only=True):
    """Rates and length of a load: `baskets` and `orders` per second over all stores; `seconds` that they last;
    `name` makes the ids of this load different from those of every other one."""

    name: str
    seed: int
    stores: int
    baskets: float
    orders: float
    seconds: float
    staff: bool


def trial_world(plan: LoadPlan) -> World:
    """Stores that are always open and near no other store, so that no order of a real customer is routed there."""
    made = make_world(plan.seed, Scale(stores=plan.stores, scarce_stores=0, scarce_skus=0))
    return msgspec.structs.replace(made, stores=tuple(_always_open(it) for it in made.stores))


def trial_articles(world: World) -> list[Article]:
    """The articles of the trial stores, under SKUs that no real article has."""
    return [msgspec.structs.replace(it, sku=f"{PREFIX}{sku}") for sku, it in articles(world.categories).items()]


def opening(plan: LoadPlan, world: World, now: datetime) -> Iterator[Message]:
    """Policies, categories and stock of the trial stores."""
    for store in world.stores:
        skus = sorted(store.assortment)
        bodies: list[SetStorePolicy | CategoriseSkus | StockReceived] = [SetStorePolicy(pickup=True)]
        for number, at in enumerate(range(0, len(skus), LINES_MAX), 1):
            part = skus[at : at + LINES_MAX]
            bodies.append(
                CategoriseSkus(lines=tuple(CategoryLine(sku=it, category=_category(world, it)) for it in part))
            )
            goods = tuple(StockLine(sku=it, quantity=UNITS_ON_SHELF) for it in part)
            bodies.append(StockReceived(document=f"{plan.name}-{store.id}-{number}", lines=goods))
        for number, body in enumerate(bodies, 1):
            yield _message(f"{plan.name}/hq/{store.id}", number, store.id, now, body)


def ending(plan: LoadPlan, world: World, now: datetime) -> Iterator[Message]:
    """The end of pickups in the trial stores: nobody can order there any more."""
    for store in world.stores:
        yield _message(f"{plan.name}/end/{store.id}", 1, store.id, now, SetStorePolicy(pickup=False))


class Baskets:
    """The baskets of the trial stores, one after the other; busy stores have more of them."""

    def __init__(self, plan: LoadPlan, world: World) -> None:
        self._plan, self._world = plan, world
        self._chance = random.Random(f"{plan.seed}/load/baskets")
        self._busy = [it.busy for it in world.stores]
        self._numbers = dict.fromkeys((it.id for it in world.stores), 0)
        self._shelves = {it.id: dict.fromkeys(it.assortment, UNITS_ON_SHELF) for it in world.stores}

    def next(self, now: datetime) -> Message:
        """The next basket, sold now; numbered by its till."""
        (store,) = self._chance.choices(self._world.stores, self._busy)
        lines = basket_lines(store, self._shelves[store.id], self._chance)
        while not lines:
            lines = basket_lines(store, self._shelves[store.id], self._chance)
        self._numbers[store.id] = number = self._numbers[store.id] + 1
        body = PosSale(basket=f"{self._plan.name}-{store.id}-{number}", lines=tuple(lines))
        return _message(f"{self._plan.name}/till/{store.id}", number, store.id, now, body)


class Orders:
    """The pickup orders of the load, one after the other."""

    def __init__(self, plan: LoadPlan, world: World) -> None:
        self._plan, self._world = plan, world
        self._chance = random.Random(f"{plan.seed}/load/orders")
        self._count = 0

    def next(self) -> Pickup:
        """The next order, paid in the store and collected."""
        self._count += 1
        store = self._chance.choice(self._world.stores)
        skus = dict.fromkeys(store.pick(self._chance) for _ in range(self._chance.choice(LINES)))
        return Pickup(
            order=number_from(sha256(f"{self._plan.name}/{self._count}".encode()).digest()),
            story=Story.COLLECTED,
            store=store.id,
            place=f"{self._chance.choice('ABC')}{self._count % PLACES + 1}",
            lines=tuple(OrderedUnits(sku, self._chance.choice(UNITS)) for sku in skus),
            deeds=(),
        )


def _always_open(store: DemoStore) -> DemoStore:
    record = msgspec.structs.replace(
        store.record,
        store_id=f"{PREFIX}{store.record.store_id}",
        name=f"Trial {store.record.city}",
        latitude=None,
        longitude=None,
        opening_hours=ALWAYS_OPEN,
        capacity_minutes=CAPACITY_MINUTES_MAX,
    )
    return msgspec.structs.replace(store, record=record, assortment=tuple(f"{PREFIX}{sku}" for sku in store.assortment))


def _category(world: World, sku: str) -> str:
    return world.categories[sku.removeprefix(PREFIX)]


def _message(source: str, number: int, store: str, now: datetime, body: object) -> Message:
    message = Message(id=f"{source}/{number}", source=source, time=now, subject=store, data=body)
    # Tills number their messages.
    return msgspec.structs.replace(message, seq=number) if isinstance(body, PosSale) else message
