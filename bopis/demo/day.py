"""The trading day at the tills. Pure: the same world and day give the same baskets."""

import random
from datetime import date, timedelta

from msgspec import Struct

from bopis.demo.world import DemoStore, World, closing, opening_time
from bopis.domain.inventory.messages import PosSale, SaleLine, StockLine, StockReceived
from bopis.domain.message import Message
from bopis.domain.values import LINES_MAX

# Customers of a store by hour after opening, in relative numbers: a small peak at noon, a large one after work.
HOURS = (2, 3, 4, 5, 7, 7, 6, 6, 8, 10, 11, 9, 6, 3)
LINES_MORE = 0.8  # the probability of another line after each line
LINES_MOST = 40
UNITS = (1, 1, 1, 1, 1, 2, 2, 3, 4)
RETURN_SHARE = 0.015
CENTS = (89, 2_499)
DELIVERED_BEFORE = timedelta(hours=1)


class Sale(Struct, frozen=True, kw_only=True):
    """One basket at a store's tills, and its message."""

    store: str
    at_ms: int
    message: Message
    units: int


def deliveries(world: World, day: date, source: str) -> list[Message]:
    """The opening stock, as receipts booked before the stores open."""
    messages = []
    for store in world.stores:
        opening = sorted(world.opening[store.id].items())
        for number, first in enumerate(range(0, len(opening), LINES_MAX), start=1):
            lines = tuple(StockLine(sku=sku, quantity=units) for sku, units in opening[first : first + LINES_MAX])
            document = f"opening-{store.id}-{number}"
            messages.append(
                Message(
                    id=document,
                    source=f"{source}/receiving/{store.id}",
                    time=opening_time(store, day) - DELIVERED_BEFORE,
                    subject=store.id,
                    seq=number,
                    data=StockReceived(document=document, lines=lines),
                )
            )
    return messages


def sales(world: World, day: date, source: str) -> list[Sale]:
    """Every basket of the day by time; each store numbers its own."""
    found = [sale for store in world.stores for sale in _of_store(world, store, day, source)]
    return sorted(found, key=lambda it: (it.at_ms, it.store))


def _of_store(world: World, store: DemoStore, day: date, source: str) -> list[Sale]:
    chance = random.Random(f"{world.seed}/day/{store.id}")
    opens = opening_time(store, day)
    open_seconds = (closing(store, day) - opens).total_seconds()
    count = round(world.scale.baskets_per_store * store.busy)
    hours = chance.choices(range(len(HOURS)), HOURS, k=count)
    moments = sorted((hour + chance.random()) / len(HOURS) * open_seconds for hour in hours)
    shelf = dict(world.opening[store.id])
    found: list[Sale] = []
    for moment in moments:
        lines = basket_lines(store, shelf, chance)
        if not lines:
            continue
        at = opens + timedelta(seconds=int(moment))
        number = len(found) + 1
        basket = f"{day:%y%m%d}-{store.id}-{number:05}"
        message = Message(
            id=basket,
            source=f"{source}/till/{store.id}",
            time=at,
            subject=store.id,
            seq=number,
            data=PosSale(basket=basket, lines=tuple(lines)),
        )
        units = sum(line.quantity for line in lines)
        found.append(Sale(store=store.id, at_ms=int(at.timestamp() * 1000), message=message, units=units))
    return found


def basket_lines(store: DemoStore, shelf: dict[str, int], chance: random.Random) -> list[SaleLine]:
    """The lines of one customer: never more than the shelf has, and now and then a return."""
    lines: list[SaleLine] = []
    while len(lines) < LINES_MOST:
        sku = store.pick(chance)
        quantity = min(chance.choice(UNITS), shelf[sku])
        if chance.random() < RETURN_SHARE:
            quantity = -1
        if quantity:
            shelf[sku] -= quantity
            lines.append(SaleLine(sku, quantity, quantity * chance.randint(*CENTS)))
        if chance.random() > LINES_MORE:
            break
    return lines
