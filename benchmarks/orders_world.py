"""The world of the orders' benchmark: stores on a map with stock and hands enough, tills, and orders. All seeded.

Every store carries the same SKUs, of which a few are sold most; ``CAPACITY_MINUTES`` is what a store's hands can pick
in an hour, set so high that what is measured is the engine and not a queue of work that no longer promises anything.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import accumulate, count
from typing import NamedTuple

import msgspec

from bopis.domain.inventory.messages import PosSale, SaleLine, StockLine, StockReceived
from bopis.domain.message import Message
from bopis.domain.orders.messages import PlaceOrder
from bopis.domain.orders.numbers import number_from
from bopis.domain.orders.terms import Allows, Consent, CustomerRef
from bopis.domain.orders.units import WantedLine
from bopis.services.directory import StoreRecord
from bopis.wire.orders import ORDERS
from bopis.wire.stock import STOCK

STORES = 200
SKUS = 500
TILLS = 4
LINES_PER_BASKET = 5
LINES_PER_ORDER = 3
UNITS_RECEIVED = 10_000
CAPACITY_MINUTES = 6_000
SEED = 20_261_122
SCARCE = "scarce-unit"
# A customer's name and address, sealed, take about so many characters.
SEALED = "s" * 220

Placed = tuple[str, bytes]


class Keyed(NamedTuple):
    """One record for the log."""

    topic: str
    key: bytes
    value: bytes


class World:
    """Stores, and what they carry. Each call goes on in the same chance."""

    def __init__(self, stores: int = STORES, skus: int = SKUS) -> None:
        self.stores = [f"{1_000 + number}" for number in range(stores)]
        self._codes = [f"{4_000_000 + rank * 7:08d}" for rank in range(skus)]
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(skus)))
        self._chance = random.Random(SEED)
        self._sequences: dict[str, int] = {}
        self._orders = count(1)
        self._begin = datetime.now(UTC) - timedelta(seconds=30)

    def opening(self) -> dict[str, list[tuple[bytes, bytes]]]:
        """Per topic: the stores as they were imported, and their first delivery."""
        filled: dict[str, list[tuple[bytes, bytes]]] = {}
        for topic, key, value in self._opening():
            filled.setdefault(topic, []).append((key, value))
        return filled

    def _opening(self) -> Iterator[Keyed]:
        lines = tuple(StockLine(sku=sku, quantity=UNITS_RECEIVED) for sku in self._codes)
        for store in self.stores:
            record = StoreRecord(
                store_id=store,
                name=f"Store {store}",
                latitude=40 + self._chance.random() * 4,
                longitude=-90 + self._chance.random() * 4,
                time_zone="America/Chicago",
                capacity_minutes=CAPACITY_MINUTES,
            )
            yield Keyed("stores", store.encode(), msgspec.json.encode(record))
            yield self._received(store, "opening", lines)

    def scarce(self, units: int, stores: int) -> tuple[list[str], list[Keyed]]:
        """So many units of one SKU over a few stores, as evenly as they go: the stores, and their deliveries."""
        chosen = self.stores[:stores]
        parts = [units // stores + (number < units % stores) for number in range(stores)]
        received = [
            self._received(store, SCARCE, (StockLine(sku=SCARCE, quantity=part),))
            for store, part in zip(chosen, parts, strict=True)
        ]
        return chosen, received

    def baskets(self, number: int) -> list[Keyed]:
        """So many baskets of the tills."""
        return [self._basket() for _ in range(number)]

    def orders(self, number: int) -> list[Placed]:
        """So many orders, each at a store of its own choice: number and message."""
        return [self._order(self._chance.choice(self.stores), self._skus(LINES_PER_ORDER)) for _ in range(number)]

    def buyers(self, number: int, stores: list[str]) -> list[Placed]:
        """So many orders of one scarce unit; every second one takes any of the stores."""
        return [self._order(self._chance.choice(stores), [SCARCE], anywhere=bool(it % 2)) for it in range(number)]

    def _skus(self, number: int) -> list[str]:
        return list(dict.fromkeys(self._chance.choices(self._codes, cum_weights=self._weights, k=number * 2)))[:number]

    def _basket(self) -> Keyed:
        chance = self._chance
        store = chance.choice(self.stores)
        till = f"till/{store}/{chance.randrange(TILLS)}"
        self._sequences[till] = sequence = self._sequences.get(till, 0) + 1
        sold = chance.choices(self._codes, cum_weights=self._weights, k=LINES_PER_BASKET)
        body = PosSale(basket=f"{till}/{sequence}", lines=tuple(SaleLine(sku, 1, 299) for sku in sold))
        return self._stock(store, till, f"{sequence}", body, sequence)

    def _received(self, store: str, document: str, lines: tuple[StockLine, ...]) -> Keyed:
        return self._stock(store, f"desk/{store}", document, StockReceived(document=document, lines=lines))

    def _stock(self, store: str, source: str, name: str, body: object, sequence: int | None = None) -> Keyed:
        message = Message(id=name, source=source, time=self._begin, subject=store, data=body)
        if sequence is not None:
            message = msgspec.structs.replace(message, seq=sequence)
        return Keyed("stock", store.encode(), STOCK.encode_trusted(message))

    def _order(self, store: str, skus: list[str], anywhere: bool = False) -> Placed:
        serial = next(self._orders)
        number = number_from(blake2b(f"{SEED}/{serial}".encode()).digest())
        body = PlaceOrder(
            key=f"{serial:064x}",
            request=f"{serial:064x}",
            customer=CustomerRef(id=f"c-{serial}", language="en", sealed=SEALED),
            store=store,
            lines=tuple(WantedLine(line=line, sku=sku, quantity=1, unit_cents=299) for line, sku in enumerate(skus, 1)),
            allows=Allows(alternatives=Consent.AUTOMATIC if anywhere else Consent.NEVER),
            code_hash="c" * 64,
            token_hash="t" * 64,
        )
        message = Message(
            id=f"place/{serial}", source="web/1", time=self._begin, subject=number, data=body, correlation=number
        )
        return number, ORDERS.encode_trusted(message)
