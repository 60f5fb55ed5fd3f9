"""The world of the demonstration: stores, catalogue and opening stock. Pure: the same seed gives the same world.

The chain is invented, the towns are real.
"""

import random
from bisect import bisect
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

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


class Town(NamedTuple):
    """A town, its centre, and the time zone of its clocks."""

    city: str
    state: str
    latitude: float
    longitude: float
    time_zone: str


EASTERN, CENTRAL, MOUNTAIN, PACIFIC = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
)  # fmt: skip

TOWNS = (
    Town("Portland", "ME", 43.6591, -70.2568, EASTERN),
    Town("Burlington", "VT", 44.4759, -73.2121, EASTERN),
    Town("Albany", "NY", 42.6526, -73.7562, EASTERN),
    Town("Syracuse", "NY", 43.0481, -76.1474, EASTERN),
    Town("Scranton", "PA", 41.4090, -75.6624, EASTERN),
    Town("Harrisburg", "PA", 40.2732, -76.8867, EASTERN),
    Town("Annapolis", "MD", 38.9784, -76.4922, EASTERN),
    Town("Richmond", "VA", 37.5407, -77.4360, EASTERN),
    Town("Roanoke", "VA", 37.2710, -79.9414, EASTERN),
    Town("Raleigh", "NC", 35.7796, -78.6382, EASTERN),
    Town("Asheville", "NC", 35.5951, -82.5515, EASTERN),
    Town("Savannah", "GA", 32.0809, -81.0912, EASTERN),
    Town("Toledo", "OH", 41.6528, -83.5379, EASTERN),
    Town("Dayton", "OH", 39.7589, -84.1916, EASTERN),
    Town("Lansing", "MI", 42.7325, -84.5555, EASTERN),
    Town("Lexington", "KY", 38.0406, -84.5037, EASTERN),
    Town("Knoxville", "TN", 35.9606, -83.9207, EASTERN),
    Town("Nashville", "TN", 36.1627, -86.7816, CENTRAL),
    Town("Huntsville", "AL", 34.7304, -86.5861, CENTRAL),
    Town("Peoria", "IL", 40.6936, -89.5890, CENTRAL),
    Town("Rockford", "IL", 42.2711, -89.0940, CENTRAL),
    Town("Madison", "WI", 43.0731, -89.4012, CENTRAL),
    Town("Green Bay", "WI", 44.5133, -88.0133, CENTRAL),
    Town("Duluth", "MN", 46.7867, -92.1005, CENTRAL),
    Town("Des Moines", "IA", 41.5868, -93.6250, CENTRAL),
    Town("Lincoln", "NE", 40.8136, -96.7026, CENTRAL),
    Town("Topeka", "KS", 39.0473, -95.6752, CENTRAL),
    Town("Tulsa", "OK", 36.1540, -95.9928, CENTRAL),
    Town("Little Rock", "AR", 34.7465, -92.2896, CENTRAL),
    Town("Waco", "TX", 31.5493, -97.1467, CENTRAL),
    Town("Amarillo", "TX", 35.2220, -101.8313, CENTRAL),
    Town("Cheyenne", "WY", 41.1400, -104.8202, MOUNTAIN),
    Town("Fort Collins", "CO", 40.5853, -105.0844, MOUNTAIN),
    Town("Pueblo", "CO", 38.2544, -104.6091, MOUNTAIN),
    Town("Provo", "UT", 40.2338, -111.6585, MOUNTAIN),
    Town("Missoula", "MT", 46.8721, -113.9940, MOUNTAIN),
    Town("Spokane", "WA", 47.6588, -117.4260, PACIFIC),
    Town("Salem", "OR", 44.9429, -123.0351, PACIFIC),
    Town("Redding", "CA", 40.5865, -122.3917, PACIFIC),
    Town("Fresno", "CA", 36.7378, -119.7871, PACIFIC),
)


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
