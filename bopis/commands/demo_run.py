"""The demonstration from the first delivery to the verdict."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from functools import partial
from typing import NamedTuple

from sqlalchemy import Engine

from bopis.clock import Hands
from bopis.commands import demo_actors as actors
from bopis.commands import demo_pickups as pickup_actor
from bopis.commands.demo_board import Board
from bopis.commands.demo_proof import wait_until_told
from bopis.commands.demo_scene import Scene
from bopis.commands.demo_verdict import reported
from bopis.commands.replay_books import ReadSideBooks, stock_ends, wait_until_taken
from bopis.commands.shell import Shell
from bopis.domain.inventory.messages import CategoriseSkus, CategoryLine, SetStorePolicy
from bopis.domain.message import Message
from bopis.domain.values import LINES_MAX
from bopis.ports import Publisher
from bopis.services.demo.buyers import wishes
from bopis.services.demo.clock import DayClock, instant
from bopis.services.demo.day import Sale, deliveries, sales
from bopis.services.demo.pickups import Pickup, goods_for, pickups
from bopis.services.demo.report import Report
from bopis.services.demo.tally import Tally
from bopis.services.demo.world import World, closing, cut_off, last_trading_day, opening_time
from bopis.services.directory import publish_store

LINGER_MS = 20
FRAMES_PER_SECOND = 4
FRAME_SECONDS = 1 / FRAMES_PER_SECOND
STALENESS_GRACE_MINUTES = 100_000  # the day lies in the past, which is not what staleness is about
OFFLINE_FROM, OFFLINE_UNTIL = 0.25, 0.70
KILLS = {actors.INVENTORY: 0.40, actors.ORDERS: 0.55}
JOIN_SECONDS_MAX = 60.0


class Plan(NamedTuple):
    """What will be played: the world, its day, and how long that takes."""

    world: World
    day: date
    sales: list[Sale]
    pickups: list[Pickup]
    source: str
    seconds: float


def planned(world: World, seconds: float) -> Plan:
    """The newest day that is over everywhere."""
    day = last_trading_day(world, datetime.now(UTC))
    source = f"demo/{world.seed}"
    return Plan(world, day, sales(world, day, source), pickups(world, day, cut_off(world)), source, seconds)


def played(shell: Shell, plan: Plan, hands: Hands, began: float) -> Report:
    """Play the day on a log that runs and is empty, and that these hands are the clock of; returns the report."""
    with shell.engine() as engine:
        scene = Scene(_clock(plan), hands, Tally(plan.pickups))
        scene.offline_store = cut_off(plan.world)
        scene.offline_since_ms = scene.clock.moment_ms(OFFLINE_FROM)
        scene.offline_until_ms = scene.clock.moment_ms(OFFLINE_UNTIL)
        hands.turn_to(scene.clock.opens_ms)
        _prepare(shell, plan, scene, engine)
        scene.clock = _clock(plan)
        if not shell.out.is_terminal or shell.json:
            scene.told = shell.say
        _perform(shell, plan, scene, engine)
        return reported(shell, plan.world, scene, engine, began)


def _clock(plan: Plan) -> DayClock:
    stores = plan.world.stores
    return DayClock(
        opens_ms=int(min(opening_time(it, plan.day) for it in stores).timestamp() * 1000),
        closes_ms=int(max(closing(it, plan.day) for it in stores).timestamp() * 1000),
        seconds=plan.seconds,
        began=time.monotonic(),
    )


def _prepare(shell: Shell, plan: Plan, scene: Scene, engine: Engine) -> None:
    """Stores, their policy, what is on the shelves; wait until all of it can be read."""
    with shell.publisher(LINGER_MS) as publisher:
        for store in plan.world.stores:
            publish_store(publisher, store.record)
            _introduce(scene, publisher, plan, store.id)
        goods = goods_for(plan.pickups, plan.world, plan.day, plan.source)
        for delivery in [*deliveries(plan.world, plan.day, plan.source), *goods]:
            actors.say(scene, publisher, delivery)
        publisher.flush()
    _settle(shell, engine)
    scene.samples.clear()


def _introduce(scene: Scene, publisher: Publisher, plan: Plan, store: str) -> None:
    now = instant(scene.hands.now_ms())
    policy = SetStorePolicy(pickup=True, staleness_grace_minutes=STALENESS_GRACE_MINUTES)
    skus = sorted(plan.world.opening[store])
    lines = [CategoryLine(sku=sku, category=plan.world.categories[sku]) for sku in skus]
    bodies = [
        policy,
        *(CategoriseSkus(lines=tuple(lines[at : at + LINES_MAX])) for at in range(0, len(lines), LINES_MAX)),
    ]
    for number, body in enumerate(bodies, start=1):
        message = Message(id=f"{store}/{number}", source=f"{plan.source}/hq", time=now, subject=store, data=body)
        actors.say(scene, publisher, message)


def _perform(shell: Shell, plan: Plan, scene: Scene, engine: Engine) -> None:
    """The day itself: everybody acts at once, and the board shows it."""
    wanted = wishes(plan.world)
    scene.wishes = {wish.hold: wish for wish in wanted}
    over, settled = threading.Event(), threading.Event()
    acting = [
        actors.started(scene, "tills", lambda: actors.tills(shell, scene, plan.sales)),
        actors.started(scene, "buyers", lambda: actors.buyers(shell, scene, wanted, plan.source)),
        *(
            actors.started(scene, f"killer of {name}", partial(actors.killer, shell, scene, name, at))
            for name, at in KILLS.items()
        ),
    ]
    customers = actors.started(scene, "pickups", lambda: pickup_actor.pickups(shell, scene, plan.source))
    seeing = [
        actors.started(scene, "listener", lambda: actors.listener(shell, scene, settled)),
        actors.started(scene, "watcher", lambda: actors.watcher(scene, engine, over)),
    ]
    try:
        with _board(shell, scene, plan.world):
            _wait(scene, lambda: not any(it.is_alive() for it in acting))
            scene.day_over.set()
            _wait(scene, lambda: not customers.is_alive())
            if not scene.stop.is_set():
                _settle(shell, engine)
                wait_until_told(shell, engine)
            over.set()
            settled.set()
            _wait(scene, lambda: not any(it.is_alive() for it in seeing))
    finally:
        scene.stop.set()
        for thread in (*acting, customers, *seeing):
            thread.join(JOIN_SECONDS_MAX)
    if scene.failures:
        raise scene.failures[0]


def _wait(scene: Scene, is_done: Callable[[], bool]) -> None:
    while not is_done() and not scene.stop.is_set():
        time.sleep(FRAME_SECONDS)


def _board(shell: Shell, scene: Scene, world: World) -> AbstractContextManager[object]:
    if not shell.out.is_terminal or shell.json:
        return nullcontext()
    from rich.live import Live

    board = Board(scene, world, shell.out)
    return Live(board, console=shell.out, refresh_per_second=FRAMES_PER_SECOND, screen=False, transient=True)


def _settle(shell: Shell, engine: Engine) -> None:
    """Wait until everything in the log can be read."""
    with shell.reader() as reader:
        wait_until_taken(ReadSideBooks(engine), stock_ends(reader), lambda _: None)
