"""Buyers who compete for the same few units: their wishes, and their reaction to the answer. Pure."""

import random
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from bopis.demo.world import World
from bopis.domain.inventory.messages import CollectStock, OrderLine, ReleaseStock, ReserveStock
from bopis.domain.message import Message

SHOPS = 3  # web shops, each with its own connection and source name
WAVES = 6  # buyers come in waves, as after the announcement of a limited item
WAVE_WIDTH = 0.04
RESERVED_FOR_SECONDS = 8 * 3_600  # a buyer thinks for real seconds, in which hours of the day pass
IMPATIENT_SECONDS = (1_800, 3 * 3_600)


class Fate(StrEnum):
    """The action of a buyer after a grant."""

    COLLECT = "collect"
    RELEASE = "release"
    FORGET = "forget"  # the hold expires at its deadline


FATES = (Fate.COLLECT, Fate.COLLECT, Fate.COLLECT, Fate.RELEASE, Fate.FORGET)


class Wish(Struct, frozen=True, kw_only=True):
    """One buyer's wish; `moment` is the part of the day at which it is made, 0 to 1."""

    moment: float
    hold: str
    shop: int
    store: str
    sku: str
    units: int
    fate: Fate
    held_for_seconds: int
    thinks_seconds: float


def wishes(world: World) -> list[Wish]:
    """All wishes of the day by time: several times as many units as there are."""
    chance = random.Random(f"{world.seed}/buyers")
    waves = sorted(chance.uniform(0.05, 0.85) for _ in range(WAVES))
    count = len(world.scarce) * world.scale.scarce_units * world.scale.buyers_per_unit // 2  # each wants two on average
    found = []
    for number in range(count):
        store, sku = chance.choice(world.scarce)
        fate = chance.choice(FATES)
        forgets = fate is Fate.FORGET
        found.append(
            Wish(
                moment=min(0.95, max(0.0, chance.gauss(chance.choice(waves), WAVE_WIDTH))),
                hold=f"demo-{world.seed}-{number:06}",
                shop=number % SHOPS,
                store=store,
                sku=sku,
                units=chance.choice((1, 2, 3)),
                fate=fate,
                held_for_seconds=chance.randint(*IMPATIENT_SECONDS) if forgets else RESERVED_FOR_SECONDS,
                thinks_seconds=chance.uniform(0.2, 3.0),
            )
        )
    return sorted(found, key=lambda it: (it.moment, it.hold))


def reservation(wish: Wish, source: str, now: datetime) -> Message:
    """The wish as a command; its deadline is on the log's clock."""
    return Message(
        id=f"{wish.hold}/reserve",
        source=f"{source}/web/{wish.shop}",
        time=now,
        subject=wish.store,
        correlation=wish.hold,
        data=ReserveStock(
            hold=wish.hold,
            order=wish.hold,
            lines=(OrderLine(line=1, sku=wish.sku, quantity=wish.units),),
            hold_until=now + timedelta(seconds=wish.held_for_seconds),
        ),
    )


def after_grant(wish: Wish, source: str, at: datetime) -> Message | None:
    """The command of the buyer after a grant; None when the buyer forgets it."""
    if wish.fate is Fate.FORGET:
        return None
    collects = wish.fate is Fate.COLLECT
    data: CollectStock | ReleaseStock = CollectStock(hold=wish.hold) if collects else ReleaseStock(hold=wish.hold)
    return Message(
        id=f"{wish.hold}/{wish.fate.value}",
        source=f"{source}/web/{wish.shop}",
        time=at,
        subject=wish.store,
        correlation=wish.hold,
        data=data,
    )
