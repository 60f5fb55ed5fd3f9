"""Seeded till messages: 40 stores with four tills each; a few SKUs make most of the sales."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from bopis.wire.stock import STOCK

STORES = 40
TILLS = 4
SKUS = 2_000
SEED = 20_261_122


def sales(count: int, lines: int, seed: int = SEED) -> Iterator[tuple[bytes, bytes]]:
    """`count` baskets of `lines` lines each, as (key, value). The popularity of SKUs falls with their rank."""
    chance = random.Random(seed)
    codes = [f"{4_000_000 + rank * 7:08d}" for rank in range(SKUS)]
    weights = list(accumulate(1 / (rank + 10) for rank in range(SKUS)))
    sequences: dict[str, int] = {}
    begin = datetime.now(UTC) - timedelta(hours=1)
    for number in range(count):
        store = f"{300 + chance.randrange(STORES)}"
        till = f"till/{store}/{chance.randrange(TILLS)}"
        sequences[till] = sequence = sequences.get(till, 0) + 1
        sold = chance.choices(codes, cum_weights=weights, k=lines)
        basket = PosSale(
            basket=f"{store}-{number:08d}",
            lines=tuple(SaleLine(sku, chance.choice((1, 1, 1, 2, 3)), 100 + chance.randrange(900)) for sku in sold),
        )
        message = Message(
            id=f"{till}/{sequence}",
            source=till,
            seq=sequence,
            time=begin + timedelta(milliseconds=number),
            subject=store,
            data=basket,
        )
        yield store.encode(), STOCK.encode_trusted(message)
