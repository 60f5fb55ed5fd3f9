"""The customers who pay in advance: what they do when they are asked, and which payments wait for nobody but the clock.

A payment that is not decided has a next deadline: a question to the gateway, the end of a challenge, the end of the
goods' hold. The log's clock stops at each of them, because a step of the day is longer than all of these waits.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from bopis.demo.payings import Paying, other_card
from bopis.demo.pickups import Pickup
from bopis.demo.state import DemoState
from bopis.domain.message import Message
from bopis.domain.orders.events import HoldsProlonged, LinesHeld, NoticeDue, PaymentRequested
from bopis.domain.orders.vocabulary import PayBy
from bopis.domain.payments.messages import AddMethod, RecordPaidInStore
from bopis.domain.payments.state import CoverState, Payment
from bopis.names import PAYMENTS_TOPIC
from bopis.ports import Log, Publisher
from bopis.services.payments.book import PaymentBook
from bopis.wire.payments import PAYMENTS

CONFIRM_SECONDS_MAX = 10.0
LOOK_SECONDS = 0.1
# The bank is on this machine: no proxy may come between.
BROWSER = build_opener(ProxyHandler({}))


class Customers:
    """Answers for the customers whose orders are paid in advance."""

    def __init__(self, state: DemoState, publisher: Publisher, log: Log, source: str) -> None:
        self._state = state
        self._publisher = publisher
        self._source = source
        self._book = PaymentBook(log)
        self._look_due = 0.0
        self._held: set[str] = set()
        # Until when the goods of an order are to be held, as far as its store was asked.
        self._held_until: dict[str, int] = {}
        # Those who did what they were asked for: their payment is decided without another deadline.
        self._acted: set[str] = set()

    def hear(self, order: str, data: Any) -> None:
        """Take an event of an order."""
        if isinstance(data, PaymentRequested | HoldsProlonged):
            self._held_until[order] = data.hold_until_ms
        elif isinstance(data, LinesHeld):
            self._held.add(order)
        elif isinstance(data, NoticeDue):
            self._answer(order, data)

    def refresh(self) -> None:
        """Read the payments as they are now, though not more often than is useful: an old state of a payment waits for
        a deadline that the clock has passed, or makes the clock stop without need."""
        if time.monotonic() >= self._look_due:
            self._book.refresh()
            self._look_due = time.monotonic() + LOOK_SECONDS

    def wait_for_clock(self, order: str) -> bool:
        """Whether nothing happens to an order's payment before its own next deadline."""
        payment = self._book.get(order)
        if payment is None or order in self._acted or is_decided(payment) or is_under_way(payment):
            return False
        is_held = order in self._held and payment.hold_until_ms <= self._held_until.get(order, 0)
        return is_held and payment.due_ms > self._state.log_clock.now_ms()

    def next_deadline_ms(self, orders: Iterable[str]) -> int | None:
        """The next deadline of the payments of these orders that are not decided."""
        payments = [self._book.get(order) for order in orders]
        return min((it.due_ms for it in payments if it is not None and it.due_ms and not is_decided(it)), default=None)

    @property
    def are_done(self) -> bool:
        """Whether no answer of the gateway is waited for."""
        return not any(is_under_way(it) for it in self._book.all())

    def pay_at_till(self, it: Pickup, at_ms: int) -> bool:
        """Pay at the till what no method pays; False when that is nothing."""
        cents = self._state.tally.payments.to_pay_at_till(it.order)
        if cents:
            self._say(it.order, RecordPaidInStore(amount=cents, receipt=f"till-{it.order}"), f"desk/{it.store}", at_ms)
            self._state.tally.payments.paid_at_till[it.order] = cents
        return cents > 0

    def _answer(self, order: str, notice: NoticeDue) -> None:
        paying = self._state.tally.pickups[order].paying
        if order in self._acted:
            return
        if notice.reason == PayBy.LINK and paying is Paying.CONFIRMS:
            request = Request(notice.link, data=b"result=pass", method="POST")
            with BROWSER.open(request, timeout=CONFIRM_SECONDS_MAX):
                self._acted.add(order)
        elif notice.reason == PayBy.OTHER_METHOD and paying is Paying.NAMES_OTHER:
            self._say(order, AddMethod(method=other_card(order)), "web", self._state.log_clock.now_ms())
            self._publisher.flush()
            self._acted.add(order)

    def _say(self, order: str, body: AddMethod | RecordPaidInStore, device: str, at_ms: int) -> None:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        name = type(body).__name__
        message = Message(id=f"{order}/{name}", source=f"{self._source}/{device}", time=at, subject=order, data=body)
        self._publisher.publish(PAYMENTS_TOPIC, order, PAYMENTS.encode(message))


def is_decided(payment: Payment) -> bool:
    """Whether the order is promised, or ends, without another answer."""
    return payment.ending is not None or payment.cover.state is not CoverState.AUTHORISING


def is_under_way(payment: Payment) -> bool:
    """Whether a call to the gateway is under way, or the result of one that it received."""
    return any(it.asking is not None or any(step.in_flight for step in it.steps) for it in payment.attempts)
