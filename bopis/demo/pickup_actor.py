"""The actor for customers and staff of pickup orders, which also moves the log's clock.

The day passes on the log in steps of a quarter of an hour, so that every deadline of an order is met. At each step the
clock waits until the commands are answered and the notices are sent, however long that takes, also while a worker is
dead. Within a step it stops at the deadlines of payments that are not decided yet.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import Unavailable
from bopis.demo.articles import price_cents
from bopis.demo.customers import Customers
from bopis.demo.payings import plan_of
from bopis.demo.pickups import UNITS_BACK, Deed, Pickup, body
from bopis.demo.state import DemoState
from bopis.domain.message import Message
from bopis.domain.orders.events import AlternativeOffered, LinesWaiting, OrderCancelled, OrderPromised, OrderReady
from bopis.domain.orders.lines import WantedLine
from bopis.domain.orders.messages import Command, CustomerArrived, HandOver, PlaceOrder
from bopis.domain.orders.vocabulary import Allows, CustomerRef, Proof, ShortPolicy
from bopis.domain.values import HOUR_MS, MINUTE_MS
from bopis.names import NOTICE_EVENTS_TOPIC, ORDER_EVENTS_TOPIC, ORDERS_TOPIC
from bopis.ports import Log, Publisher, Secrets
from bopis.wire.notices import NOTICE_EVENTS
from bopis.wire.orders import ORDER_EVENTS, ORDERS

ANSWERS = (ORDER_EVENTS_TOPIC, NOTICE_EVENTS_TOPIC)
STEP_MS = 14 * MINUTE_MS  # less than a store has to accept an order
LINGER_MS = 2
LISTEN_SECONDS = 0.01
ANSWER_SECONDS_MAX = 90.0
REMINDERS_MS = (24 * HOUR_MS, 2 * HOUR_MS)  # before the end of a window
FIRST_CODE = 1
SETTLES = (OrderPromised, OrderCancelled, AlternativeOffered, LinesWaiting)
NAMES = ("Ann", "Ben", "Chloe", "David", "Emma", "Finn", "Grace", "Henry", "Ivy", "Jack")
SURNAMES = ("Adams", "Baker", "Clark", "Diaz", "Evans", "Ford", "Garcia", "Hill", "Irwin", "Jones", "King")
CURRENCY = "USD"


class DueDeed(NamedTuple):
    """A deed of an order, and when it is done."""

    at_ms: int
    pickup: Pickup
    deed: Deed


class Talk:
    """Publishes commands to orders and reads what follows from them."""

    def __init__(self, state: DemoState, publisher: Publisher, log: Log, secrets: Secrets, source: str) -> None:
        self._state = state
        self._publisher, self._log, self._secrets = publisher, log, secrets
        self._source = source
        self._next = self._log.start_offsets(ANSWERS)
        self._unanswered: set[str] = set()
        # Orders that are neither promised nor ended.
        self.unsettled: set[str] = set()
        self.windows: dict[str, int] = {}
        self.customers = Customers(state, publisher, log, source)

    def say(self, it: Pickup, deed: Deed, at_ms: int) -> None:
        """Publish the message of a deed."""
        body = self._body(it, deed)
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        source = f"{self._source}/web" if deed in (Deed.PLACE, Deed.CANCEL) else f"{self._source}/desk/{it.store}"
        message = Message(id=f"{it.order}/{deed.value}", source=source, time=at, subject=it.order, data=body)
        self._unanswered.add(message.cause)
        if deed is Deed.PLACE:
            self.unsettled.add(it.order)
        elif deed is Deed.HAND_OVER and self.customers.pay_at_till(it, at_ms):
            # Goods leave once the order knows that they are paid for.
            self.wait_until(lambda: not self._state.tally.payments.to_pay_at_till(it.order), "to a payment at a till")
        elif deed is Deed.RETURN:
            self._state.audit_return(it.store, it.lines[0].sku, UNITS_BACK)
        self._publisher.publish(ORDERS_TOPIC, it.order, ORDERS.encode(message))
        self._state.tally.did(it.order, deed, at_ms)

    def settle(self) -> None:
        """Wait until every command has its answer, every payment is decided or waits for its next deadline, and every
        notice is sent. Raises `Unavailable`."""
        self.wait_until(self._is_settled, "to the commands of pickup orders")
        self.wait_until(lambda: self._state.tally.all_notices_answered, "from the notifier")

    def move_clock(self, at_ms: int) -> None:
        """Move the log's clock, with a stop at each deadline of a payment that is not decided. Raises `Unavailable`."""
        clock = self._state.log_clock
        while not self._state.stop.is_set():
            due_ms = self.customers.next_deadline_ms(self.unsettled)
            if due_ms is None or due_ms >= at_ms:
                break
            clock.set_to(max(clock.now_ms(), due_ms) + 1)
            self.wait_until(self._is_settled, "of a payment")
        clock.set_to(at_ms)

    def settle_payments(self) -> None:
        """Wait until every answer of the gateway is known. Raises `Unavailable`."""

        def are_done() -> bool:
            self.customers.refresh()
            return self.customers.are_done

        self.wait_until(are_done, "of the payment gateway")

    def wait_until(self, enough: Callable[[], bool], what: str) -> None:
        """Read answers until it is enough, or everything stops. Raises `Unavailable` after too long."""
        self._publisher.flush()
        give_up = time.monotonic() + ANSWER_SECONDS_MAX
        while not self._state.stop.is_set():
            self._read_answers()
            if enough():
                return
            if time.monotonic() > give_up:
                raise Unavailable(what=f"An answer {what}", next="Look into engine.log in the data directory.")
            self._state.sleep(LISTEN_SECONDS)

    def _is_settled(self) -> bool:
        if self._unanswered:
            return False
        if self.unsettled:
            self.customers.refresh()
        return all(self.customers.wait_for_clock(order) for order in self.unsettled)

    def _read_answers(self) -> None:
        ends = self._log.end_offsets(ANSWERS)
        for record in self._log.read(self._next, ends):
            if record.topic == NOTICE_EVENTS_TOPIC:
                self._state.tally.take_notice_event(NOTICE_EVENTS.decode(record.value or b""))
                continue
            event = ORDER_EVENTS.decode(record.value or b"")
            self._unanswered.discard(str(event.causation))
            if isinstance(event.data, SETTLES):
                self.unsettled.discard(event.subject)
            self._state.tally.take_order_event(event)
            self.customers.hear(event.subject, event.data)
            if isinstance(event.data, OrderReady):
                self.windows[event.subject] = event.data.window_end_ms
        self._next = ends

    def _body(self, it: Pickup, deed: Deed) -> Command | CustomerArrived:
        if deed is Deed.PLACE:
            return placement(it, self._secrets, {"email": f"{it.order.lower()}@example.org"})
        if deed is Deed.HAND_OVER:
            return handing_over(it, self._secrets)
        return body(it, deed)


@contextmanager
def talk(ctx: CommandContext, state: DemoState, source: str) -> Iterator[Talk]:
    """A connection to the orders."""
    from bopis.adapters.secrets.vault import open_vault

    with (
        ctx.publisher(LINGER_MS) as publisher,
        ctx.reader() as log,
        closing(open_vault(ctx.settings)) as vault,
    ):
        yield Talk(state, publisher, log, vault, source)


def pickups(ctx: CommandContext, state: DemoState, source: str) -> None:
    """Do the deeds of all orders of the day, then let the days pass for which goods are kept."""
    ahead = [DueDeed(at_ms, it, deed) for it in state.tally.pickups.values() for at_ms, deed in it.deeds]
    ahead.sort(key=lambda due: (due.at_ms, due.pickup.order))
    clock = state.clock
    with talk(ctx, state, source) as desk:
        at_ms = clock.opens_ms
        while at_ms < clock.closes_ms and not state.stop.is_set():
            # The log is a step ahead of the day, so that no message of a till is from its future.
            state.sleep(clock.seconds_until(at_ms, time.monotonic()))
            at_ms += STEP_MS
            desk.move_clock(at_ms)
            due, ahead = _due(ahead, at_ms, desk.unsettled)
            for done_ms, it, deed in due:
                desk.say(it, deed, done_ms)
            desk.settle()
        while not state.day_over.is_set() and not state.stop.is_set():
            state.sleep(LISTEN_SECONDS)
        desk.settle_payments()
        _let_days_pass(state, desk)


def _due(ahead: list[DueDeed], at_ms: int, unsettled: set[str]) -> tuple[list[DueDeed], list[DueDeed]]:
    """The deeds up to an instant, and the later ones. Of an order that is placed now, or not paid for yet, everything
    else is later, because a store can only accept what is promised."""
    placed = unsettled | {it.pickup.order for it in ahead if it.deed is Deed.PLACE and it.at_ms <= at_ms}
    due: list[DueDeed] = []
    later: list[DueDeed] = []
    for it in ahead:
        waits_for_promise = it.deed is not Deed.PLACE and it.pickup.order in placed
        (later if it.at_ms > at_ms or waits_for_promise else due).append(it)
    return due, later


def _let_days_pass(state: DemoState, desk: Talk) -> None:
    """Let three more days pass for uncollected goods: the clock stops at every reminder and at the end of a window."""
    tally = state.tally
    waiting = tally.uncollected()
    if waiting:
        state.announce(f"three more days pass on the log's clock; {len(waiting)} orders wait for their customers")
    ends = sorted({desk.windows[order] for order in waiting})
    stops = sorted({end_ms - before_ms for end_ms in ends for before_ms in (*REMINDERS_MS, 0)})
    for at_ms in stops:
        state.log_clock.set_to(at_ms + MINUTE_MS)
        over = {order for order in waiting if desk.windows[order] <= at_ms}
        reminders = sum(desk.windows[order] - before_ms <= at_ms for order in waiting for before_ms in REMINDERS_MS)
        desk.wait_until(partial(tally.has, over, reminders), "from orders whose window has ended")
        desk.settle()
    state.log_clock.reset()


def handing_over(it: Pickup, secrets: Secrets) -> HandOver:
    """The hand-over of an order: the customer reads the code of the mail aloud; only its keyed hash enters the log."""
    codes = secrets.codes
    presented = codes.hash_of_code(it.order, codes.code(it.order, FIRST_CODE))
    return HandOver(store=it.store, proof=Proof.CODE, presented=presented)


def placement(it: Pickup, secrets: Secrets, contact: Mapping[str, str]) -> PlaceOrder:
    """An order as the checkout publishes it: name and contact of the customer encrypted, the code as keyed hashes."""
    customer = f"c-{it.order.lower()}"
    drawn = sum(map(ord, it.order))
    name = f"{NAMES[drawn % len(NAMES)]} {SURNAMES[drawn % len(SURNAMES)]}"
    sealed = secrets.seal(customer, {"name": name, **contact})
    code_hash, token_hash = secrets.codes.hashes(it.order, FIRST_CODE)
    return PlaceOrder(
        key=it.order,
        request=it.order,
        customer=CustomerRef(id=customer, sealed=sealed),
        store=it.store,
        lines=tuple(
            WantedLine(line=n, sku=sku, quantity=units, unit_cents=price_cents(sku))
            for n, (sku, units) in enumerate(it.lines, 1)
        ),
        currency=CURRENCY,
        allows=Allows(on_short=ShortPolicy.PARTIAL),
        code_hash=code_hash,
        token_hash=token_hash,
        payment=plan_of(it.order, it.paying) if it.paying else None,
    )
