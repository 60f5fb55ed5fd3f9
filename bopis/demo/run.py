"""The demonstration from the first delivery to the verdict."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from functools import partial
from typing import NamedTuple

from sqlalchemy import Engine

from bopis.cli.app.context import CommandContext
from bopis.cli.app.progress import Steps
from bopis.cli.replay.books import ReadSideBooks, stock_ends, wait_until_taken
from bopis.demo import actors, pickup_actor
from bopis.demo.articles import articles
from bopis.demo.board import Board
from bopis.demo.buyers import wishes
from bopis.demo.clock import DayClock, OffsetClock, instant
from bopis.demo.day import Sale, deliveries, sales
from bopis.demo.payment_books import wait_for_payments
from bopis.demo.pickups import Pickup, goods_for, pickups
from bopis.demo.readside_figures import wait_for_notices
from bopis.demo.report import DemoReport
from bopis.demo.state import DemoState
from bopis.demo.tally import Tally
from bopis.demo.verdict import reported
from bopis.demo.world import World, closing, cut_off, last_trading_day, opening_time
from bopis.domain.inventory.messages import CategoriseSkus, CategoryLine, SetStorePolicy
from bopis.domain.message import Message
from bopis.domain.values import LINES_MAX
from bopis.names import CATALOGUE_TOPIC
from bopis.ports import Publisher
from bopis.services.catalogue import publish_article
from bopis.services.store_directory import publish_store

LINGER_MS = 20
FRAMES_PER_SECOND = 4
FRAME_SECONDS = 1 / FRAMES_PER_SECOND
STALENESS_GRACE_MINUTES = 100_000  # the day is in the past, and staleness is not what is shown
OFFLINE_FROM, OFFLINE_UNTIL = 0.25, 0.70
KILLS = {actors.PAYMENT_RUNNER: 0.30, actors.INVENTORY: 0.40, actors.ORDERS: 0.55}
JOIN_SECONDS_MAX = 60.0


class Plan(NamedTuple):
    """The world, its day, and the real seconds in which the day passes."""

    world: World
    day: date
    sales: list[Sale]
    pickups: list[Pickup]
    source: str
    seconds: float


def planned(world: World, seconds: float) -> Plan:
    """A plan for the newest day that is over in all time zones."""
    day = last_trading_day(world, datetime.now(UTC))
    source = f"demo/{world.seed}"
    return Plan(world, day, sales(world, day, source), pickups(world, day, cut_off(world)), source, seconds)


def played(ctx: CommandContext, plan: Plan, log_clock: OffsetClock, began: float, steps: Steps) -> DemoReport:
    """Play the day on a running, empty log that goes by `log_clock`; returns the report."""
    with ctx.engine() as engine:
        state = DemoState(_clock(plan), log_clock, Tally(plan.pickups))
        state.offline_store = cut_off(plan.world)
        state.offline_since_ms = state.clock.moment_ms(OFFLINE_FROM)
        state.offline_until_ms = state.clock.moment_ms(OFFLINE_UNTIL)
        log_clock.set_to(state.clock.opens_ms)
        count = f"{len(plan.world.stores)} stores, {len(plan.world.categories):,} items"
        steps.show(f"Publishing {count} and their opening stock")
        _prepare(ctx, plan, state)
        steps.show("Waiting until every figure can be read")
        _settle(ctx, engine)
        state.watched.clear()
        state.clock = _clock(plan)
        if not ctx.out.is_terminal or ctx.json:
            state.on_news = ctx.note
        steps.show(f"Playing the day in {plan.seconds:g} s")
        steps.end()
        _perform(ctx, plan, state, engine)
        steps.show("Checking every figure against an independent sum")
        report = reported(ctx, plan.world, state, engine, began)
        steps.end()
        return report


def _clock(plan: Plan) -> DayClock:
    stores = plan.world.stores
    return DayClock(
        opens_ms=int(min(opening_time(store, plan.day) for store in stores).timestamp() * 1000),
        closes_ms=int(max(closing(store, plan.day) for store in stores).timestamp() * 1000),
        seconds=plan.seconds,
        began=time.monotonic(),
    )


def _prepare(ctx: CommandContext, plan: Plan, state: DemoState) -> None:
    """Publish the catalogue, stores, their policies and the opening stock."""
    ctx.ensure_topic(CATALOGUE_TOPIC)
    with ctx.publisher(LINGER_MS) as publisher:
        for article in articles(plan.world.categories).values():
            publish_article(publisher, article)
        for store in plan.world.stores:
            publish_store(publisher, store.record)
            _introduce(state, publisher, plan, store.id)
        goods = goods_for(plan.pickups, plan.world, plan.day, plan.source)
        for delivery in [*deliveries(plan.world, plan.day, plan.source), *goods]:
            actors.publish(state, publisher, delivery)
        publisher.flush()


def _introduce(state: DemoState, publisher: Publisher, plan: Plan, store: str) -> None:
    now = instant(state.log_clock.now_ms())
    policy = SetStorePolicy(pickup=True, staleness_grace_minutes=STALENESS_GRACE_MINUTES)
    skus = sorted(plan.world.opening[store])
    lines = [CategoryLine(sku=sku, category=plan.world.categories[sku]) for sku in skus]
    bodies = [
        policy,
        *(CategoriseSkus(lines=tuple(lines[at : at + LINES_MAX])) for at in range(0, len(lines), LINES_MAX)),
    ]
    for number, body in enumerate(bodies, start=1):
        message = Message(id=f"{store}/{number}", source=f"{plan.source}/hq", time=now, subject=store, data=body)
        actors.publish(state, publisher, message)


def _perform(ctx: CommandContext, plan: Plan, state: DemoState, engine: Engine) -> None:
    """Play the day: all actors at once, shown on the board."""
    wanted = wishes(plan.world)
    state.wishes = {wish.hold: wish for wish in wanted}
    over, settled = threading.Event(), threading.Event()
    acting = [
        actors.start(state, "tills", lambda: actors.tills(ctx, state, plan.sales)),
        actors.start(state, "buyers", lambda: actors.buyers(ctx, state, wanted, plan.source)),
        *(
            actors.start(state, f"killer of {name}", partial(actors.killer, ctx, state, name, at))
            for name, at in KILLS.items()
        ),
    ]
    customers = actors.start(state, "pickups", lambda: pickup_actor.pickups(ctx, state, plan.source))
    observing = [
        actors.start(state, "event reader", lambda: actors.event_reader(ctx, state, settled)),
        actors.start(state, "watcher", lambda: actors.watcher(state, engine, over)),
    ]
    try:
        with _board(ctx, state, plan.world):
            _wait(state, lambda: not any(thread.is_alive() for thread in acting))
            state.day_over.set()
            _wait(state, lambda: not customers.is_alive())
            if not state.stop.is_set():
                wait_for_payments(ctx)
                _settle(ctx, engine)
                wait_for_notices(ctx, engine)
            over.set()
            settled.set()
            _wait(state, lambda: not any(thread.is_alive() for thread in observing))
    finally:
        state.stop.set()
        for thread in (*acting, customers, *observing):
            thread.join(JOIN_SECONDS_MAX)
    if state.failures:
        raise state.failures[0]


def _wait(state: DemoState, is_done: Callable[[], bool]) -> None:
    while not is_done() and not state.stop.is_set():
        time.sleep(FRAME_SECONDS)


def _board(ctx: CommandContext, state: DemoState, world: World) -> AbstractContextManager[object]:
    if not ctx.out.is_terminal or ctx.json:
        return nullcontext()
    from rich.live import Live

    board = Board(state, world, ctx.out)
    return Live(board, console=ctx.out, refresh_per_second=FRAMES_PER_SECOND, screen=False, transient=True)


def _settle(ctx: CommandContext, engine: Engine) -> None:
    """Wait until every record of the stock log is readable."""
    with ctx.reader() as reader:
        wait_until_taken(ReadSideBooks(engine), stock_ends(reader), lambda _: None)
