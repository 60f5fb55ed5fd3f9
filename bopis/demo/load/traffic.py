"""Plays a load on a running installation: tills, shop, staff, and those who measure. A thread each."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from bopis.cli.app.context import CommandContext
from bopis.cli.replay.books import ReadSideBooks, stock_ends, wait_until_taken
from bopis.demo.load.figures import LoadFigures, LoadReport
from bopis.demo.load.plan import Baskets, LoadPlan, Orders, ending, opening, trial_articles, trial_world
from bopis.demo.pickup_actor import handing_over, placement
from bopis.demo.pickups import Deed, Pickup, body
from bopis.demo.world import World
from bopis.domain.message import Message
from bopis.domain.orders.events import CommandRefused, OrderCancelled, OrderPromised
from bopis.names import CATALOGUE_TOPIC, ORDER_EVENTS_TOPIC, ORDERS_TOPIC, STOCK_TOPIC
from bopis.ports import LogTail, Publisher, RecordMetadata, Secrets
from bopis.services.catalogue import publish_article
from bopis.services.store_directory import publish_store
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.stock import STOCK

LINGER_MS = 2
BULK_LINGER_MS = 20
POLL_SECONDS = 0.05
PROBE_SECONDS = 0.025
# Pauses shorter than this cost more than they are worth; what is due is sent at once.
BURST_SECONDS = 0.002
ANSWER_SECONDS_MAX = 60.0
NEXT_DEED = {
    Deed.PLACE: Deed.ACCEPT, Deed.ACCEPT: Deed.PICK, Deed.PICK: Deed.STAGE, Deed.STAGE: Deed.ARRIVE,
    Deed.ARRIVE: Deed.HAND_OVER,
}  # fmt: skip


class Sent(NamedTuple):
    """A command on its way, and when it was sent on the monotonic clock."""

    pickup: Pickup
    deed: Deed
    at: float


class Watched(NamedTuple):
    """A basket in the log that may not be readable yet."""

    partition: int
    offset: int
    at: float


class Traffic:
    """One load under way."""

    def __init__(self, plan: LoadPlan, secrets: Secrets, shop: Publisher, tills: Publisher) -> None:
        self.figures = LoadFigures()
        self.over = threading.Event()
        self.failures: list[BaseException] = []
        self._plan, self._secrets = plan, secrets
        self._shop, self._tills = shop, tills
        self._commands: dict[str, Sent] = {}
        self._unpromised: dict[str, Sent] = {}
        self._open_orders: set[str] = set()
        self._watched: deque[Watched] = deque()
        self._acknowledging = threading.Lock()
        self._open_baskets = 0

    @property
    def unanswered(self) -> int:
        """What has no answer yet: baskets, and orders that are neither done nor refused."""
        return self._open_baskets + len(self._watched) + len(self._open_orders)

    def start(self, name: str, act: Callable[[], None]) -> threading.Thread:
        """Run one of the methods below in a thread; its failure ends the load."""

        def acting() -> None:
            try:
                act()
            except BaseException as error:  # the main thread raises it again
                self.failures.append(error)
                self.over.set()

        thread = threading.Thread(target=acting, name=f"load-{name}", daemon=True)
        thread.start()
        return thread

    def sell(self, world: World, began: float) -> None:
        """Sell baskets at the rate of the plan."""
        baskets = Baskets(self._plan, world)
        for due in self._dues(self._plan.baskets, began):
            message = baskets.next(datetime.now(UTC))
            self.figures.baskets += 1
            self.figures.lines += len(message.data.lines)
            with self._acknowledging:
                self._open_baskets += 1
            at = time.monotonic()
            self.figures.behind_s = max(self.figures.behind_s, at - due)
            delivered = partial(self._on_sold, at)
            self._tills.publish(STOCK_TOPIC, message.subject, STOCK.encode(message), on_delivery=delivered)

    def order(self, world: World, began: float) -> None:
        """Place orders at the rate of the plan."""
        orders = Orders(self._plan, world)
        for due in self._dues(self._plan.orders, began):
            pickup = orders.next()
            self.figures.orders += 1
            self.figures.behind_s = max(self.figures.behind_s, time.monotonic() - due)
            # No address: a trial must not send a notice to anybody.
            self._say(pickup, Deed.PLACE, placement(pickup, self._secrets, {}))

    def answer(self, tail: LogTail) -> None:
        """Read the events of orders, and act as the staff."""
        while not self.over.is_set():
            for record in tail.poll(POLL_SECONDS):
                if record.value is not None:
                    self._take(ORDER_EVENTS.decode(record.value))

    def watch(self, books: ReadSideBooks) -> None:
        """Measure when baskets can be read."""
        while not self.over.is_set():
            if self._watched:
                taken = books.taken()
                now = time.monotonic()
                for _ in range(len(self._watched)):
                    it = self._watched.popleft()
                    if taken.get(it.partition, 0) > it.offset:
                        self.figures.readable_ms.append((now - it.at) * 1000)
                    else:
                        self._watched.append(it)
            self.over.wait(PROBE_SECONDS)

    def _dues(self, rate: float, began: float) -> Iterator[float]:
        """The instants of a rate, each yielded when it has come."""
        for number in range(int(rate * self._plan.seconds)):
            due = began + number / rate
            if (wait := due - time.monotonic()) > BURST_SECONDS and self.over.wait(wait):
                return
            yield due

    def _on_sold(self, at: float, result: RecordMetadata | Exception) -> None:
        with self._acknowledging:
            self._open_baskets -= 1
            if isinstance(result, Exception):
                self.figures.lost += 1
                return
            self.figures.sold_ms.append((time.monotonic() - at) * 1000)
            self._watched.append(Watched(result.partition, result.offset, at))

    def _say(self, pickup: Pickup, deed: Deed, said: Any) -> None:
        where = "web" if deed is Deed.PLACE else f"desk/{pickup.store}"
        source, now = f"{self._plan.name}/{where}", datetime.now(UTC)
        message = Message(id=f"{pickup.order}/{deed.value}", source=source, time=now, subject=pickup.order, data=said)
        sent = Sent(pickup, deed, time.monotonic())
        if deed is Deed.PLACE:
            self._open_orders.add(pickup.order)
            self._unpromised[pickup.order] = sent
        else:
            self._commands[message.cause] = sent
        self._shop.publish(ORDERS_TOPIC, pickup.order, ORDERS.encode(message), on_delivery=self._on_said)

    def _on_said(self, result: RecordMetadata | Exception) -> None:
        if isinstance(result, Exception):
            with self._acknowledging:
                self.figures.lost += 1

    def _take(self, event: Message) -> None:
        now = time.monotonic()
        if isinstance(event.data, CommandRefused):
            self.figures.refusals[f"{event.data.command}: {event.data.reason.value}"] += 1
            self._commands.pop(str(event.causation), None)
            self._unpromised.pop(event.subject, None)
            self._open_orders.discard(event.subject)
            return
        if isinstance(event.data, OrderPromised) and (placed := self._unpromised.pop(event.subject, None)) is not None:
            self.figures.promised_ms.append((now - placed.at) * 1000)
            self._go_on(placed)
        elif isinstance(event.data, OrderCancelled) and self._unpromised.pop(event.subject, None) is not None:
            self.figures.cancelled[event.data.reason.value] += 1
            self._open_orders.discard(event.subject)
        elif (sent := self._commands.pop(str(event.causation), None)) is not None:
            self.figures.staff_ms.append((now - sent.at) * 1000)
            self._go_on(sent)

    def _go_on(self, done: Sent) -> None:
        """Do the next deed of the staff with an order."""
        deed = NEXT_DEED.get(done.deed) if self._plan.staff else None
        if deed is None:
            self.figures.handed_over += done.deed is Deed.HAND_OVER
            self._open_orders.discard(done.pickup.order)
            return
        pickup = done.pickup
        said = handing_over(pickup, self._secrets) if deed is Deed.HAND_OVER else body(pickup, deed)
        self._say(pickup, deed, said)


Shown = Callable[[str], None]
Passed = Callable[[int], None]


def played(ctx: CommandContext, plan: LoadPlan, show: Shown, passed: Passed) -> LoadReport:
    """Play a load on a running installation. `show` is called with each step, `passed` with the seconds that passed.

    Raises the errors of the log and of the read side.
    """
    world = trial_world(plan)
    with ExitStack() as stack:
        engine = stack.enter_context(ctx.engine())
        vault = stack.enter_context(ctx.vault())
        shop, tills = (stack.enter_context(ctx.publisher(LINGER_MS)) for _ in range(2))
        reader = stack.enter_context(ctx.reader())
        books = ReadSideBooks(engine)
        show("Preparing the trial stores")
        _prepare(ctx, plan, world)
        wait_until_taken(books, stock_ends(reader), lambda _: None)
        traffic = Traffic(plan, vault, shop, tills)
        show(f"Loading for {plan.seconds:g} s")
        sent_s = _run(traffic, world, Observers(reader.tail([ORDER_EVENTS_TOPIC]), books), passed)
        report = traffic.figures.report(sent_s, len(world.stores), traffic.unanswered)
        show("Closing the trial stores")
        _publish(tills, ending(plan, world, datetime.now(UTC)))
        return report


class Observers(NamedTuple):
    """Where the answers come from: events of orders, and the read side."""

    events: LogTail
    books: ReadSideBooks


def _run(traffic: Traffic, world: World, observers: Observers, passed: Passed) -> float:
    """Send everything, and wait for the answers. Returns the seconds that it took to send."""
    began = time.monotonic()
    senders = [
        traffic.start("tills", lambda: traffic.sell(world, began)),
        traffic.start("shop", lambda: traffic.order(world, began)),
    ]
    readers = [
        traffic.start("answers", lambda: traffic.answer(observers.events)),
        traffic.start("watcher", lambda: traffic.watch(observers.books)),
    ]
    try:
        shown = 0
        while any(it.is_alive() for it in senders):
            time.sleep(POLL_SECONDS)
            elapsed = int(time.monotonic() - began)
            passed(elapsed - shown)
            shown = elapsed
        sent_s = time.monotonic() - began
        give_up = time.monotonic() + ANSWER_SECONDS_MAX
        while traffic.unanswered and not traffic.over.is_set() and time.monotonic() < give_up:
            time.sleep(POLL_SECONDS)
    finally:
        traffic.over.set()
        for thread in (*senders, *readers):
            thread.join()
    if traffic.failures:
        raise traffic.failures[0]
    return sent_s


def _prepare(ctx: CommandContext, plan: LoadPlan, world: World) -> None:
    """Publish the articles, stores, policies and stock of the trial."""
    ctx.ensure_topic(CATALOGUE_TOPIC)
    with ctx.publisher(BULK_LINGER_MS) as publisher:
        for article in trial_articles(world):
            publish_article(publisher, article)
        for store in world.stores:
            publish_store(publisher, store.record)
        _publish(publisher, opening(plan, world, datetime.now(UTC)))


def _publish(publisher: Publisher, messages: Iterable[Message]) -> None:
    for message in messages:
        publisher.publish(STOCK_TOPIC, message.subject, STOCK.encode(message))
    publisher.flush()
