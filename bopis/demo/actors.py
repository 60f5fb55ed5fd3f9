"""The actors of the demonstration, a thread each: tills, buyers, event reader, latency watcher, killers of workers."""

import heapq
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from sqlalchemy import Engine

from bopis.adapters.supervision import supervisor_of
from bopis.cli.app.context import CommandContext
from bopis.cli.replay.books import ReadSideBooks
from bopis.demo.buyers import SHOPS, Wish, after_grant, reservation
from bopis.demo.clock import instant
from bopis.demo.day import Sale
from bopis.demo.state import DemoState, KilledWorker, MeasuredLatency
from bopis.domain.inventory.events import StockReserved
from bopis.domain.message import Message
from bopis.domain.values import HOUR_MS
from bopis.names import INVENTORY_EVENTS_TOPIC, STOCK_TOPIC
from bopis.ports import Publisher
from bopis.readside import queries
from bopis.wire.stock import INVENTORY_EVENTS, STOCK

INVENTORY, ORDERS, PAYMENT_RUNNER = "inventory", "orders", "payment-runner"
MEANWHILE = {
    INVENTORY: "tills and buyers continue",
    ORDERS: "the log's clock waits",
    PAYMENT_RUNNER: "orders are taken and their goods held",
}
LEAD_MS_MAX = 3 * HOUR_MS  # tills sell on while the log's clock waits, but not without end
READY = "ready"
LINGER_MS = 5
READ_SECONDS = 0.2
PROBE_SECONDS = 0.025
STORES_SECONDS = 1.0
IDLE_SECONDS = 0.02
BACK_SECONDS_MAX = 60.0

Actor = Callable[[], None]


def start(state: DemoState, name: str, actor: Actor) -> threading.Thread:
    """Run an actor in a thread of its own; when it fails, everything stops."""

    def act() -> None:
        try:
            actor()
        except BaseException as error:  # the main thread raises it again
            state.fail(error)

    thread = threading.Thread(target=act, name=f"demo-{name}", daemon=True)
    thread.start()
    return thread


def publish(state: DemoState, publisher: Publisher, message: Message) -> None:
    """Publish a stock message that the auditor counts."""
    state.audit_message(message)
    delivered = partial(state.on_delivery, int(time.time() * 1000))
    publisher.publish(STOCK_TOPIC, message.subject, STOCK.encode(message), on_delivery=delivered)
    state.messages += 1


def tills(ctx: CommandContext, state: DemoState, sales: Sequence[Sale]) -> None:
    """Sell all day. The offline store keeps its baskets, and publishes them in their order when it is back."""
    held_back: list[Sale] = []
    with ctx.publisher(LINGER_MS) as publisher:
        for sale in sales:
            now = time.monotonic()
            state.sleep(state.clock.seconds_until(sale.at_ms, now))
            while sale.at_ms > state.log_clock.now_ms() + LEAD_MS_MAX and not state.stop.is_set():
                state.sleep(IDLE_SECONDS)
            if state.stop.is_set():
                return
            is_cut = state.offline_since_ms <= sale.at_ms < state.offline_until_ms
            if is_cut != state.is_cut_off:
                _switch_line(state, is_cut, held_back, publisher)
            if is_cut and sale.store == state.offline_store:
                held_back.append(sale)
                state.held_back += 1
            else:
                _sell(state, publisher, sale)
        publisher.flush()
    state.traded_seconds = time.monotonic() - state.clock.began


def buyers(ctx: CommandContext, state: DemoState, wishes: Sequence[Wish], source: str) -> None:
    """Ask for scarce units through several shops at once, and collect, release or forget the units that are granted."""
    waiting: list[tuple[float, str]] = []
    coming = list(reversed(wishes))
    with ExitStack() as opened:
        publishers = [opened.enter_context(ctx.publisher(LINGER_MS)) for _ in range(SHOPS)]
        while not state.stop.is_set() and (coming or waiting or state.clock.share(time.monotonic()) < 1):
            now = time.monotonic()
            share = state.clock.share(now)
            while coming and coming[-1].moment <= share:
                wish = coming.pop()
                now_on_log = instant(state.log_clock.now_ms())
                publish(state, publishers[wish.shop], reservation(wish, source, now_on_log))
            while state.grants:
                hold = state.grants.popleft()
                heapq.heappush(waiting, (now + state.wishes[hold].thinks_seconds, hold))
            # At the end of the day no buyer thinks any longer.
            while waiting and (waiting[0][0] <= now or share >= 1):
                wish = state.wishes[heapq.heappop(waiting)[1]]
                answer = after_grant(wish, source, instant(state.clock.at_ms(now)))
                if answer is not None:
                    publish(state, publishers[wish.shop], answer)
            state.sleep(IDLE_SECONDS)
        for publisher in publishers:
            publisher.flush()


def event_reader(ctx: CommandContext, state: DemoState, finished: threading.Event) -> None:
    """Read the inventory's events; once `finished` is set, to their end."""
    with ctx.reader() as reader:
        first = reader.start_offsets([INVENTORY_EVENTS_TOPIC])
        while not state.stop.is_set():
            is_last = finished.is_set()
            ends = reader.end_offsets([INVENTORY_EVENTS_TOPIC])
            for record in reader.read(first, ends):
                take_event(state, INVENTORY_EVENTS.decode(record.value or b""))
            first = ends
            if is_last:
                return
            finished.wait(READ_SECONDS)


def take_event(state: DemoState, event: Message) -> None:
    """Give an event of the inventory to the auditor, and a granted hold to its buyer."""
    state.audit_event(event)
    if isinstance(event.data, StockReserved) and event.data.hold in state.wishes:
        state.grants.append(event.data.hold)


def watcher(state: DemoState, engine: Engine, finished: threading.Event) -> None:
    """Measure the time from publishing to readable, and read the units of the stores for the board."""
    books = ReadSideBooks(engine)
    stores_due = 0.0
    while not state.stop.is_set() and not (finished.is_set() and not state.watched):
        taken = books.taken()
        now_ms = time.time() * 1000
        for _ in range(len(state.watched)):
            record = state.watched.popleft()
            if taken.get(record.partition, 0) > record.offset:
                latency_ms = max(0.0, now_ms - record.published_ms)
                state.latencies.append(MeasuredLatency(record.published_ms, latency_ms))
            else:
                state.watched.append(record)
        state.decided = sum(taken.values())
        if time.monotonic() >= stores_due:
            state.stores = queries.units_by_store(engine)
            stores_due = time.monotonic() + STORES_SECONDS
        state.sleep(PROBE_SECONDS)


def killer(ctx: CommandContext, state: DemoState, name: str, moment: float) -> None:
    """Kill a worker with SIGKILL at a part of the day, and wait for its successor."""
    now = time.monotonic()
    state.sleep(state.clock.seconds_until(state.clock.moment_ms(moment), now))
    if state.stop.is_set():
        return
    pid, _ = _worker(ctx, name)
    killed = KilledWorker(pid=pid, killed_ms=int(time.time() * 1000))
    state.kills[name] = killed
    os.kill(pid, signal.SIGKILL)
    state.announce(f"kill -9 {pid}: the {name} worker is gone; {MEANWHILE[name]}")
    give_up = time.monotonic() + BACK_SECONDS_MAX
    while time.monotonic() < give_up and not state.stop.is_set():
        successor, worker_state = _worker(ctx, name)
        if successor not in (0, pid) and worker_state == READY:
            killed.successor_pid, killed.ready_ms = successor, int(time.time() * 1000)
            after_ms = killed.ready_ms - killed.killed_ms
            state.announce(f"worker {successor} continues where it stopped, {after_ms} ms later")
            return
        state.sleep(IDLE_SECONDS)


def _worker(ctx: CommandContext, name: str) -> tuple[int, str]:
    """The pid of a worker (0: none) and its state."""
    supervisor = supervisor_of(ctx.settings.data_dir)
    for child in supervisor.children if supervisor else ():
        if child.name == name:
            return child.pid or 0, child.state
    return 0, ""


def _switch_line(state: DemoState, is_cut: bool, held_back: list[Sale], publisher: Publisher) -> None:
    state.is_cut_off = is_cut
    if is_cut:
        state.announce(f"{state.offline_store} is offline; its tills sell on and keep their baskets")
        return
    for sale in held_back:
        _sell(state, publisher, sale)
    state.late = len(held_back)
    held_back.clear()
    hours = (state.offline_until_ms - state.offline_since_ms) / HOUR_MS
    state.announce(f"{state.offline_store} is back after {hours:.1f} h with {state.late} late baskets")


def _sell(state: DemoState, publisher: Publisher, sale: Sale) -> None:
    publish(state, publisher, sale.message)
    state.baskets += 1
    state.lines += len(sale.message.data.lines)
    state.units += sale.units
