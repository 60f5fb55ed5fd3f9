"""What is concluded has one content under one id, also where a deadline is met twice or a command comes again."""

from typing import Any
from zlib import crc32

from bopis.domain.message import Message
from bopis.domain.orders import messages as m
from bopis.domain.orders.events import AcceptOverdue
from bopis.domain.orders.step import StepResult
from bopis.domain.orders.vocabulary import Initiator, RejectReason
from bopis.domain.sourcing.decision import Answer, RoutingOutcome, Rung
from bopis.domain.sourcing.request import Request
from bopis.domain.values import MINUTE_MS
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from streams.engine.rows import PartitionRows
from streams.processors.orders import OrdersProcessor
from tests.domain.books import NOON_MS
from tests.domain.orders.world import S1, S2, World, assignment, number
from tests.simulation.log import Kept

ACCEPT_BY_MS = NOON_MS + 15 * MINUTE_MS
OVERDUE = AcceptOverdue.__name__


class Processed(World):
    """The world with the orders processor itself: its rows, its ticks, its ids."""

    def __init__(self) -> None:
        self.processor = OrdersProcessor()
        self.rows = PartitionRows(self.processor.decode, self.processor.encode)
        self.said: list[Message] = []
        self.ticks: list[bytes] = []
        super().__init__(routing=both_by_the_same_time)

    def deliver_order(self, value: bytes) -> StepResult | None:
        record = Kept(0, self.now_ms, b"", value, (), crc32(value))
        for output in self.processor.handle(self.rows, record):
            if output.topic == "stock":
                self.to_stock.append(output.value)
            elif output.topic == "order-events":
                self._hear(ORDER_EVENTS.decode(output.value))
        return None

    def _hear(self, message: Message) -> None:
        self.said.append(message)
        if type(message.data).__name__ == "RoutingRequested":
            self.ask_routing(message.data)

    def tick(self) -> None:
        found = [value for _, value in self.processor.tick(self.rows, self.now_ms)]
        self.ticks += found
        self.to_orders += found
        self.run()

    def told(self, kind: str) -> list[Message]:
        return [it for it in self.said if type(it.data).__name__ == kind]


def both_by_the_same_time(request: Request, now_ms: int) -> Answer:
    """The first store that was not left out, to be accepted by the same instant."""
    store = S2 if request.excluded else S1
    found = assignment(request, store, now_ms, accept_by_ms=ACCEPT_BY_MS)
    return Answer(rung=Rung.CHOSEN, outcome=RoutingOutcome.ROUTED, assignments=(found,))


def overdue_in_one_store() -> Processed:
    world = Processed()
    world.place(lines=(("A", 2), ("B", 1)))
    world.wait(16 * MINUTE_MS)
    return world


def ids(said: list[Message]) -> set[tuple[Any, ...]]:
    return {(it.source, it.subject, it.id) for it in said}


def test_a_deadline_that_a_second_store_meets_later_has_conclusions_of_its_own() -> None:
    world = overdue_in_one_store()

    world.tell(m.RejectPick(store=S1, reason=RejectReason.DAMAGED, lines=(2,)))
    world.wait(1)

    assert [it.data.store for it in world.told(OVERDUE)] == [S1, S2]
    assert world.ticks[0] == world.ticks[1], "both were due at the same instant"
    assert len(ids(world.said)) == len(world.said)
    assert len(ids(world.stock_said)) == len(world.stock_said)


def test_a_tick_that_comes_twice_concludes_once() -> None:
    world = overdue_in_one_store()
    said = len(world.said)

    world.to_orders.append(world.ticks[0])
    world.run()

    assert len(world.said) == said
    assert ORDERS.decode(world.ticks[0]).subject == number()


def test_deciding_a_tick_anew_after_a_crash_gives_the_same_ids() -> None:
    worlds = [overdue_in_one_store() for _ in range(2)]

    assert ids(worlds[0].said) == ids(worlds[1].said)
    assert [it.id.rpartition("#")[0][-2:] for it in worlds[0].told(OVERDUE)] == ["/1"]


def test_a_cancellation_that_came_before_its_order_and_comes_again_has_another_id() -> None:
    world = Processed()
    early = ORDERS.encode(world.message(m.CancelOrder(by=Initiator.CUSTOMER), number(), id="c1"))

    for _ in range(2):
        world.to_orders.append(early)
        world.run()
        world.now_ms += 1
    world.place()
    world.to_orders.append(early)
    world.run()

    answers = [it for it in world.said if it.causation == "desk/c1"]
    assert [type(it.data).__name__ for it in answers[:3]] == ["CommandRefused", "CommandRefused", "OrderCancelled"]
    assert len(ids(answers)) == len(answers)
