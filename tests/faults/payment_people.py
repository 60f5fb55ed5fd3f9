"""Customers who pay by one to three methods, the staff who serve them, and those who decide about reviews: what they do
when they hear of something. What they say has an id that follows from what they heard."""

import random
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import httpx
import msgspec

from bopis.domain.inventory.messages import StockLine, StockReceived
from bopis.domain.message import Message
from bopis.domain.orders import events as e
from bopis.domain.orders import messages as m
from bopis.domain.orders.lines import LinePart, PickedLine, ReturnedLine, WantedLine
from bopis.domain.orders.numbers import number_from
from bopis.domain.orders.vocabulary import Allows, Consent, CustomerRef, Initiator, PayBy, Proof, Refusal, ShortPolicy
from bopis.domain.payments import messages as pm
from bopis.domain.payments.gateway import MethodKind, PaymentMethod
from bopis.domain.payments.policy import ChallengePolicy, PaymentPolicy
from bopis.services.store_directory import StoreRecord
from bopis.wire.orders import ORDERS
from bopis.wire.payments import PAYMENTS
from bopis.wire.stock import STOCK
from tests.faults.payment_ledger import LedgerFile
from tests.faults.payment_programs import PaidCrew

STORE = "S1"
PRICES = {"A": 1_100, "B": 750, "C": 333}
SUBSTITUTE, SUBSTITUTE_CENTS = "D", 1_250
UNITS, UNITS_IN_STOCK = 2, 1_000_000
CODE = "c" * 43
PICKING_MINUTES = 600_000
# Cards by what they do at the gateway; "card" does what the gateway's options draw.
CARDS = (
    *("card",) * 8,
    *("ok", "soft", "hard", "never", "data", "technical", "authenticate", "soft_then_ok"),
    *("challenge", "challenge_fail", "review", "review_reject", "timeout_after", "timeout_before"),
    *("partial_40", "late_ok", "lands_after_close", "capture_accepted", "mismatch", "gift", "in_store"),
)
# Of two exhausted customers one names another method, of three reviews one is rejected.
NAMES_ANOTHER, REJECTS_REVIEW = 2, 3
PATIENCE_S = 5.0


class Fate(StrEnum):
    """What becomes of an order, by what people do."""

    COLLECTED = "collected"
    PARTLY = "collected in two visits"
    SHORT = "one unit is missing"
    SUBSTITUTED = "a line is missing, the customer takes a dearer SKU"
    CANCELLED_AT_ONCE = "cancelled when it was placed"
    CANCELLED_EARLY = "cancelled once promised"
    CANCELLED_LATE = "cancelled once ready"
    CANCELLED_IN_PART = "a line is cancelled once promised"
    REST_CANCELLED = "collected in part, then cancelled"
    RETURNED = "collected, then a part comes back"
    NOT_COLLECTED = "nobody comes"


FATES = (*Fate, Fate.COLLECTED)


class PayingPeople:
    """Everybody who speaks to orders and payments, and what they know of them."""

    def __init__(
        self,
        crew: PaidCrew,
        count: int,
        seed: int,
        cards: tuple[str, ...] = CARDS,
        fates: tuple[Fate, ...] = FATES,
    ) -> None:
        self._crew = crew
        self._ledger = LedgerFile(crew.ledger)
        self._chance = random.Random(seed)
        self.to_place = [number_from(sha256(f"{seed}/{n}".encode()).digest()) for n in range(count)]
        self.fates = {order: fates[n % len(fates)] for n, order in enumerate(self.to_place)}
        self.methods = {order: self._wallet(order, cards) for order in self.to_place}
        self.windows: dict[str, int] = {}
        self.refused: list[tuple[str, str, str]] = []
        self.paid_cents: dict[str, int] = {}
        self.asked: set[str] = set()
        self._heard: set[str] = set()
        self._unpaid: set[str] = set()
        self._handed: set[str] = set()
        self._at_counter: dict[str, int] = {}
        self._links: dict[str, bool] = {}
        self._accepted: set[str] = set()

    def _wallet(self, order: str, cards: tuple[str, ...]) -> tuple[PaymentMethod, ...]:
        found = []
        for number in range(self._chance.randint(1, 3)):
            found.append(self._method(self._chance.choice(cards), f"{order}{number}"))
            if found[-1].kind is MethodKind.PAY_IN_STORE:
                break  # always the last one
        if found[-1].kind is MethodKind.PAY_IN_STORE:
            # What comes back would be paid back at the till, which nobody here does.
            self.fates[order] = Fate.COLLECTED
        return tuple(found)

    def _method(self, card: str, name: str) -> PaymentMethod:
        if card == "in_store":
            return PaymentMethod(kind=MethodKind.PAY_IN_STORE)
        if card == "gift":
            return PaymentMethod(kind=MethodKind.GIFT_CARD, token=f"gift_{name}_900", limit_cents=900)
        token = f"card.{name}" if card == "card" else f"tok_{card}.{name}"
        return PaymentMethod(token=token, card=token)

    def open_store(self) -> None:
        """One store with enough of everything and all the time in the world."""
        record = StoreRecord(
            store_id=STORE, name="Store", latitude=41.9, longitude=-87.6, capacity_minutes=PICKING_MINUTES
        )
        topic = f"{self._crew.prefix}stores"
        self._crew.producer.send(topic, key=STORE.encode(), value=msgspec.json.encode(record))
        lines = tuple(StockLine(sku=sku, quantity=UNITS_IN_STOCK) for sku in (*PRICES, SUBSTITUTE))
        goods = StockReceived(document="d", lines=lines)
        said = Message(id="goods", source="desk", time=datetime.now(UTC), subject=STORE, data=goods)
        self._crew.send(STORE.encode(), STOCK.encode(said))

    def place(self, order: str, *, paid: bool = True) -> None:
        """Place an order as the checkout does; not `paid`: at the till."""
        fate, skus = self.fates[order], self._chance.sample(list(PRICES), 2)
        short = ShortPolicy.SUBSTITUTE if fate is Fate.SUBSTITUTED else ShortPolicy.CANCEL_LINE
        policy = PaymentPolicy(
            unknown_patience_s=4,
            challenge_s=10,
            exhausted_hold_s=4,
            technical_wait_s=1,
            challenge=self._chance.choice(list(ChallengePolicy)),
        )
        body = m.PlaceOrder(
            key=f"k-{order}",
            request=f"r-{order}",
            customer=CustomerRef(id=f"c-{order}", sealed=""),
            store=STORE,
            lines=tuple(
                WantedLine(line=n, sku=sku, quantity=UNITS, unit_cents=PRICES[sku]) for n, sku in enumerate(skus, 1)
            ),
            allows=Allows(on_short=short, alternatives=Consent.NEVER, wait_hours=1),
            currency="EUR",
            code_hash=CODE,
            token_hash="t" * 43,
            payment=m.PaymentPlan(methods=self.methods[order], policy=policy, consent=True) if paid else None,
        )
        self._say(order, body, f"place-{order}")
        if fate is Fate.CANCELLED_AT_ONCE:
            self._say(order, m.CancelOrder(by=Initiator.CUSTOMER), f"cancel-{order}")

    def place_some(self, count: int, *, paid: bool = True) -> None:
        """Place the next orders."""
        for order in self.to_place[:count]:
            self.place(order, paid=paid)
        del self.to_place[:count]

    def hear(self, event: Message) -> None:
        """Take a conclusion, once, and do what follows from it."""
        if event.id in self._heard or event.subject not in self.fates:
            return
        self._heard.add(event.id)
        order, data = event.subject, event.data
        cause = sha256(event.id.encode()).hexdigest()[:24]
        for number, body in enumerate((*self._answers(order, data), *self._payments(order, data))):
            self._say(order, body, f"{cause}/{number}")

    def act(self) -> bool:
        """Open links and decide reviews, as far as the gateway can be reached; whether nothing is left to do."""
        reviews = self._ledger.refresh().reviews
        for ref, order in reviews.items():
            is_good = sum(order.encode()) % REJECTS_REVIEW > 0
            self._post(f"{self._crew.gateway_url}/reviews/{ref}", "approve" if is_good else "reject")
        for link, is_open in list(self._links.items()):
            if is_open and self._post(link, "result=pass"):
                self._links[link] = False
        return not reviews and not any(self._links.values())

    def _post(self, url: str, body: str) -> bool:
        try:
            return httpx.post(url, content=body, timeout=PATIENCE_S).status_code in (200, 409)
        except httpx.HTTPError:
            return False

    def _answers(self, order: str, data: Any) -> list[Any]:
        fate = self.fates[order]
        match data:
            case e.OrderPromised() if fate is Fate.CANCELLED_EARLY:
                return [m.CancelOrder(by=Initiator.CUSTOMER)]
            case e.OrderPromised() if fate is Fate.CANCELLED_IN_PART and order not in self._accepted:
                return [m.CancelOrder(by=Initiator.CUSTOMER, lines=(2,)), *self._prepare(order, (1,))]
            case e.OrderPromised():
                return self._prepare(order, data.lines)
            case e.LinesFreed() if fate is Fate.SUBSTITUTED:
                return [m.OfferSubstitute(line=it, sku=SUBSTITUTE, unit_cents=SUBSTITUTE_CENTS) for it in data.lines]
            case e.SubstituteOffered():
                return [m.AcceptSubstitute(line=data.line)]
            case e.OrderReady() if fate is Fate.CANCELLED_LATE:
                return [m.CancelOrder(by=Initiator.CUSTOMER)]
            case e.OrderReady():
                self.windows[order] = data.window_end_ms
                return [] if fate is Fate.NOT_COLLECTED else [self._hand_over(order)]
            case e.OrderHandedOver():
                return self._after_hand_over(order, data)
            case e.CommandRefused():
                self.refused.append((order, data.command, data.reason.value))
                if data.reason is Refusal.UNPAID:
                    self._unpaid.add(order)
            case e.PaymentAnswered() if order in self._unpaid:
                self._unpaid.discard(order)
                return [self._hand_over(order)]
        return []

    def _payments(self, order: str, data: Any) -> list[Any]:
        """What is said to the payment: another method, or that it was paid at the till."""
        if isinstance(data, e.PaymentAnswered):
            if data.at_counter_cents != self._at_counter.get(order, 0):
                self.paid_cents.setdefault(order, 0)
            self._at_counter[order] = data.at_counter_cents
        if isinstance(data, e.PaymentAnswered | e.OrderReady) and order in self.windows and self._at_counter.get(order):
            cents = self._at_counter.pop(order)
            self.paid_cents[order] += cents
            return [pm.RecordPaidInStore(amount=cents, receipt=f"till-{order}")]
        if isinstance(data, e.NoticeDue) and data.due_cents and data.reason in (PayBy.LINK, PayBy.OTHER_METHOD):
            self.asked.add(order)
            if data.link:
                self._links.setdefault(data.link, True)
            elif sum(order.encode()) % NAMES_ANOTHER:
                return [pm.AddMethod(method=self._method("ok", f"{order}.{len(self._heard)}"))]
        return []

    def _after_hand_over(self, order: str, data: e.OrderHandedOver) -> list[Any]:
        fate, is_first = self.fates[order], order not in self._handed
        self._handed.add(order)
        if fate is Fate.RETURNED and is_first:
            lines = tuple(ReturnedLine(line=it.line, quantity=1) for it in data.lines[:1])
            return [m.ReturnInStore(store=STORE, lines=lines)]
        if fate is Fate.PARTLY and is_first:
            return [self._hand_over(order)]
        if fate is Fate.REST_CANCELLED and is_first:
            return [m.CancelOrder(by=Initiator.CUSTOMER)]
        return []

    def _hand_over(self, order: str) -> m.HandOver:
        in_part = self.fates[order] in (Fate.PARTLY, Fate.REST_CANCELLED) and order not in self._handed
        parts = (LinePart(line=1, quantity=1),) if in_part else ()
        return m.HandOver(store=STORE, proof=Proof.CODE, presented=CODE, parts=parts)

    def _prepare(self, order: str, lines: tuple[int, ...]) -> list[Any]:
        fate = self.fates[order]
        is_first = order not in self._accepted
        missing = {Fate.SHORT: 1, Fate.SUBSTITUTED: UNITS}.get(fate, 0) if is_first else 0
        picks = [PickedLine(line=it, picked=UNITS) for it in lines]
        picks[-1] = PickedLine(line=lines[-1], picked=UNITS - missing, missing=missing)
        # A substitute joins what the store has accepted.
        accepts = [m.AcceptPick(store=STORE)] * is_first
        self._accepted.add(order)
        return [*accepts, m.RecordPick(store=STORE, lines=tuple(picks)), m.StageOrder(store=STORE, location="R1")]

    def _say(self, order: str, body: Any, said_as: str) -> None:
        said = Message(id=said_as, source="people", time=datetime.now(UTC), subject=order, data=body)
        is_payment = isinstance(body, pm.AddMethod | pm.RecordPaidInStore)
        topic, family = ("payments", PAYMENTS) if is_payment else ("orders", ORDERS)
        self._crew.producer.send(f"{self._crew.prefix}{topic}", key=order.encode(), value=family.encode(said))
