"""Stores with stock and staff, tills, and orders for the benchmark of orders. All seeded.

Every store carries the same SKUs, and a few of them make most of the sales. ``CAPACITY_MINUTES`` is the picking work
that a store can do in an hour. It is so high that the stores' queues never limit the promises: the engine is measured.
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
from bopis.domain.orders.lines import WantedLine
from bopis.domain.orders.messages import PlaceOrder
from bopis.domain.orders.numbers import number_from
from bopis.domain.orders.vocabulary import Allows, Consent, CustomerRef
from bopis.names import STOCK_TOPIC, STORES_TOPIC
from bopis.services.store_directory import StoreRecord
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
# Length of a typical customer's encrypted name and address.
SEALED = "s" * 220

Placed = tuple[str, bytes]


class KeyedRecord(NamedTuple):
    """A record for the log: topic without prefix, key, value."""

    topic: str
    key: bytes
    value: bytes


class World:
    """Stores and their SKUs. All calls draw from one seeded random source."""

    def __init__(self, stores: int = STORES, skus: int = SKUS) -> None:
        self.stores = [f"{1_000 + number}" for number in range(stores)]
        self.codes = [f"{4_000_000 + rank * 7:08d}" for rank in range(skus)]
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(skus)))
        self._chance = random.Random(SEED)
        self._sequences: dict[str, int] = {}
        self._orders = count(1)
        self._begin = datetime.now(UTC) - timedelta(seconds=30)

    def opening(self) -> dict[str, list[tuple[bytes, bytes]]]:
        """By topic: records (key, value) of the stores as imported, and of their first deliveries."""
        filled: dict[str, list[tuple[bytes, bytes]]] = {}
        for topic, key, value in self._opening():
            filled.setdefault(topic, []).append((key, value))
        return filled

    def _opening(self) -> Iterator[KeyedRecord]:
        lines = tuple(StockLine(sku=sku, quantity=UNITS_RECEIVED) for sku in self.codes)
        for store in self.stores:
            record = StoreRecord(
                store_id=store,
                name=f"Store {store}",
                latitude=40 + self._chance.random() * 4,
                longitude=-90 + self._chance.random() * 4,
                time_zone="America/Chicago",
                capacity_minutes=CAPACITY_MINUTES,
            )
            yield KeyedRecord(STORES_TOPIC, store.encode(), msgspec.json.encode(record))
            yield self._received(store, "opening", lines)

    def scarce(self, units: int, stores: int) -> tuple[list[str], list[KeyedRecord]]:
        """Distribute units of one SKU over a few stores as evenly as possible: the stores, and their deliveries."""
        chosen = self.stores[:stores]
        parts = [units // stores + (number < units % stores) for number in range(stores)]
        received = [
            self._received(store, SCARCE, (StockLine(sku=SCARCE, quantity=part),))
            for store, part in zip(chosen, parts, strict=True)
        ]
        return chosen, received

    def baskets(self, number: int) -> list[KeyedRecord]:
        """`number` baskets of random tills."""
        return [self._basket() for _ in range(number)]

    def orders(self, number: int) -> list[Placed]:
        """`number` orders, each at a random store: order number and message."""
        return [self._order(self._chance.choice(self.stores), self._skus(LINES_PER_ORDER)) for _ in range(number)]

    def buyers(self, number: int, stores: list[str]) -> list[Placed]:
        """`number` orders of one scarce unit; every second one accepts any store."""
        return [self._order(self._chance.choice(stores), [SCARCE], anywhere=bool(it % 2)) for it in range(number)]

    def _skus(self, number: int) -> list[str]:
        return list(dict.fromkeys(self._chance.choices(self.codes, cum_weights=self._weights, k=number * 2)))[:number]

    def _basket(self) -> KeyedRecord:
        chance = self._chance
        store = chance.choice(self.stores)
        till = f"till/{store}/{chance.randrange(TILLS)}"
        self._sequences[till] = sequence = self._sequences.get(till, 0) + 1
        sold = chance.choices(self.codes, cum_weights=self._weights, k=LINES_PER_BASKET)
        body = PosSale(basket=f"{till}/{sequence}", lines=tuple(SaleLine(sku, 1, 299) for sku in sold))
        return self._stock(store, till, f"{sequence}", body, sequence)

    def _received(self, store: str, document: str, lines: tuple[StockLine, ...]) -> KeyedRecord:
        return self._stock(store, f"desk/{store}", document, StockReceived(document=document, lines=lines))

    def _stock(self, store: str, source: str, name: str, body: object, sequence: int | None = None) -> KeyedRecord:
        message = Message(id=name, source=source, time=self._begin, subject=store, data=body)
        if sequence is not None:
            message = msgspec.structs.replace(message, seq=sequence)
        return KeyedRecord(STOCK_TOPIC, store.encode(), STOCK.encode_trusted(message))

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
