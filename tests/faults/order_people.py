"""Customers and staff of two stores: what each order is placed for, and what people do when they hear of it.

Everything is said under an id that follows from what was heard, so that a conclusion which stands twice in the log is
answered once.
"""

from collections import Counter
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec

from bopis.adapters.secrets.vault import Vault
from bopis.domain.inventory.messages import StockLine, StockReceived
from bopis.domain.message import Message
from bopis.domain.orders import events as e
from bopis.domain.orders import messages as m
from bopis.domain.orders.lines import PickedLine, WantedLine
from bopis.domain.orders.numbers import number_from
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Allows, Consent, CustomerRef, Initiator, Proof, RejectReason, ShortPolicy
from bopis.services.store_directory import StoreRecord
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.stock import STOCK
from tests.faults.crew import Crew

S1, S2 = "S1", "S2"
STORES = (S1, S2)
SKUS = ("A", "B", "C")
SUBSTITUTE, NOWHERE = "D", "NOWHERE"
UNITS = 5_000
LINE_UNITS = 2
ENDS = (e.OrderHandedOver, e.OrderCancelled, e.OrderExpired)


class Fate(StrEnum):
    """What becomes of an order, by what people do."""

    COLLECTED = "collected"
    EARLY = "arrives before it is ready"
    SHORT = "one unit is missing"
    SUBSTITUTED = "a line is missing, the customer takes another SKU"
    REJECTED = "its store has no time, another one serves it"
    CANCELLED_EARLY = "cancelled once promised"
    CANCELLED_LATE = "cancelled once ready"
    NOT_COLLECTED = "nobody comes"
    UNSERVED = "no store has it"


FATES = (*Fate, Fate.COLLECTED)
ENDS_AS = {
    Fate.CANCELLED_EARLY: LineState.CANCELLED,
    Fate.CANCELLED_LATE: LineState.CANCELLED,
    Fate.NOT_COLLECTED: LineState.EXPIRED,
    Fate.UNSERVED: LineState.CANCELLED,
}


class People:
    """Everybody who speaks to orders, and what they know of them."""

    def __init__(self, crew: Crew, vault: Vault, count: int) -> None:
        self._crew = crew
        self._vault = vault
        self.fates = {number_from(sha256(f"{n}".encode()).digest()): FATES[n % len(FATES)] for n in range(count)}
        self.ended: set[str] = set()
        self.windows: dict[str, int] = {}
        self.said: set[str] = set()
        self.refused: list[Any] = []
        self._heard: set[str] = set()
        self._accepted: set[tuple[str, str]] = set()
        self._open: Counter[str] = Counter()

    def open_stores(self) -> None:
        """Two stores with enough of everything but what nobody has."""
        for store in STORES:
            place = {"latitude": 41.9, "longitude": -87.6}
            record = StoreRecord(store_id=store, name=f"Store {store}", time_zone="America/Chicago", **place)
            self._crew.producer.send(
                f"{self._crew.prefix}stores", key=store.encode(), value=msgspec.json.encode(record)
            )
            lines = tuple(StockLine(sku=sku, quantity=UNITS) for sku in (*SKUS, SUBSTITUTE))
            goods = StockReceived(document="d", lines=lines)
            said = Message(id=f"goods-{store}", source="desk", time=datetime.now(UTC), subject=store, data=goods)
            self._crew.send(store.encode(), STOCK.encode(said))

    def place(self, order: str) -> None:
        """Place an order as the checkout does, its customer sealed."""
        fate, number = self.fates[order], len(self.said)
        customer = f"c-{order}"
        sealed = self._vault.seal(customer, {"name": f"Customer of {order}", "email": f"{order.lower()}@example.org"})
        code_hash, token_hash = self._vault.codes.hashes(order, 1)
        short = ShortPolicy.SUBSTITUTE if fate is Fate.SUBSTITUTED else ShortPolicy.PARTIAL
        elsewhere = Consent.AUTOMATIC if fate is Fate.REJECTED else Consent.NEVER
        skus = (NOWHERE,) if fate is Fate.UNSERVED else (SKUS[number % 3], SKUS[(number + 1) % 3])
        body = m.PlaceOrder(
            key=f"k-{order}",
            request=f"r-{order}",
            customer=CustomerRef(id=customer, sealed=sealed),
            store=S1,
            lines=tuple(WantedLine(line=n, sku=sku, quantity=LINE_UNITS) for n, sku in enumerate(skus, 1)),
            # Routing may not have heard of the goods yet when the first orders come: those wait until it has.
            allows=Allows(on_short=short, alternatives=elsewhere, wait_hours=int(fate is not Fate.UNSERVED)),
            code_hash=code_hash,
            token_hash=token_hash,
        )
        for wanted in body.lines:
            self._open[order] += wanted.quantity
        self._say(order, body, f"place-{order}")

    def hear(self, event: Message) -> None:
        """Take a conclusion, once, and do what follows from it."""
        if event.id in self._heard:
            return
        self._heard.add(event.id)
        data = event.data
        if isinstance(data, e.CommandRefused):
            self.refused.append((event.subject, self.fates[event.subject], data.command, data.reason))
        if isinstance(data, ENDS):
            self._end(event.subject, data)
        if isinstance(data, e.PickAccepted):
            self._accepted.add((event.subject, data.store))
        if isinstance(data, e.OrderReady):
            self.windows[event.subject] = data.window_end_ms
        for number, body in enumerate(self._answers(event.subject, data)):
            self._say(event.subject, body, f"{sha256(event.id.encode()).hexdigest()[:24]}/{number}")

    def _end(self, order: str, data: Any) -> None:
        """An order has ended once every unit that was ordered has."""
        if isinstance(data, e.OrderHandedOver):
            self._open[order] -= sum(it.quantity for it in data.lines)
            if not self._open[order]:
                self.ended.add(order)
        elif data.reason.value != "short" if isinstance(data, e.OrderCancelled) else True:
            self.ended.add(order)
        else:
            self._open[order] -= 1  # one unit is missing in a short pick

    def _answers(self, order: str, data: Any) -> list[Any]:
        fate = self.fates[order]
        match data:
            case e.OrderPromised() if fate is Fate.CANCELLED_EARLY:
                return [m.CancelOrder(by=Initiator.CUSTOMER)]
            case e.OrderPromised() if fate is Fate.REJECTED and data.store == S1:
                return [m.RejectPick(store=S1, reason=RejectReason.TOO_BUSY)]
            case e.OrderPromised():
                return self._prepare(order, data)
            case e.LinesFreed() if fate is Fate.SUBSTITUTED:
                return [m.OfferSubstitute(line=it, sku=SUBSTITUTE) for it in data.lines]
            case e.SubstituteOffered():
                return [m.AcceptSubstitute(line=data.line)]
            case e.OrderReady() if fate is Fate.CANCELLED_LATE:
                return [m.CancelOrder(by=Initiator.CUSTOMER)]
            case e.OrderReady() if fate is not Fate.NOT_COLLECTED:
                presented, _ = self._vault.codes.hashes(order, 1)
                return [m.CustomerArrived(store=data.store)] * (fate is not Fate.EARLY) + [
                    m.HandOver(store=data.store, proof=Proof.CODE, presented=presented)
                ]
        return []

    def _prepare(self, order: str, data: e.OrderPromised) -> list[Any]:
        fate, store = self.fates[order], data.store
        missing = {Fate.SHORT: 1, Fate.SUBSTITUTED: LINE_UNITS}.get(fate, 0) if 2 in data.lines else 0
        picks = [PickedLine(line=it, picked=LINE_UNITS) for it in data.lines]
        picks[0] = PickedLine(line=data.lines[0], picked=LINE_UNITS - missing, missing=missing)
        early = [m.CustomerArrived(store=store)] * (fate is Fate.EARLY)
        # A substitute joins what the store has accepted.
        accepts = [m.AcceptPick(store=store)] * ((order, store) not in self._accepted)
        return [
            *early,
            *accepts,
            m.RecordPick(store=store, lines=tuple(picks)),
            m.StageOrder(store=store, location="R1"),
        ]

    def _say(self, order: str, body: Any, told_as: str) -> None:
        said = Message(id=told_as, source="people", time=datetime.now(UTC), subject=order, data=body)
        self.said.add(said.cause)
        self._crew.producer.send(f"{self._crew.prefix}orders", key=order.encode(), value=ORDERS.encode(said))


def heard(value: bytes | None) -> Message:
    """A conclusion as it stands in the log."""
    return ORDER_EVENTS.decode(value or b"")
