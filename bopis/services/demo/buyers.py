"""Buyers who want the same few units at once. Pure: who wants what, and what each does with the answer."""

import random
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from bopis.domain.inventory.messages import CollectStock, OrderLine, ReleaseStock, ReserveStock
from bopis.domain.message import Message
from bopis.services.demo.world import World

SHOPS = 3  # web fronts through which buyers come, each with its own connection and name
WAVES = 6  # each scarce thing is announced some time, and buyers come in waves
WAVE_WIDTH = 0.04
RESERVED_FOR_SECONDS = 8 * 3_600  # a buyer thinks for seconds, in which hours of the day pass
IMPATIENT_SECONDS = (1_800, 3 * 3_600)


class Fate(StrEnum):
    """What a buyer does with what was granted."""

    COLLECT = "collect"
    RELEASE = "release"
    FORGET = "forget"  # the hold expires at its deadline


FATES = (Fate.COLLECT, Fate.COLLECT, Fate.COLLECT, Fate.RELEASE, Fate.FORGET)


class Wish(Struct, frozen=True, kw_only=True):
    """One buyer's wish: when in the day (0 to 1), what, where, and what will be done with it."""

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
    """All wishes of the day in the order of time: several times as many as can be granted."""
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
    """The wish as a command; the deadline lies on the log's clock, on which the day passes."""
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
    """What the buyer says once the units were granted; who forgets says nothing."""
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
