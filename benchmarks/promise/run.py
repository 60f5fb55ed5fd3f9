"""One run of all stores under one kind of protection, and its figures."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, NamedTuple

from msgspec import Struct

from benchmarks.promise.shops import Protection, Shop
from benchmarks.promise.traffic import Basket, Traffic
from bopis.domain.values import HOUR_MS, MINUTE_MS

PICK_MINUTES = 30  # from the promise, or from the end of an outage, to the pick
COUNT_HOURS = 12  # from a short pick to the count
LOOKS = 200  # instants at which a part of the cells is looked at
CELLS_PER_LOOK = 250


class Figures(Struct):
    """Orders asked, promised, there at the promise and found at the pick; orders refused whose goods were there; units
    that could be sold, and those of them that could not be promised."""

    asked: int = 0
    promised: int = 0
    there: int = 0
    found: int = 0
    refused_there: int = 0
    sellable: int = 0
    withheld: int = 0

    def add(self, other: "Figures") -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class _Happening(NamedTuple):
    at_ms: int
    number: int
    do: Callable[..., None]
    about: Any


class _Promise(NamedTuple):
    basket: Basket
    figures: list[Figures]


class Run:
    """All stores under one kind of protection. `always` are the figures of the measured time, `cut_off` those of them
    while the store was cut off."""

    def __init__(self, traffic: Traffic, protection: Protection, seed: int) -> None:
        self.always, self.cut_off = Figures(), Figures()
        self._traffic = traffic
        self._chance = Random(seed)
        self._cells = sorted(traffic.full)
        self._full: dict[str, dict[str, int]] = {store: {} for store in traffic.stores}
        for (store, sku), units in traffic.full.items():
            self._full[store][sku] = units
        self._shops = {
            store: Shop(store, protection, traffic.begin_ms, traffic.end_ms + HOUR_MS) for store in traffic.stores
        }
        # Orders of a store that is cut off: it learns of them when it is connected again.
        self._unseen: dict[str, list[_Promise]] = {store: [] for store in traffic.stores}
        self._plan: list[_Happening] = []
        self._numbers = count()

    def __call__(self) -> None:
        """Let everything happen, in order of time."""
        traffic = self._traffic
        for store in traffic.stores:
            self._deliver(traffic.begin_ms, store)
        for basket in traffic.baskets:
            self._add(basket.at_ms, self._take, basket)
        for outage in traffic.outages:
            self._add(outage.begin_ms, self._cut_off, outage.store)
            self._add(outage.end_ms, self._reconnect, outage.store)
        for at_ms, store in traffic.deliveries:
            self._add(at_ms, self._deliver, store)
        for _ in range(LOOKS):
            self._add(self._chance.randrange(traffic.measured_ms, traffic.end_ms), self._look, None)
        while self._plan:
            happening = heappop(self._plan)
            happening.do(happening.at_ms, happening.about)

    def _add(self, at_ms: int, do: Callable[..., None], about: Any) -> None:
        heappush(self._plan, _Happening(at_ms, next(self._numbers), do, about))

    def _figures(self, shop: Shop, at_ms: int) -> list[Figures]:
        if at_ms < self._traffic.measured_ms:
            return []
        return [self.always, self.cut_off] if shop.is_cut_off else [self.always]

    def _take(self, at_ms: int, basket: Basket) -> None:
        shop = self._shops[basket.store]
        if not basket.is_order:
            shop.sell(basket)
            return
        has = shop.has(basket.lines)
        is_promised = shop.order(basket)
        figures = self._figures(shop, at_ms)
        for it in figures:
            it.asked += 1
            it.promised += is_promised
            it.there += is_promised and has
            it.refused_there += has and not is_promised
        if is_promised:
            promise = _Promise(basket, figures)
            if shop.is_cut_off:
                self._unseen[basket.store].append(promise)
            else:
                self._add(at_ms + PICK_MINUTES * MINUTE_MS, self._pick, promise)

    def _pick(self, at_ms: int, promise: _Promise) -> None:
        basket = promise.basket
        picked = self._shops[basket.store].pick(basket, at_ms)
        for it in promise.figures:
            it.found += picked.complete
        for sku in picked.short:
            self._add(at_ms + COUNT_HOURS * HOUR_MS, self._count_shelf, (basket.store, sku))

    def _count_shelf(self, at_ms: int, cell: tuple[str, str]) -> None:
        store, sku = cell
        self._shops[store].count(sku, at_ms)

    def _cut_off(self, _: int, store: str) -> None:
        self._shops[store].cut_off()

    def _reconnect(self, at_ms: int, store: str) -> None:
        self._shops[store].reconnect(at_ms)
        unseen, self._unseen[store] = self._unseen[store], []
        for promise in unseen:
            self._add(at_ms + PICK_MINUTES * MINUTE_MS, self._pick, promise)

    def _deliver(self, at_ms: int, store: str) -> None:
        self._shops[store].deliver(self._full[store], at_ms)

    def _look(self, at_ms: int, _: None) -> None:
        for store, sku in self._chance.sample(self._cells, min(CELLS_PER_LOOK, len(self._cells))):
            shop = self._shops[store]
            shop.say_alive(at_ms)
            sellable = max(0, shop.shelf[sku] - shop.promised[sku])
            withheld = max(0, sellable - shop.terms(sku, at_ms).atp)
            for it in self._figures(shop, at_ms):
                it.sellable += sellable
                it.withheld += withheld
