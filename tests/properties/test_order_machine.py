"""Orders and the real inventory together: any interleaving of people, tills, delays, repeats and restarts.

The machine generates, `OrderJudge` and the inventory's `Audit` judge; they share no code with the cores.
"""

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bopis.domain.inventory.messages import Condition, PosSale, ReleaseStock, SaleLine
from bopis.domain.inventory.rows import Level, row_type, split_key
from bopis.domain.orders import messages as m
from bopis.domain.orders.lines import LinePart, PickedLine, ReturnedLine, WantedLine
from bopis.domain.orders.state import ENDED, Order
from bopis.domain.orders.timers import next_due_ms
from bopis.domain.orders.vocabulary import Allows, Consent, Document, Initiator, Proof, RejectReason, ShortPolicy
from bopis.domain.sourcing.decision import Answer, AssignedLine, RoutingOutcome, Rung
from bopis.domain.sourcing.request import Component, Request
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS, epoch_ms
from bopis.verification.audit import Audit
from bopis.wire.orders import ORDERS
from bopis.wire.stock import INVENTORY_EVENTS, STOCK
from streams.processors.inventory import conclusions as stock_conclusions
from tests.domain.books import MemoryRows
from tests.domain.orders.world import S1, S2, OrderRows, World, assignment, number, placement, to_first_free
from tests.properties.order_judge import OrderJudge

STOCK_NOW = {S1: {"A": 4, "B": 3}, S2: {"A": 3, "B": 2}}
KIT = (Component(sku="A", quantity=1), Component(sku="B", quantity=2))
ORDERS_MAX = 4
# An older sale without a sequence is parked: a repeat of it could not be told.
SALE_AGE_MS_MAX = 30 * DAY_MS
stores = st.sampled_from([S1, S2])
orders = st.integers(1, ORDERS_MAX)
lines = st.integers(1, 3)
wishes = st.builds(
    Allows,
    alternatives=st.sampled_from(Consent),
    substitutes=st.sampled_from(Consent),
    partial=st.booleans(),
    on_short=st.sampled_from(ShortPolicy),
    wait_hours=st.sampled_from([0, 0, 5]),
)
baskets = st.lists(st.tuples(st.sampled_from(["A", "B", "kit"]), st.integers(1, 3)), min_size=1, max_size=2)


class Delayed(World):
    """Nothing happens by itself: each processor takes its next record when the machine says so."""

    def __init__(self) -> None:
        self.questions: list[Any] = []
        super().__init__({})

    def run(self) -> None:
        pass

    def ask_routing(self, event: Any) -> None:
        self.questions.append(event)


class Orders(RuleBasedStateMachine):
    """Four orders, two stores, two SKUs and a kit of both."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Delayed()
        self.judge = OrderJudge()
        self.audit = Audit()
        self.heard = 0
        self.delivered: list[bytes] = []
        self.sales = 0
        self.moved: dict[tuple[str, str], int] = {}
        for store, levels in STOCK_NOW.items():
            for sku, units in levels.items():
                self._till(store, sku, -units)

    def _till(self, store: str, sku: str, units: int) -> None:
        self.sales += 1
        sale = PosSale(basket=f"b{self.sales}", lines=(SaleLine(sku, units),))
        self.world.tell_stock(store, sale)

    # What people do

    @rule(n=orders, basket=baskets, allows=wishes, card=st.booleans())
    def a_customer_orders(self, n: int, basket: list[tuple[str, int]], allows: Allows, card: bool) -> None:
        wanted = tuple(
            WantedLine(line=place, sku=sku, quantity=units, components=KIT if sku == "kit" else (), unit_cents=5)
            for place, (sku, units) in enumerate(basket, 1)
        )
        methods = ("card",) if card else ()
        self.world.tell(placement(n, lines=wanted, allows=allows, methods=methods), number(n))

    @rule(n=orders, store=stores, reason=st.sampled_from(RejectReason), which=st.integers(0, 8))
    def staff_work(self, n: int, store: str, reason: RejectReason, which: int) -> None:
        said: list[Any] = [
            m.AcceptPick(store=store),
            m.AcceptPick(store=store),
            m.StartPicking(store=store),
            m.StageOrder(store=store, location="R1"),
            m.StageOrder(store=store, location="R2"),
            m.CustomerArrived(store=store),
            m.RejectPick(store=store, reason=reason),
            m.StoreWithdrawn(store=store, closing=which % 2 == 0),
            m.StockAppeared(store=store),
        ]
        self.world.tell(said[which], number(n))

    @rule(n=orders, missing=st.integers(0, 2))
    def staff_pick(self, n: int, missing: int) -> None:
        """What is picked fits what the order asks for at this moment; it may not by the time it arrives."""
        for line in self._lines(n, {"accepted", "picking"}):
            found = []
            for part in line.parts:
                units = part.quantity * line.quantity
                gone = min(units, missing)
                found.append(PickedLine(line=line.line, sku=part.sku, picked=units - gone, missing=gone))
                missing = 0
            self.world.tell(m.RecordPick(store=line.store, lines=tuple(found)), number(n))

    @rule(n=orders, lines=st.sampled_from([(), (), (1,), (2,)]), proof=st.sampled_from(Proof), right=st.booleans())
    def goods_are_handed_over(self, n: int, lines: tuple[int, ...], proof: Proof, right: bool) -> None:
        presented = f"right-{proof.value}" if right else "wrong"
        for store in (S1, S2):
            given = m.HandOver(store=store, lines=lines, proof=proof, presented=presented, document=Document.PASSPORT)
            self.world.tell(given, number(n))

    @rule(n=orders, line=lines, which=st.integers(0, 5), store=stores)
    def somebody_changes_their_mind(self, n: int, line: int, which: int, store: str) -> None:
        said: list[Any] = [
            m.OfferSubstitute(line=line, sku="B"),
            m.AcceptSubstitute(line=line),
            m.RefuseSubstitute(line=line),
            m.AcceptAlternative(attempt=line, store=store),
            m.RefuseAlternative(attempt=line),
            m.WithdrawReady(store=store, lines=(line,)),
        ]
        self.world.tell(said[which], number(n))

    @rule(n=orders, lines=st.sampled_from([(), (1,), (2,), (3,)]), by=st.sampled_from(Initiator))
    def somebody_cancels(self, n: int, lines: tuple[int, ...], by: Initiator) -> None:
        self.world.tell(m.CancelOrder(by=by, lines=lines), number(n))

    @rule(n=orders, store=stores, by=st.sampled_from(Initiator))
    def somebody_wants_another_store(self, n: int, store: str, by: Initiator) -> None:
        self.world.tell(m.MoveOrder(store=store, by=by), number(n))

    @rule(n=orders, line=st.integers(1, 4), units=st.integers(1, 2), which=st.integers(0, 3), store=stores)
    def a_part_of_a_line_goes_its_own_way(self, n: int, line: int, units: int, which: int, store: str) -> None:
        parts = (LinePart(line=line, quantity=units),)
        said: list[Any] = [
            m.CancelOrder(by=Initiator.CUSTOMER, parts=parts),
            m.HandOver(store=store, proof=Proof.IDENTITY, document=Document.PASSPORT, parts=parts),
            m.RejectPick(store=store, reason=RejectReason.NOT_FOUND, parts=parts),
            m.WithdrawReady(store=store, parts=parts),
        ]
        self.world.tell(said[which], number(n))

    @rule(n=orders, which=st.integers(0, 2))
    def the_payment_answers(self, n: int, which: int) -> None:
        said = [m.PaymentAuthorised(method="card"), m.PaymentDeclined(method="card"), m.PaymentExhausted()]
        self.world.tell(said[which], number(n))

    @rule(n=orders, line=lines, store=stores, condition=st.sampled_from(Condition))
    def goods_come_back(self, n: int, line: int, store: str, condition: Condition) -> None:
        back = ReturnedLine(line=line, quantity=1, condition=condition)
        self.world.tell(m.ReturnInStore(store=store, lines=(back,)), number(n))

    @rule(store=stores, sku=st.sampled_from(["A", "B"]), units=st.sampled_from([1, 1, 2, -1, -2]))
    def a_till_sells(self, store: str, sku: str, units: int) -> None:
        self._till(store, sku, units)

    @rule(n=orders)
    def somebody_else_gives_a_hold_back(self, n: int) -> None:
        for line in self._lines(n, {"held", "promised", "picking", "ready"}):
            self.world.tell_stock(line.store, ReleaseStock(hold=line.hold or "none"))

    # What the machinery does

    @precondition(lambda self: self.world.to_orders)
    @rule(count=st.integers(1, 6))
    def orders_are_decided(self, count: int) -> None:
        for _ in range(min(count, len(self.world.to_orders))):
            value = self.world.to_orders.popleft()
            if ORDERS.decode(value).subject in self.world.orders.rows:  # what nobody placed remembers nothing
                self.delivered.append(value)
            self.world.deliver_order(value)
            self._hear()

    @precondition(lambda self: self.world.to_stock)
    @rule(count=st.integers(1, 6))
    def stock_is_decided(self, count: int) -> None:
        for _ in range(min(count, len(self.world.to_stock))):
            self._take_stock()

    @precondition(lambda self: self.world.questions)
    @rule(kind=st.sampled_from(["first", "first", "offer", "split", "nowhere"]))
    def routing_answers(self, kind: str) -> None:
        event = self.world.questions.pop(0)
        self.world.routing = ROUTINGS[kind]
        self.world.to_orders.append(self.world.routed(event))

    @precondition(lambda self: self.delivered)
    @rule(index=st.integers(0, 10_000))
    def the_log_says_it_again(self, index: int) -> None:
        value = self.delivered[index % len(self.delivered)]
        data = ORDERS.decode(value).data
        before = dict(self.world.orders.rows)
        again = self.world.deliver_order(value)
        if isinstance(data, m.OrderTick | m.PlaceOrder):
            self._hear()
            return

        assert again is None or not again.events
        assert self.world.orders.rows == before
        self._hear()

    @rule(ms=st.sampled_from([1, MINUTE_MS, 11 * MINUTE_MS, 3 * HOUR_MS, DAY_MS, 4 * DAY_MS]))
    def time_passes(self, ms: int) -> None:
        self.world.now_ms += ms

    @rule()
    def the_timers_tick(self) -> None:
        self.world.tick()

    @rule()
    def both_workers_restart(self) -> None:
        """All that survives is what the changelogs keep: the rows as bytes."""
        rows = OrderRows()
        for key, row in self.world.orders.rows.items():
            rows.rows[key] = msgspec.json.decode(msgspec.json.encode(row), type=Order)
            assert rows.rows[key] == row
            if row.due_ms:
                rows.deadlines[key] = row.due_ms
        self.world.orders = rows
        stock = MemoryRows()
        for key, kept in self.world.stores.rows.items():
            stock.rows[key] = msgspec.json.decode(msgspec.json.encode(kept), type=row_type(key))
            if due := getattr(kept, "due_ms", 0):
                stock.deadlines[key] = due
        self.world.stores = stock

    @invariant()
    def no_deadline_is_forgotten(self) -> None:
        for key, row in self.world.orders.rows.items():
            assert row.due_ms == next_due_ms(row)
            assert self.world.orders.deadlines.get(key, 0) == row.due_ms

    @invariant()
    def a_row_tells_what_the_events_told(self) -> None:
        for row in self.world.orders.rows.values():
            for line in row.lines:
                assert (line.state in ENDED) == ((row.order, line.line) in self.judge.ended)
                assert self.judge.quantity[row.order, line.line] == line.quantity

    def teardown(self) -> None:
        """Let everything come to rest: what is under way arrives, every deadline passes, nothing hangs."""
        for passing_ms in (0, 0, 5 * DAY_MS, 30 * DAY_MS, 30 * DAY_MS, *[16 * MINUTE_MS] * 7, 6 * HOUR_MS):
            self._come_to_rest()
            self.world.now_ms += passing_ms
            self.world.tick()
        self._come_to_rest()
        live = {
            (row.order, line.line): line.state not in ENDED
            for row in self.world.orders.rows.values()
            for line in row.lines
        }
        on_hand = {
            (split_key(key)[1], split_key(key)[2]): row.on_hand
            for key, row in self.world.stores.rows.items()
            if isinstance(row, Level)
        }

        self.judge.at_rest(live, on_hand, self.moved)
        assert self.audit.violations(self.world.stores.rows.items()) == []
        for row in self.world.orders.rows.values():
            in_hand = [it for it in row.lines if it.state in {"accepted", "picking", "picked", "staged"}]
            assert in_hand or not row.live, f"hangs: {row}"

    def _come_to_rest(self) -> None:
        self.world.routing = to_first_free
        for _ in range(2_000):
            if self.world.to_orders:
                self.world.deliver_order(self.world.to_orders.popleft())
                self._hear()
            elif self.world.to_stock:
                self._take_stock()
            elif self.world.questions:
                self.world.to_orders.append(self.world.routed(self.world.questions.pop(0)))
            else:
                return
        raise AssertionError("the orders never come to rest")

    def _take_stock(self) -> None:
        value = self.world.to_stock.popleft()
        message = STOCK.decode(value)
        self.audit.message(message, self.world.now_ms)
        before = len(self.world.stock_events)
        self.world.deliver_stock(value)
        if isinstance(message.data, PosSale) and self.world.now_ms - epoch_ms(message.time) <= SALE_AGE_MS_MAX:
            for line in message.data.lines:
                cell = message.subject, line.sku
                self.moved[cell] = self.moved.get(cell, 0) - line.quantity
        concluded = self.world.stock_events[before:]
        for output in stock_conclusions(message, self.world.now_ms, concluded):
            if output.topic == "inventory-events":
                self.audit.event(INVENTORY_EVENTS.decode(output.value))
        for _, event in concluded:
            self.judge.stock_event(event)

    def _hear(self) -> None:
        for order, event in self.world.events[self.heard :]:
            self.judge.order_event(order, event)
        self.heard = len(self.world.events)

    def _lines(self, n: int, states: set[str]) -> list[Any]:
        row = self.world.orders.rows.get(number(n))
        return [] if row is None else [it for it in row.lines if it.state in states]


def in_halves(request: Request, now_ms: int) -> Answer:
    """The first unit of each line here, the rest there."""
    here = tuple(AssignedLine(line=it.line, quantity=1) for it in request.lines)
    there = tuple(AssignedLine(line=it.line, quantity=it.quantity - 1) for it in request.lines if it.quantity > 1)
    assigned = [assignment(request, S1, now_ms, lines=here)]
    if there:
        assigned.append(assignment(request, S2, now_ms, lines=there))
    return Answer(rung=Rung.SPLIT, outcome=RoutingOutcome.ROUTED, assignments=tuple(assigned))


def an_offer(request: Request, now_ms: int) -> Answer:
    offers = tuple(assignment(request, store, now_ms) for store in (S2, S1))
    return Answer(rung=Rung.ALTERNATIVE, outcome=RoutingOutcome.OFFERED, offers=offers)


def no_store(request: Request, now_ms: int) -> Answer:
    return Answer(rung=Rung.REFUSE, outcome=RoutingOutcome.REFUSED)


ROUTINGS = {"first": to_first_free, "offer": an_offer, "split": in_halves, "nowhere": no_store}

TestOrders = Orders.TestCase
TestOrders.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=timedelta(seconds=20),
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
