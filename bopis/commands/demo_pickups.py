"""The actor who speaks for customers and staff of pickup orders, and who lets the log's clock follow the day.

The day passes on the log, too, in steps of a quarter of an hour: every deadline of an order is met on it. The clock
waits until what was said at one step is decided and customers were told, however long that takes: also while a worker
is dead.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial

from bopis.commands.demo_scene import Scene
from bopis.commands.errors import Unavailable
from bopis.commands.shell import Shell
from bopis.domain.message import Message
from bopis.domain.orders.events import AlternativeOffered, LinesWaiting, OrderPromised
from bopis.domain.orders.messages import Command, CustomerArrived, HandOver, PlaceOrder
from bopis.domain.orders.outcomes import OrderCancelled, OrderReady
from bopis.domain.orders.terms import Allows, CustomerRef, Proof, ShortPolicy
from bopis.domain.orders.units import WantedLine
from bopis.domain.values import HOUR_MS, MINUTE_MS
from bopis.ports import Log, Publisher, Secrets
from bopis.services.demo.pickups import Deed, Pickup, body
from bopis.wire.notices import NOTICE_EVENTS
from bopis.wire.orders import ORDER_EVENTS, ORDERS

ORDERS_TOPIC, EVENTS_TOPIC, NOTICES_TOPIC = "orders", "order-events", "notice-events"
HEARD = (EVENTS_TOPIC, NOTICES_TOPIC)
STEP_MS = 14 * MINUTE_MS  # less than a store has to accept an order
LINGER_MS = 2
LISTEN_SECONDS = 0.01
ANSWER_SECONDS_MAX = 90.0
REMINDERS_MS = (24 * HOUR_MS, 2 * HOUR_MS)  # before the end of a window
FIRST_CODE = 1
SETTLES = (OrderPromised, OrderCancelled, AlternativeOffered, LinesWaiting)
Due = tuple[int, Pickup, Deed]
NAMES = ("Ann", "Ben", "Chloe", "David", "Emma", "Finn", "Grace", "Henry", "Ivy", "Jack")


class Talk:
    """Says things to orders and hears what they conclude."""

    def __init__(self, scene: Scene, ways: tuple[Publisher, Log, Secrets], source: str) -> None:
        self._scene = scene
        self._publisher, self._log, self._secrets = ways
        self._source = source
        self._next = self._log.start_offsets(HEARD)
        self._unanswered: set[str] = set()
        self._unsettled: set[str] = set()
        self.windows: dict[str, int] = {}

    def say(self, it: Pickup, deed: Deed, at_ms: int) -> None:
        """Somebody does something to an order."""
        said = self._body(it, deed)
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        source = f"{self._source}/web" if deed in (Deed.PLACE, Deed.CANCEL) else f"{self._source}/desk/{it.store}"
        message = Message(id=f"{it.order}/{deed.value}", source=source, time=at, subject=it.order, data=said)
        self._unanswered.add(message.cause)
        if deed is Deed.PLACE:
            self._unsettled.add(it.order)
        self._publisher.publish(ORDERS_TOPIC, it.order, ORDERS.encode(message))
        self._scene.tally.did(it.order, deed, at_ms)

    def settle(self) -> None:
        """Hear until everything that was said has its answer. Raises `Unavailable` when that takes too long."""
        self.hear_until(lambda: not self._unanswered and not self._unsettled, "to what was said to pickup orders")
        self.hear_until(lambda: self._scene.tally.all_told, "from the notifier")

    def hear_until(self, enough: Callable[[], bool], what: str) -> None:
        """Hear until it is enough, or everything stops. Raises `Unavailable`."""
        self._publisher.flush()
        give_up = time.monotonic() + ANSWER_SECONDS_MAX
        while not self._scene.stop.is_set():
            self._listen()
            if enough():
                return
            if time.monotonic() > give_up:
                raise Unavailable(what=f"An answer {what}", next="Look into engine.log in the data directory.")
            self._scene.sleep(LISTEN_SECONDS)

    def _listen(self) -> None:
        ends = self._log.end_offsets(HEARD)
        for record in self._log.read(self._next, ends):
            if record.topic == NOTICES_TOPIC:
                self._scene.tally.hear_of_notice(NOTICE_EVENTS.decode(record.value or b""))
                continue
            event = ORDER_EVENTS.decode(record.value or b"")
            self._unanswered.discard(str(event.causation))
            if isinstance(event.data, SETTLES):
                self._unsettled.discard(event.subject)
            self._scene.tally.hear(event)
            if isinstance(event.data, OrderReady):
                self.windows[event.subject] = event.data.window_end_ms
        self._next = ends

    def _body(self, it: Pickup, deed: Deed) -> Command | CustomerArrived:
        codes = self._secrets.codes
        if deed is Deed.PLACE:
            return _placement(it, self._secrets)
        if deed is Deed.HAND_OVER:
            # What the customer reads aloud is the code from the mail; it leaves as its keyed hash.
            presented = codes.hash_of_code(it.order, codes.code(it.order, FIRST_CODE))
            return HandOver(store=it.store, proof=Proof.CODE, presented=presented)
        return body(it, deed)


@contextmanager
def talk(shell: Shell, scene: Scene, source: str) -> Iterator[Talk]:
    """A way to speak to orders."""
    from bopis.adapters.secrets.vault import open_vault

    with (
        shell.publisher(LINGER_MS) as publisher,
        shell.reader() as log,
        closing(open_vault(shell.settings)) as vault,
    ):
        yield Talk(scene, (publisher, log, vault), source)


def pickups(shell: Shell, scene: Scene, source: str) -> None:
    """Take the orders of the day, prepare them, hand them over; and then let the days pass that goods are kept."""
    ahead = [(at_ms, it, deed) for it in scene.tally.pickups.values() for at_ms, deed in it.deeds]
    ahead.sort(key=lambda due: (due[0], due[1].order))
    clock = scene.clock
    with talk(shell, scene, source) as desk:
        at_ms = clock.opens_ms
        while at_ms < clock.closes_ms and not scene.stop.is_set():
            # The log is a step ahead of the day, so that nothing that tills say is from its future.
            scene.sleep(clock.seconds_until(at_ms, time.monotonic()))
            at_ms += STEP_MS
            scene.hands.turn_to(at_ms)
            due, ahead = _due(ahead, at_ms)
            for said_ms, it, deed in due:
                desk.say(it, deed, said_ms)
            desk.settle()
        while not scene.day_over.is_set() and not scene.stop.is_set():
            scene.sleep(LISTEN_SECONDS)
        _let_days_pass(scene, desk)


def _due(ahead: list[Due], at_ms: int) -> tuple[list[Due], list[Due]]:
    """What is done up to an instant, and what comes later. A store cannot accept what is not promised yet: with what
    is placed now, it goes on at the next step."""
    placed = {it.order for said_ms, it, deed in ahead if deed is Deed.PLACE and said_ms <= at_ms}
    due = [it for it in ahead if it[0] <= at_ms and (it[2] is Deed.PLACE or it[1].order not in placed)]
    later = [it for it in ahead if it[0] > at_ms or (it[2] is not Deed.PLACE and it[1].order in placed)]
    return due, later


def _let_days_pass(scene: Scene, desk: Talk) -> None:
    """What nobody has fetched is kept for three more days: the clock stops at every reminder, and at each end."""
    tally = scene.tally
    waiting = {order for order, done in tally.done.items() if not done.keys() & {Deed.HAND_OVER, Deed.CANCEL}}
    if waiting:
        scene.tell(f"three more days pass on the log's clock; {len(waiting)} orders still wait for their customer")
    ends = sorted({desk.windows[order] for order in waiting})
    stops = sorted({end_ms - before_ms for end_ms in ends for before_ms in (*REMINDERS_MS, 0)})
    for at_ms in stops:
        scene.hands.turn_to(at_ms + MINUTE_MS)
        over = {order for order in waiting if desk.windows[order] <= at_ms}
        reminders = sum(desk.windows[order] - before_ms <= at_ms for order in waiting for before_ms in REMINDERS_MS)
        desk.hear_until(partial(tally.knows, over, reminders), "from orders whose time has come")
        desk.settle()
    scene.hands.let_go()


def _placement(it: Pickup, secrets: Secrets) -> PlaceOrder:
    """An order as the checkout writes it: the customer sealed, the code as keyed hashes."""
    customer = f"c-{it.order.lower()}"
    name = NAMES[sum(map(ord, it.order)) % len(NAMES)]
    sealed = secrets.seal(
        customer, {"name": f"{name} {it.order[:4].title()}", "email": f"{it.order.lower()}@example.org"}
    )
    code_hash, token_hash = secrets.codes.hashes(it.order, FIRST_CODE)
    return PlaceOrder(
        key=it.order,
        request=it.order,
        customer=CustomerRef(id=customer, sealed=sealed),
        store=it.store,
        lines=tuple(WantedLine(line=n, sku=sku, quantity=units) for n, (sku, units) in enumerate(it.lines, 1)),
        allows=Allows(on_short=ShortPolicy.PARTIAL),
        code_hash=code_hash,
        token_hash=token_hash,
    )
