"""The actors of the demonstration, a thread each: tills, buyers, a listener, a watcher, and one who kills."""

import heapq
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Engine, case, func, select

from bopis.adapters.supervision import supervisor_of
from bopis.commands.demo_scene import Killed, Scene, StoreFigures
from bopis.commands.shell import Shell
from bopis.domain.inventory import events
from bopis.domain.message import Message
from bopis.domain.values import HOUR_MS
from bopis.ports import Publisher
from bopis.readside.engine import reading
from bopis.readside.schema import consumed, levels
from bopis.services.demo.buyers import SHOPS, Wish, after_grant, reservation
from bopis.services.demo.clock import instant
from bopis.services.demo.day import Sale
from bopis.wire.stock import INVENTORY_EVENTS, STOCK

STOCK_TOPIC, LEVELS_TOPIC, EVENTS_TOPIC = "stock", "inventory-levels", "inventory-events"
INVENTORY, ORDERS = "inventory", "orders"
GO_ON = {INVENTORY: "tills and buyers go on", ORDERS: "the log's clock waits"}
LEAD_MS_MAX = 3 * HOUR_MS  # tills sell on while the log's clock waits, but not for ever
READY = "ready"
LINGER_MS = 5
LISTEN_SECONDS = 0.2
PROBE_SECONDS = 0.025
LOOK_SECONDS = 1.0
IDLE_SECONDS = 0.02
BACK_SECONDS_MAX = 60.0

FEEDS = (LEVELS_TOPIC, STOCK_TOPIC)  # the present and the history
_POSITIONS = select(consumed.c.topic, consumed.c.partition, consumed.c.position, consumed.c.source_position)

Actor = Callable[[], None]


def started(scene: Scene, name: str, actor: Actor) -> threading.Thread:
    """Run an actor in a thread of its own; when it fails, everything stops."""

    def act() -> None:
        try:
            actor()
        except BaseException as error:  # whatever it is, the main thread is to tell it
            scene.failed(error)

    thread = threading.Thread(target=act, name=f"demo-{name}", daemon=True)
    thread.start()
    return thread


def say(scene: Scene, publisher: Publisher, message: Message) -> None:
    """Publish a message, and let the judge hear it."""
    with scene.hears:
        scene.auditor.sent(message)
    heard = partial(scene.on_delivery, int(time.time() * 1000))
    publisher.publish(STOCK_TOPIC, message.subject, STOCK.encode(message), on_delivery=heard)
    scene.messages += 1


def tills(shell: Shell, scene: Scene, sales: Sequence[Sale]) -> None:
    """Sell all day. The store that is cut off keeps its baskets and sends them, in their order, when it is back."""
    held_back: list[Sale] = []
    with shell.publisher(LINGER_MS) as publisher:
        for sale in sales:
            now = time.monotonic()
            scene.sleep(scene.clock.seconds_until(sale.at_ms, now))
            while sale.at_ms > scene.hands.now_ms() + LEAD_MS_MAX and not scene.stop.is_set():
                scene.sleep(IDLE_SECONDS)
            if scene.stop.is_set():
                return
            is_cut = scene.offline_since_ms <= sale.at_ms < scene.offline_until_ms
            if is_cut != scene.is_cut_off:
                _cut(scene, is_cut, held_back, publisher)
            if is_cut and sale.store == scene.offline_store:
                held_back.append(sale)
                scene.held_back += 1
            else:
                _sell(scene, publisher, sale)
        publisher.flush()
    scene.traded_seconds = time.monotonic() - scene.clock.began


def buyers(shell: Shell, scene: Scene, wishes: Sequence[Wish], source: str) -> None:
    """Ask for scarce units through several shops at once, and do with what was granted what each buyer does."""
    waiting: list[tuple[float, str]] = []
    coming = list(reversed(wishes))
    shops = [shell.publisher(LINGER_MS) for _ in range(SHOPS)]
    publishers = [shop.__enter__() for shop in shops]
    try:
        while not scene.stop.is_set() and (coming or waiting or scene.clock.share(time.monotonic()) < 1):
            now = time.monotonic()
            share = scene.clock.share(now)
            while coming and coming[-1].moment <= share:
                wish = coming.pop()
                say(scene, publishers[wish.shop], reservation(wish, source, instant(scene.hands.now_ms())))
                scene.asked += 1
            while scene.grants:
                hold = scene.grants.popleft()
                heapq.heappush(waiting, (now + scene.wishes[hold].thinks_seconds, hold))
            # When the day is over nobody thinks any longer.
            while waiting and (waiting[0][0] <= now or share >= 1):
                wish = scene.wishes[heapq.heappop(waiting)[1]]
                answer = after_grant(wish, source, instant(scene.clock.at_ms(now)))
                if answer is not None:
                    say(scene, publishers[wish.shop], answer)
            scene.sleep(IDLE_SECONDS)
        for publisher in publishers:
            publisher.flush()
    finally:
        for shop in shops:
            shop.__exit__(None, None, None)


def listener(shell: Shell, scene: Scene, finished: threading.Event) -> None:
    """Read what the inventory answers, to the very end once everything was decided."""
    with shell.reader() as reader:
        first = reader.start_offsets([EVENTS_TOPIC])
        while not scene.stop.is_set():
            is_last = finished.is_set()
            ends = reader.end_offsets([EVENTS_TOPIC])
            for record in reader.read(first, ends):
                _hear(scene, INVENTORY_EVENTS.decode(record.value or b""))
            first = ends
            if is_last:
                return
            finished.wait(LISTEN_SECONDS)


def watcher(scene: Scene, engine: Engine, finished: threading.Event) -> None:
    """Measure from publishing to readable, and look at the stores now and then."""
    look_at = 0.0
    while not scene.stop.is_set() and not (finished.is_set() and not scene.samples):
        taken = _taken(engine)
        now_ms = time.time() * 1000
        waiting = len(scene.samples)
        for _ in range(waiting):
            sample = scene.samples.popleft()
            if taken.get(sample.partition, -1) >= sample.offset:
                scene.latencies.append((sample.said_ms, max(0.0, now_ms - sample.said_ms)))
            else:
                scene.samples.append(sample)
        scene.decided = sum(it + 1 for it in taken.values())
        if time.monotonic() >= look_at:
            scene.stores = _figures(engine)
            look_at = time.monotonic() + LOOK_SECONDS
        scene.sleep(PROBE_SECONDS)


def killer(shell: Shell, scene: Scene, name: str, moment: float) -> None:
    """In the middle of the day, kill a worker without a word, and see its successor come."""
    now = time.monotonic()
    scene.sleep(scene.clock.seconds_until(scene.clock.moment_ms(moment), now))
    if scene.stop.is_set():
        return
    pid, _ = _worker(shell, name)
    killed = Killed(pid=pid, killed_ms=int(time.time() * 1000))
    scene.kills[name] = killed
    os.kill(pid, signal.SIGKILL)
    scene.tell(f"kill -9 {pid}: the {name} worker is gone; {GO_ON[name]}")
    give_up = time.monotonic() + BACK_SECONDS_MAX
    while time.monotonic() < give_up and not scene.stop.is_set():
        successor, state = _worker(shell, name)
        if successor not in (0, pid) and state == READY:
            killed.successor_pid, killed.ready_ms = successor, int(time.time() * 1000)
            scene.tell(f"worker {successor} goes on where it stopped, {killed.ready_ms - killed.killed_ms} ms later")
            return
        scene.sleep(IDLE_SECONDS)


def _worker(shell: Shell, name: str) -> tuple[int, str]:
    found = supervisor_of(shell.settings.data_dir)
    for child in found.children if found else ():
        if child.name == name:
            return child.pid or 0, child.state
    return 0, ""


def _cut(scene: Scene, is_cut: bool, held_back: list[Sale], publisher: Publisher) -> None:
    scene.is_cut_off = is_cut
    if is_cut:
        scene.tell(f"{scene.offline_store} lost its line; its tills sell on and keep their baskets")
        return
    for sale in held_back:
        _sell(scene, publisher, sale)
    scene.late = len(held_back)
    held_back.clear()
    hours = (scene.offline_until_ms - scene.offline_since_ms) / 3_600_000
    scene.tell(f"{scene.offline_store} is back after {hours:.1f} h with {scene.late} late baskets")


def _sell(scene: Scene, publisher: Publisher, sale: Sale) -> None:
    say(scene, publisher, sale.message)
    scene.baskets += 1
    scene.lines += len(sale.message.data.lines)
    scene.units += sale.units


def _hear(scene: Scene, event: Message) -> None:
    with scene.hears:
        scene.auditor.heard(event)
    data = event.data
    if isinstance(data, events.StockReserved):
        scene.granted += 1
        if data.hold in scene.wishes:
            scene.grants.append(data.hold)
    elif isinstance(data, events.ReservationRefused):
        scene.refused += 1
    elif isinstance(data, events.HoldChanged):
        scene.ends[data.end.value] = scene.ends.get(data.end.value, 0) + 1


def _taken(engine: Engine) -> dict[int, int]:
    """Up to which offset of each partition both the present and the history go."""
    taken: dict[int, list[int]] = {}
    with reading(engine) as connection:
        for topic, partition, position, source_position in connection.execute(_POSITIONS):
            if topic in FEEDS:
                taken.setdefault(partition, []).append(position if topic == STOCK_TOPIC else source_position)
    return {partition: min(both) for partition, both in taken.items() if len(both) == len(FEEDS)}


def _figures(engine: Engine) -> dict[str, StoreFigures]:
    free = levels.c.on_hand - levels.c.held - levels.c.in_doubt
    query = select(
        levels.c.store,
        func.sum(levels.c.on_hand),
        func.sum(case((free > 0, free), else_=0)),
        func.sum(levels.c.held),
    ).group_by(levels.c.store)
    with reading(engine) as connection:
        return {store: StoreFigures(int(a), int(b), int(c)) for store, a, b, c in connection.execute(query)}
