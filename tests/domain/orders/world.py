"""Orders and stores under test: both real cores over plain queues, with a routing that answers as it is told."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.messages import StockLine, StockReceived, StockTick
from bopis.domain.inventory.rows import Level, level_key
from bopis.domain.inventory.step import step as stock_step
from bopis.domain.message import Message
from bopis.domain.orders import messages as m
from bopis.domain.orders.events import Event, RoutingRequested
from bopis.domain.orders.lines import WantedLine
from bopis.domain.orders.numbers import number_from
from bopis.domain.orders.state import Line, Order
from bopis.domain.orders.step import StepResult
from bopis.domain.orders.step import step as order_step
from bopis.domain.orders.vocabulary import Allows, CustomerRef
from bopis.domain.repeats import RecordIdentity
from bopis.domain.sourcing.decision import Answer, AssignedLine, Assignment, Decision, RoutingOutcome, Rung
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from bopis.wire.orders import ORDERS, identity
from bopis.wire.stock import STOCK
from streams.processors.inventory import conclusions as stock_conclusions
from streams.processors.orders import conclusions as order_conclusions
from tests.domain.books import NOON_MS, MemoryRows, at

S1, S2 = "S1", "S2"
RULES = RuleSet()
READY_MS = 2 * HOUR_MS
Routing = Callable[[Request, int], Answer]


class OrderRows(MemoryRows):
    """The rows of orders in a dict."""

    rows: dict[str, Any]


def number(n: int = 1) -> str:
    """An order number for the n-th order of a test."""
    return number_from(n.to_bytes(5, "big"))


def assignment(request: Request, store: str, now_ms: int, **changes: Any) -> Assignment:
    """A store that takes all lines of a request, ready in two hours; it closes every day at the same time."""
    fields: dict[str, Any] = {
        "store": store,
        "lines": tuple(AssignedLine(line=it.line, quantity=it.quantity) for it in request.lines),
        "ready_by_ms": now_ms + READY_MS,
        "accept_by_ms": now_ms + 15 * MINUTE_MS,
        "work_minutes": 10,
        "closings": tuple(now_ms - now_ms % DAY_MS + 20 * HOUR_MS + day * DAY_MS for day in range(-1, 13)),
    }
    return Assignment(**{**fields, **changes})


def to_first_free(request: Request, now_ms: int) -> Answer:
    """The chosen store, or the other one when it is excluded for anything that is asked."""
    skus = {part.sku for line in request.lines for part in line.parts}
    barred = {it.store for it in request.excluded if not it.skus or skus & set(it.skus)}
    for store in dict.fromkeys([request.store or S1, S1, S2]):
        if store not in barred:
            assigned = (assignment(request, store, now_ms),)
            return Answer(rung=Rung.CHOSEN, outcome=RoutingOutcome.ROUTED, assignments=assigned)
    return nowhere(request, now_ms)


def nowhere(request: Request, now_ms: int) -> Answer:
    """No store at all."""
    return Answer(rung=Rung.REFUSE, outcome=RoutingOutcome.REFUSED)


class World:
    """Says messages, delivers what follows from them until nothing is under way, and remembers every conclusion."""

    def __init__(self, stock: Mapping[str, Mapping[str, int]] | None = None, routing: Routing = to_first_free) -> None:
        self.now_ms = NOON_MS
        self.routing = routing
        self.orders = OrderRows()
        self.stores = MemoryRows()
        self.events: list[tuple[str, Event]] = []
        self.to_orders: deque[bytes] = deque()
        self.to_stock: deque[bytes] = deque()
        self.to_payments: deque[bytes] = deque()
        self.stock_said: list[Message] = []
        self.stock_events: list[tuple[str, Any]] = []
        self.refuses: list[str] = []
        self.stock_is_away = False
        self._said = 0
        for store, levels in ({S1: {"A": 10, "B": 10}, S2: {"A": 10, "B": 10}} if stock is None else stock).items():
            lines = tuple(StockLine(sku=sku, quantity=units) for sku, units in levels.items() if units)
            if lines:
                self.tell_stock(store, StockReceived(document="opening", lines=lines))

    # Saying

    def tell(self, data: Any, order: str = "", **header: Any) -> list[Event]:
        """Say something to an order and let everything that follows happen; what followed from all of it."""
        before = len(self.events)
        self.to_orders.append(ORDERS.encode(self.message(data, order or number(), **header)))
        self.run()
        return [event for _, event in self.events[before:]]

    def tell_stock(self, store: str, data: Any, **header: Any) -> None:
        self.to_stock.append(STOCK.encode(self.message(data, store, **header)))
        self.run()

    def message(self, data: Any, subject: str, **header: Any) -> Message:
        self._said += 1
        fields = {"id": f"m{self._said}", "source": "desk", "time": at(self.now_ms), "actor": "kim"}
        return Message(data=data, subject=subject, **{**fields, **header})

    def place(self, n: int = 1, **changes: Any) -> list[Event]:
        """Place an order: two of A for the first store, unless told otherwise."""
        return self.tell(placement(n, **changes), number(n))

    # Time and delivery

    def wait(self, ms: int) -> list[Event]:
        """Time passes, and whatever is due is told by the log's clock."""
        before = len(self.events)
        self.now_ms += ms
        self.tick()
        return [event for _, event in self.events[before:]]

    def tick(self) -> None:
        for key in self.orders.due(self.now_ms):
            self.to_orders.append(ORDERS.encode(self.message(m.OrderTick(at=at(self.now_ms)), key, source="orders")))
        if self.stores.due(self.now_ms):
            self.to_stock.append(STOCK.encode(self.message(StockTick(at=at(self.now_ms)), "-", source="inventory")))
        self.run()

    def run(self) -> None:
        while self.to_orders or (self.to_stock and not self.stock_is_away):
            if self.to_orders:
                self.deliver_order(self.to_orders.popleft())
            else:
                self.deliver_stock(self.to_stock.popleft())

    def stock_comes_back(self) -> list[Event]:
        """The inventory was away for a while; now it takes what was said to it meanwhile."""
        before = len(self.events)
        self.stock_is_away = False
        self.run()
        return [event for _, event in self.events[before:]]

    def deliver_order(self, value: bytes) -> StepResult | None:
        """The log appends a record and the core takes it; None if it is parked."""
        message = ORDERS.decode(value)
        arrival = RecordIdentity(recorded_at_ms=self.now_ms, identity=identity(message), digest=crc32(value))
        try:
            concluded = order_step(self.orders, message, arrival)
        except Rejected as rejected:
            self.refuses.append(str(rejected))
            return None
        self.events += [(message.subject, event) for event in concluded.events]
        order = self.orders.rows.get(message.subject)
        for output in order_conclusions(message, concluded, has_payment=order is not None and bool(order.methods)):
            if output.topic == "stock":
                self.to_stock.append(output.value)
            elif output.topic == "payments":
                self.to_payments.append(output.value)
        for event in concluded.events:
            if isinstance(event, RoutingRequested):
                self.ask_routing(event)
        return concluded

    def ask_routing(self, event: RoutingRequested) -> None:
        """Routing answers at once."""
        self.to_orders.append(self.routed(event))

    def deliver_stock(self, value: bytes) -> None:
        message = STOCK.decode(value)
        self.stock_said.append(message)
        try:
            concluded = stock_step(self.stores, message, self.now_ms, value)
        except Rejected as rejected:
            self.refuses.append(str(rejected))
            return
        self.stock_events += concluded
        for output in stock_conclusions(message, self.now_ms, concluded):
            if output.topic == "orders":
                self.to_orders.append(output.value)

    def routed(self, event: RoutingRequested) -> bytes:
        """What routing answers."""
        answer = self.routing(event.request, self.now_ms)
        decision = Decision(
            order=event.request.order,
            attempt=event.attempt,
            decided_at_ms=self.now_ms,
            digest=f"d{event.attempt}",
            request=event.request,
            facts=(),
            rules=RULES,
            answer=answer,
        )
        found = answer.outcome in (RoutingOutcome.ROUTED, RoutingOutcome.OFFERED)
        data = (m.OrderRouted if found else m.RoutingFailed)(attempt=event.attempt, decision=decision)
        told = {"id": f"{event.request.order}/{event.attempt}", "source": "routing"}
        return ORDERS.encode(self.message(data, event.request.order, **told))

    # Looking

    def order(self, n: int = 1) -> Order:
        row = self.orders.rows[number(n)]
        assert isinstance(row, Order)
        return row

    def line(self, line: int = 1, n: int = 1) -> Line:
        found = self.order(n).line(line)
        assert found is not None
        return found

    def states(self, n: int = 1) -> dict[int, str]:
        return {it.line: it.state.value for it in self.order(n).lines}

    def level(self, store: str = S1, sku: str = "A") -> Level:
        row = self.stores.rows.get(level_key(store, sku))
        return row if isinstance(row, Level) else Level()

    def of(self, kind: type[Any]) -> list[Any]:
        """Every conclusion of one type."""
        return [event for _, event in self.events if isinstance(event, kind)]

    def sent(self, kind: type[Any]) -> list[Any]:
        """Everything of one type that was said to the stock of any store."""
        return [message.data for message in self.stock_said if isinstance(message.data, kind)]


def placement(n: int = 1, **changes: Any) -> m.PlaceOrder:
    """What the checkout says of the n-th order."""
    lines = changes.pop("lines", (("A", 2),))
    fields: dict[str, Any] = {
        "key": f"key-{n}",
        "request": f"request-{n}",
        "customer": CustomerRef(id=f"c{n}", sealed="sealed"),
        "store": S1,
        "lines": tuple(
            it if isinstance(it, WantedLine) else WantedLine(line=place, sku=it[0], quantity=it[1], unit_cents=100)
            for place, it in enumerate(lines, 1)
        ),
        "allows": Allows(),
        "code_hash": "right-code",
        "token_hash": "right-token",
        "currency": "EUR",
    }
    return m.PlaceOrder(**{**fields, **changes})
