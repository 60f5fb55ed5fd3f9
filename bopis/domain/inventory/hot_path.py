"""Hot path of till sales, written out: movement, selling rate and threshold watch in one loop over the lines.

Nine of ten messages are sales, and a store's stock is decided by one process, so this loop bounds the rate of the
whole product: ``python -m benchmarks.stream``. `reports.sell_traced` under `ThresholdWatch` is the readable form of the
same rules at half the speed, for callers with a trace. A property test compares rows and events of the two
(``tests/properties/test_inventory_orders.py``), so change both together.
"""

from collections.abc import Iterable

from msgspec import Struct

from bopis.domain.inventory.catalogue import has_shelf, resolved
from bopis.domain.inventory.events import Event
from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.inventory.movements import (
    MOVES_BYTES_MAX,
    add_sold,
    forget_oldest,
    packed_change,
    packed_time,
    window_start,
)
from bopis.domain.inventory.resolution import taken_apart
from bopis.domain.inventory.rows import Level, Row, StockRows, Store, level_key, store_key
from bopis.domain.inventory.shortfalls import find_shortfalls
from bopis.domain.inventory.thresholds import crossings, pickup_stock
from bopis.domain.values import Clocks

_ONE_SOLD = packed_change(-1)

# SKU -> its level, and on hand before the first line that may have moved it across the threshold.
Watched = dict[str, tuple[Level, int]]
ONLY_RESOLVED = -1  # Lines that are resolved already: no code is looked up again.


class Basket(Struct, frozen=True, gc=False):
    """The store of a basket, when it was sold, and the most units that a rule of the store withholds."""

    rows: StockRows
    store: str
    at_ms: int
    withheld_max: int


class Booked(Struct, frozen=True, gc=False):
    """SKUs with more held than on hand, SKUs new to the books, and SKUs that may have crossed the threshold."""

    short: list[str]
    new: list[str]
    watched: Watched


def sell(rows: StockRows, store: str, sale: PosSale, clocks: Clocks, version: int) -> tuple[Event, ...]:
    """Book a basket of signed lines; returns its shortfalls, then its threshold crossings.

    ``version`` is that of the partition's catalogue, 0 without one.
    """
    policy: Store | None = rows.get(store_key(store))  # type: ignore[assignment]  # the key tells the type
    basket = Basket(rows, store, clocks.at_ms, policy.withheld_max if policy is not None else 0)
    booked = Booked([], [], {})
    _book_lines(basket, sale.lines, version, booked)
    watched = booked.watched
    if not watched:
        return ()
    was_in: dict[str, bool | None] = {
        sku: pickup_stock(level, policy, sku) - level.on_hand + before > 0 for sku, (level, before) in watched.items()
    }
    was_in.update(dict.fromkeys(booked.new))  # a SKU that enters the books with this basket crosses nothing
    return (*find_shortfalls(rows, store, booked.short, clocks), *crossings(rows, store, was_in))


def _book_lines(basket: Basket, lines: Iterable[SaleLine], version: int, booked: Booked) -> None:
    """Book every line. A level that stays above ``withheld_max`` stays in pickup stock, so it need not be watched.

    A level of the catalogue's version is that of an article; any other code is looked up first.
    """
    rows, at_ms, withheld_max = basket.rows, basket.at_ms, basket.withheld_max
    get, prefix = rows.get, level_key(basket.store, "")
    time = packed_time(at_ms)
    one_sold = time + _ONE_SOLD
    window_ms = window_start(at_ms)
    short, watched = booked.short, booked.watched
    changed: dict[str, Row] = {}
    for line in lines:
        quantity = line.quantity
        if not quantity:
            continue
        key = prefix + line.sku
        level: Level | None = get(key)  # type: ignore[assignment]  # the key tells the type
        if level is None or level.article_version != version:
            level = _looked_up(basket, line, level, version, booked)
            if level is None:
                continue
        if at_ms > level.counted_ms:
            before = level.on_hand
            level.on_hand = left = before - quantity
            level.moves = moves = level.moves + (one_sold if quantity == 1 else time + packed_change(-quantity))
            if len(moves) > MOVES_BYTES_MAX:
                forget_oldest(level)
            if level.held or (
                (before > 0 or left > 0) and (left <= withheld_max or before <= withheld_max or level.in_doubt)
            ):
                watched.setdefault(line.sku, (level, before))
                if level.held > left and level.held:
                    short.append(line.sku)
        if level.sold_since_ms == window_ms:
            level.sold += quantity
        else:
            add_sold(level, at_ms, quantity)
        changed[key] = level
    rows.put_all(changed)


def _looked_up(basket: Basket, line: SaleLine, level: Level | None, version: int, booked: Booked) -> Level | None:
    """The level under the code of a line, made if it is new. None when the code is another article's or a kit's, whose
    lines are booked instead."""
    article = resolved(basket.rows, line.sku) if version > 0 else None
    if article is not None and not has_shelf(article, line.sku):
        _book_lines(basket, taken_apart(line, article), ONLY_RESOLVED, booked)
        return None
    if level is None:
        level = Level()
        basket.rows.put(level_key(basket.store, line.sku), level)
        booked.new.append(line.sku)
    if article is not None:
        level.article_version = version
    return level
