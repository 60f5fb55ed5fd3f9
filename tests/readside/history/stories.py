"""Made-up stories of two small stores: everything that can be said about stock, in every order."""

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from bopis.domain.inventory.articles import CatalogueChanged, CataloguedArticle
from bopis.domain.inventory.messages import (
    AdjustmentReason,
    AgentHeartbeat,
    CategoriseSkus,
    CategoryLine,
    CollectStock,
    Condition,
    CountLine,
    ExtendHold,
    OrderLine,
    PickLine,
    PosReturn,
    PosSale,
    ReleaseStock,
    ReserveStock,
    ReturnLine,
    SaleLine,
    SetStockRule,
    SetStorePolicy,
    StockAdjusted,
    StockCounted,
    StockLine,
    StockPicked,
    StockReceived,
    StockTick,
)
from bopis.domain.values import ChangeLine
from tests.readside.world import World, at

FILLS = -1  # say what was left out before
STORES = ("S1", "S2")
SKUS = ("A", "B")
HOLDS = ("h1", "h2", "h3")
STEP_MS = 40_000  # between two records: a story of forty lasts half an hour, so stores fall silent in it
LATE_MS_MAX = 600_000
EARLY_MS = 50_000  # a device whose clock runs ahead
MONTH_MS = 31 * 86_400_000

stores, skus, holds = st.sampled_from(STORES), st.sampled_from(SKUS), st.sampled_from(HOLDS)
units = st.integers(1, 5)
numbers = st.sampled_from([(), (1,), (2,), (1, 2)])


def _hold_until(ms: int) -> Any:
    return at(0) + timedelta(milliseconds=ms)


sales = st.builds(
    lambda *lines: PosSale(basket="b", lines=tuple(SaleLine(sku=sku, quantity=units) for sku, units in lines)),
    st.tuples(skus, st.sampled_from([1, 2, 3, -1])),
    st.tuples(skus, units),
)
changes = st.builds(
    lambda found, removed: CatalogueChanged(
        partition=0, following=1, articles=tuple(CataloguedArticle(sku=sku) for sku in found), removed=tuple(removed)
    ),
    st.lists(skus, max_size=2, unique=True),
    st.lists(skus, max_size=1),
)
bodies = st.one_of(
    sales,
    sales,
    st.builds(lambda sku, n: StockReceived(document="d", lines=(StockLine(sku=sku, quantity=3 * n),)), skus, units),
    st.builds(
        lambda sku, n, staged: StockCounted(
            lines=(CountLine(sku=sku, counted=2 * n),), staged_counted=staged, closes_gaps=n == 1
        ),
        skus,
        units,
        st.booleans(),
    ),
    st.builds(
        lambda sku, n, condition: PosReturn(basket="r", lines=(ReturnLine(sku=sku, quantity=n, condition=condition),)),
        skus,
        units,
        st.sampled_from(Condition),
    ),
    st.builds(
        lambda sku, n, reason: StockAdjusted(reason=reason, lines=(ChangeLine(sku=sku, change=n - 3),)),
        skus,
        units,
        st.sampled_from(AdjustmentReason),
    ),
    st.builds(
        lambda hold, a, b, until: ReserveStock(
            hold=hold,
            order=f"o{hold}",
            lines=(OrderLine(line=1, sku="A", quantity=a), OrderLine(line=2, sku=b, quantity=1)),
            hold_until=_hold_until(until),
        ),
        holds,
        units,
        skus,
        st.sampled_from([0, 10 * STEP_MS, 30 * STEP_MS, 100 * STEP_MS]),
    ),
    st.builds(
        lambda hold, line, picked, missing: StockPicked(
            hold=hold, lines=(PickLine(line=line, picked=picked, missing=missing),)
        ),
        holds,
        st.integers(1, 2),
        st.integers(0, 2),
        st.integers(0, 1),
    ),
    st.builds(lambda hold, lines: ReleaseStock(hold=hold, lines=lines), holds, numbers),
    st.builds(lambda hold, lines: CollectStock(hold=hold, lines=lines), holds, numbers),
    st.builds(lambda hold, until: ExtendHold(hold=hold, hold_until=_hold_until(until)), holds, st.integers(0, 10**7)),
    st.just(StockTick(at=at(0))),
    changes,
    st.just(AgentHeartbeat()),
    st.builds(
        lambda sku, category, units, reserve: SetStockRule(
            sku=None if category else sku, category=category, safety_stock=units, walk_in_reserve=reserve
        ),
        skus,
        st.sampled_from([None, None, "toys"]),
        st.sampled_from([None, 0, 1, 2]),
        st.sampled_from([None, 1]),
    ),
    st.builds(
        lambda units: SetStockRule(safety_stock=units),
        st.sampled_from([None, 0, 1]),
    ),
    st.builds(
        lambda pickup, grace, percent: SetStorePolicy(
            pickup=pickup, staleness_grace_minutes=grace, staleness_percent=percent
        ),
        st.sampled_from([None, True, True, False]),
        st.sampled_from([None, 0, 1, 5]),
        st.sampled_from([None, None, 0, 300]),
    ),
    st.builds(
        lambda sku, category: CategoriseSkus(lines=(CategoryLine(sku=sku, category=category),)),
        skus,
        st.sampled_from(["toys", "food"]),
    ),
)
# Who, how late, how long after the record before, and how many sequences were left out.
who = st.sampled_from([None, "till/1", "till/2"])
late = st.one_of(st.just(0), st.integers(0, LATE_MS_MAX), st.just(-EARLY_MS))
# Now and then a month passes, after which much is forgotten.
passed = st.sampled_from([*range(1, STEP_MS, STEP_MS // 40), MONTH_MS])
hole = st.sampled_from([0, 0, 0, 0, 1, 2, FILLS])
said = st.tuples(stores, bodies, who, late, passed, hole)


@st.composite
def life_of_a_hold(draw: st.DrawFn) -> list[Any]:
    """A hold that is likely to be granted, and what becomes of it, with others talking in between."""
    store, hold = draw(stores), draw(holds)
    wanted = [OrderLine(line=1, sku="A", quantity=draw(units)), OrderLine(line=2, sku=draw(skus), quantity=2)]
    until = draw(st.sampled_from([3 * STEP_MS, 6 * STEP_MS, 10 * STEP_MS, 200 * STEP_MS]))
    begun: list[Any] = [
        StockReceived(document="d", lines=(StockLine(sku="A", quantity=8), StockLine(sku="B", quantity=5))),
        ReserveStock(hold=hold, order=f"o{hold}", lines=tuple(wanted), hold_until=_hold_until(until)),
    ]
    picks = st.builds(
        lambda line, picked, missing: StockPicked(
            hold=hold, lines=(PickLine(line=line, picked=picked, missing=missing),)
        ),
        st.integers(1, 2),
        st.integers(0, 2),
        st.integers(0, 1),
    )
    ends = st.one_of(
        st.builds(lambda lines: ReleaseStock(hold=hold, lines=lines), numbers),
        st.builds(lambda lines: CollectStock(hold=hold, lines=lines), numbers),
        st.just(StockTick(at=at(0))),
        sales,
        bodies,
    )
    begun += draw(st.lists(picks, max_size=3)) + draw(st.lists(ends, min_size=1, max_size=4))
    return [(store, body, draw(who), draw(late), draw(passed), 0) for body in begun]


repeats = st.integers(0, 100).map(lambda number: [number])
parts = st.one_of(said.map(lambda one: [one]), life_of_a_hold(), life_of_a_hold(), repeats)
stories = st.lists(parts, min_size=2, max_size=12).map(lambda found: [entry for part in found for entry in part])


def tell(story: list[Any]) -> World:
    """A world in which the story was said."""
    world = World(partitions=2)
    skipped: dict[tuple[str, str], list[int]] = {}
    for entry in story:
        if isinstance(entry, int):
            records = [(number, len(log)) for number, log in world.stock.items() if log]
            if records:
                partition, length = records[entry % len(records)]
                world.repeat(partition, entry % length)
            continue
        store, body, device, late_ms, passed_ms, hole = entry
        learned_ms = world.now_ms + passed_ms
        header: dict[str, Any] = {"at_ms": max(0, learned_ms - late_ms), "learned_ms": learned_ms}
        if isinstance(body, StockTick | CatalogueChanged):
            if isinstance(body, CatalogueChanged):
                body = msgspec.structs.replace(body, following=learned_ms)
            world.say(store, body, source="inventory", **header)
            continue
        if device is not None:
            left_out = skipped.setdefault((store, device), [])
            following = world.next_sequence(store, device)
            if hole == FILLS:
                seq = left_out.pop() if left_out else following
            else:
                seq = following + hole
                left_out += range(following, seq)
            header |= {"device": device, "seq": seq}
        world.say(store, body, **header)
    return world
