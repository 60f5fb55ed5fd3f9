"""The world of the demonstration: stores, catalogue and opening stock. Pure: the same seed gives the same world."""

import random
from bisect import bisect
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from msgspec import Struct

from bopis.demo.towns import TOWNS, Town
from bopis.services.store_directory import StoreRecord

CHAIN = "Larkspur"
OPENS, CLOSES = time(8), time(22)
KEPT = timedelta(days=3)  # store days for which ready goods wait for their customer
ZIPF_EXPONENT = 0.6
COMMON_SHARE = 4  # every fourth SKU of a store is in all stores, and sells best
SCARCE_CATEGORY = "LIMITED"
CATEGORIES = (
    ("DAIRY", 0.11), ("BAKERY", 0.08), ("PRODUCE", 0.12), ("MEAT", 0.06), ("FROZEN", 0.09), ("PANTRY", 0.19),
    ("DRINKS", 0.11), ("SNACKS", 0.09), ("HOUSEHOLD", 0.08), ("BEAUTY", 0.05), ("BABY", 0.02),
)  # fmt: skip


class Scale(Struct, frozen=True, kw_only=True):
    """The size of the demonstration."""

    stores: int = len(TOWNS)
    skus: int = 2_400
    assortment: int = 360  # SKUs on the shelves of one store
    baskets_per_store: int = 480
    scarce_skus: int = 8
    scarce_stores: int = 12
    scarce_units: int = 10  # of each scarce SKU in each of these stores
    buyers_per_unit: int = 4
    orders_per_store: int = 8


class DemoStore(Struct, frozen=True, kw_only=True):
    """A store: its record in the directory, how busy it is, and its assortment with the odds of each SKU."""

    record: StoreRecord
    busy: float
    assortment: tuple[str, ...]
    odds: tuple[float, ...]  # cumulated, beside the assortment

    @property
    def id(self) -> str:
        return self.record.store_id

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.record.time_zone)

    def pick(self, chance: random.Random) -> str:
        """A SKU that a customer buys."""
        return self.assortment[bisect(self.odds, chance.random() * self.odds[-1])]


class World(Struct, frozen=True, kw_only=True):
    """Everything before the first customer comes."""

    seed: int
    scale: Scale
    stores: tuple[DemoStore, ...]
    categories: dict[str, str]
    opening: dict[str, dict[str, int]]  # units by store and SKU
    scarce: tuple[tuple[str, str], ...]  # store and SKU of limited units, which tills do not sell


def make_world(seed: int, scale: Scale) -> World:
    """The world of a seed."""
    chance = random.Random(f"{seed}/catalogue")
    categories = _catalogue(chance, scale)
    stores = tuple(_store(number, place, categories, seed, scale) for number, place in _sites(scale))
    opening = {store.id: _opening(store, seed, scale) for store in stores}
    for number in range(1, scale.scarce_skus + 1):
        categories[f"LIM-{number:04}"] = SCARCE_CATEGORY
    lucky = chance.sample(stores, min(scale.scarce_stores, len(stores)))
    scarce = sorted((store.id, f"LIM-{n:04}") for store in lucky for n in range(1, scale.scarce_skus + 1))
    for store_id, sku in scarce:
        opening[store_id][sku] = scale.scarce_units
    return World(seed=seed, scale=scale, stores=stores, categories=categories, opening=opening, scarce=tuple(scarce))


def last_trading_day(world: World, now: datetime) -> date:
    """The newest day after which all stores have closed and all uncollected orders have expired by now."""
    day = now.date()
    while max(closing(store, day + KEPT) for store in world.stores) > now:
        day -= timedelta(days=1)
    return day


def cut_off(world: World) -> str:
    """The store that goes offline: the busiest one without scarce units."""
    scarce = {store for store, _ in world.scarce}
    candidates = [it for it in world.stores if it.id not in scarce] or list(world.stores)
    return max(candidates, key=lambda it: (it.busy, it.id)).id


def opening_time(store: DemoStore, day: date) -> datetime:
    return datetime.combine(day, OPENS, store.zone)


def closing(store: DemoStore, day: date) -> datetime:
    return datetime.combine(day, CLOSES, store.zone)


def _sites(scale: Scale) -> list[tuple[int, Town]]:
    """Towns spread over the map, also for few stores."""
    count = min(scale.stores, len(TOWNS))
    return [(n + 1, TOWNS[n * len(TOWNS) // count]) for n in range(count)]


def _catalogue(chance: random.Random, scale: Scale) -> dict[str, str]:
    names, shares = zip(*CATEGORIES, strict=True)
    drawn = chance.choices(names, shares, k=scale.skus)
    return {f"{category[:3]}-{number:04}": category for number, category in enumerate(drawn, start=1)}


def _store(number: int, place: Town, categories: dict[str, str], seed: int, scale: Scale) -> DemoStore:
    chance = random.Random(f"{seed}/store/{number}")
    catalogue = list(categories)
    # Common SKUs are in every store; of the others each store has its own selection.
    common = catalogue[: scale.assortment // COMMON_SHARE]
    own = chance.sample(catalogue[len(common) :], min(scale.assortment, len(catalogue)) - len(common))
    assortment = (*common, *sorted(own))
    weights = [chance.uniform(0.6, 1.4) / rank**ZIPF_EXPONENT for rank in range(1, len(assortment) + 1)]
    record = StoreRecord(
        store_id=f"S{number:02}",
        name=f"{CHAIN} {place.city}",
        city=place.city,
        state=place.state,
        latitude=round(place.latitude + chance.uniform(-0.03, 0.03), 5),
        longitude=round(place.longitude + chance.uniform(-0.03, 0.03), 5),
        time_zone=place.time_zone,
        phone=f"+1 202 555 01{number:02}",
        opening_hours=f"Mo-Su {OPENS:%H:%M}-{CLOSES:%H:%M}",
    )
    return DemoStore(
        record=record, busy=chance.lognormvariate(0, 0.35), assortment=assortment, odds=tuple(accumulate(weights))
    )


def _opening(store: DemoStore, seed: int, scale: Scale) -> dict[str, int]:
    """Units at opening: enough of most SKUs for a normal day, too few of some."""
    chance = random.Random(f"{seed}/opening/{store.id}")
    lines_expected = scale.baskets_per_store * store.busy * 6
    shares = [high - low for low, high in zip((0.0, *store.odds), store.odds, strict=False)]
    units = {}
    for sku, share in zip(store.assortment, shares, strict=True):
        expected = lines_expected * share / store.odds[-1]
        units[sku] = max(1, round(expected * chance.uniform(0.9, 2.2)) + chance.randint(1, 6))
    return units
