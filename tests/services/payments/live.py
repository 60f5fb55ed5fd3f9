"""A log in memory in which payments are really decided; gateways answer when a test lets them."""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from bopis.domain.message import Message
from bopis.domain.orders import events as order_events
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.vocabulary import Amount
from bopis.domain.payments import messages as m
from bopis.domain.payments.events import CallRequested
from bopis.domain.payments.gateway import (
    CallOutcome,
    Capabilities,
    GatewayAnswer,
    GatewayCall,
    GatewayEntry,
    Operation,
    PaymentMethod,
)
from bopis.domain.payments.state import Payment
from bopis.ports import CallbackAnswer, GatewayPage, Headers, OnDelivery, Record
from bopis.services.channels import PAYMENT_REQUESTS
from bopis.services.exchange import Author, Exchange
from bopis.services.payments.book import PaymentBook
from bopis.services.payments.desk import PaymentDesk
from bopis.wire.payments import PAYMENT_CALLS, PAYMENTS
from streams.engine.processor import Poison
from streams.processors.payments import PaymentsProcessor
from tests.cli.fakes import FakeDelivery, FakeLog
from tests.domain.books import MemoryRows

TOPICS = ("payments", "payment-state", "payment-events", "payment-calls", "orders", "order-events", "dead-letters")
ORDER = "7K3M9QX2"
HOUR_MS = 3_600_000
STAMP = Stamp(device="web", actor="", at_ms=1, recorded_at_ms=1_795_000_000_000)


class LivePayments(FakeLog):
    """The real processor decides every published message before `publish` returns. `calls` wait for an answer."""

    def __init__(self) -> None:
        super().__init__(*TOPICS)
        self.calls: list[CallRequested] = []
        self._rows = MemoryRows()
        self._processor = PaymentsProcessor()
        self._to_decide: deque[Record] = deque()
        self._busy = False
        self._said = 0

    def publish(
        self,
        topic: str,
        key: str | bytes,
        value: bytes | None,
        *,
        headers: Headers = (),
        on_delivery: OnDelivery | None = None,
    ) -> FakeDelivery:
        delivery = super().publish(topic, key, value, headers=headers, on_delivery=on_delivery)
        if topic == "payments":
            where = delivery.placed
            self._to_decide.append(self.records[where.topic, where.partition][where.offset])
            self._decide()
        return delivery

    def payment(self, order: str = ORDER) -> Payment:
        row = self._rows.rows[order]
        assert isinstance(row, Payment)
        return row

    def open(self, cents: int, *methods: PaymentMethod, order: str = ORDER) -> None:
        """An order asks to be paid."""
        asked = order_events.PaymentRequested(
            stamp=STAMP,
            methods=tuple(it.token for it in methods),
            amount=Amount(cents=cents, currency="EUR"),
            plan=methods,
        )
        self.say(asked, order)

    def hand_over(self, cents: int, left: int = 0, order: str = ORDER) -> None:
        amount = Amount(cents=cents, currency="EUR")
        self.say(order_events.CaptureRequested(stamp=STAMP, amount=amount, open_cents=left), order)

    def say(self, data: Any, order: str = ORDER, source: str = "world") -> None:
        self._said += 1
        message = Message(id=f"said-{self._said}", source=source, time=self.now(), subject=order, data=data)
        self.publish("payments", order, PAYMENTS.encode(message))

    def answer(self, outcome: CallOutcome, operation: Operation = Operation.AUTHORISE, **facts: Any) -> None:
        """Answer the oldest open call of an operation."""
        asked = next(it for it in self.calls if it.call.operation is operation)
        self.calls.remove(asked)
        if outcome is CallOutcome.APPROVED:
            facts = {"reference": f"ref-{asked.call.attempt}", **facts}
        answered = m.CallAnswered(
            key=asked.call.key,
            attempt=asked.call.attempt,
            operation=operation,
            request=asked.request,
            answer=GatewayAnswer(outcome=outcome, **facts),
        )
        self.say(answered, asked.call.order, "payment-runner")

    def letters(self) -> list[Record]:
        return [it for (topic, _), records in self.records.items() if topic == "dead-letters" for it in records]

    def said(self) -> list[Message]:
        """Every message on `payments`."""
        records = [it for (topic, _), found in self.records.items() if topic == "payments" for it in found]
        return [PAYMENTS.decode(it.value or b"") for it in records]

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms / 1000, UTC)

    def _decide(self) -> None:
        if self._busy:
            return
        self._busy = True
        while self._to_decide:
            self._handle(self._to_decide.popleft())
        self._busy = False

    def _handle(self, record: Record) -> None:
        try:
            outputs = self._processor.handle(self._rows, record)  # type: ignore[arg-type]  # rows in memory
        except Poison as poison:
            facts = {"cause": str(poison), "topic": "bopis.payments", "partition": str(record.partition)}
            facts["offset"] = str(record.offset)
            headers = tuple((name, value.encode()) for name, value in facts.items())
            super().publish("dead-letters", record.key or b"", record.value, headers=headers)
            outputs = ()
        for it in outputs:
            super().publish(it.topic, it.key, it.value)
            if it.topic == "payment-calls":
                self.calls.append(PAYMENT_CALLS.decode(it.value or b"").data)
        order = (record.key or b"").decode()
        if order in self._rows.rows:
            self._append(record.partition, order.encode(), msgspec.json.encode(self._rows.rows[order]))
        self._append(record.partition, b"\x00position", msgspec.json.encode({"position": record.offset}))

    def _append(self, partition: int, key: bytes, value: bytes) -> None:
        held = self.records["payment-state", partition]
        held.append(Record("payment-state", partition, len(held), self.now_ms, key, value))


class FakeList:
    """A gateway that only has a list, in pages of two, and believes every callback that says so."""

    def __init__(self, *entries: GatewayEntry, answer: CallbackAnswer | None = None) -> None:
        self.list = list(entries)
        self.heard: list[bytes] = []
        self._answer = answer or CallbackAnswer(200, "evt-1")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(listing=True)

    async def call(self, call: GatewayCall) -> GatewayAnswer:
        raise AssertionError(f"nobody may call here: {call}")

    async def entries(self, since_ms: int, cursor: str | None = None) -> GatewayPage:
        first = int(cursor or 0)
        found = [it for it in self.list if it.created_ms >= since_ms]
        following = first + 2
        return GatewayPage(found[first:following], str(following) if following < len(found) else None)

    def callback(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> CallbackAnswer:
        self.heard.append(body)
        return self._answer

    async def close(self) -> None:
        """Nothing is open."""


def card(number: int = 1) -> PaymentMethod:
    return PaymentMethod(token=f"tok_{number}", hint=f"Visa ···· {number:04}")


def book_of(log: LivePayments) -> PaymentBook:
    book = PaymentBook(log)
    book.refresh()
    return book


def desk_of(log: LivePayments, actor: str = "kim") -> PaymentDesk:
    numbers = iter(range(1, 1_000))
    author = Author(f"desk/{actor}", actor, log.now, lambda: f"{actor}-{next(numbers)}")
    return PaymentDesk(Exchange(PAYMENT_REQUESTS, log, log, "bopis."), author, 5.0)
