"""Orders and the inventory as real processes over a real log, killed in the middle: every order ends right."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bopis.domain.inventory.messages import StockLine, StockReceived
from bopis.domain.inventory.rows import Level
from bopis.domain.message import Message
from bopis.domain.orders import messages as m
from bopis.domain.orders.events import OrderPromised, OrderReady, RoutingRequested
from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.vocabulary import Initiator, Proof
from bopis.domain.sourcing.decision import Answer, Decision, RoutingOutcome, Rung
from bopis.domain.sourcing.rules import RuleSet
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.stock import STOCK
from tests.domain.orders.world import S1, assignment, number, placement
from tests.engines.forks import Process, fork
from tests.streams.stream_world import PARTITIONS, ROOT, World

ORDERS_PLACED = 50
CANCELLED = range(5, ORDERS_PLACED + 1, 5)
WAIT_S_MAX = 300.0
OPENING = 500


class Shop:
    """Two processors, and people who answer to what is concluded: a routing, pickers and customers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.processes: dict[str, Process] = {}
        self.producer: AIOKafkaProducer | None = None
        self.done: set[str] = set()
        self.ended: set[str] = set()
        self.kinds: Counter[str] = Counter()

    def start(self, name: str) -> None:
        talk = self.world.home / f"{name}-{time.monotonic_ns()}.log"
        place = [name, self.world.engine.bootstrap, self.world.prefix, str(PARTITIONS), str(self.world.home / name)]
        with talk.open("wb") as sink:
            self.processes[name] = fork(["tests.streams.order_worker", *place], stdout=sink, stderr=sink, cwd=ROOT)

    def kill(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(10)

    def is_ready(self, name: str) -> bool:
        return any("worker.ready" in path.read_text() for path in self.world.home.glob(f"{name}-*.log"))

    async def publish(self, topic: str, data: Any, subject: str, message_id: str) -> None:
        assert self.producer is not None
        message = Message(id=message_id, source="shop", time=datetime.now(UTC), subject=subject, data=data)
        family = STOCK if topic == "stock" else ORDERS
        await self.producer.send(self.world.topic(topic), family.encode(message), key=subject.encode())

    async def answer(self, event: Message) -> None:
        """Do what people do after an event, under an id that follows from it, so once."""
        order, data, cause = event.subject, event.data, event.id[-60:]
        match data:
            case RoutingRequested():
                await self.publish("orders", routed(data, event), order, f"route-{order}-{data.attempt}")
            case OrderPromised():
                await self.publish("orders", m.AcceptPick(store=S1), order, f"accept-{cause}")
                found = tuple(PickedLine(line=line, picked=2) for line in data.lines)
                await self.publish("orders", m.RecordPick(store=S1, lines=found), order, f"pick-{cause}")
                await self.publish("orders", m.StageOrder(store=S1, location="R1"), order, f"stage-{cause}")
            case OrderReady() if order in {number(n) for n in CANCELLED}:
                await self.publish("orders", m.CancelOrder(by=Initiator.CUSTOMER), order, f"cancel-{cause}")
            case OrderReady():
                given = m.HandOver(store=S1, proof=Proof.CODE, presented="right-code")
                await self.publish("orders", given, order, f"give-{cause}")
            case _:
                return

    async def serve(self, consumer: AIOKafkaConsumer, enough: Any) -> None:
        """Answer whatever is concluded until enough has happened."""
        end = time.monotonic() + WAIT_S_MAX
        assert self.producer is not None
        while not enough():
            assert time.monotonic() < end, f"{self.kinds}: {self.talk()}"
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    event = ORDER_EVENTS.decode(record.value)
                    if event.id not in self.done:
                        self.kinds[type(event.data).__name__] += 1
                        self.done.add(event.id)
                        self.ended |= {event.subject} if type(event.data).__name__ in ENDS else set()
                        await self.answer(event)
            await self.producer.flush()

    def talk(self) -> str:
        return "\n".join(path.read_text()[-800:] for path in sorted(self.world.home.glob("*.log")))


ENDS = ("OrderHandedOver", "OrderCancelled")


def routed(asked: RoutingRequested, event: Message) -> m.OrderRouted:
    """The chosen store, always."""
    now_ms = int(event.time.timestamp() * 1000)
    answer = Answer(
        rung=Rung.CHOSEN, outcome=RoutingOutcome.ROUTED, assignments=(assignment(asked.request, S1, now_ms),)
    )
    decision = Decision(
        order=asked.request.order,
        attempt=asked.attempt,
        decided_at_ms=now_ms,
        digest="d",
        request=asked.request,
        facts=(),
        rules=RuleSet(),
        answer=answer,
    )
    return m.OrderRouted(attempt=asked.attempt, decision=decision)


@pytest.fixture
def shop(world: World) -> Iterator[Shop]:
    shop = Shop(world)
    yield shop
    shop.kill()


async def consumer_of(world: World, topic: str) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(bootstrap_servers=world.engine.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    tps = [TopicPartition(world.topic(topic), number) for number in range(PARTITIONS)]
    consumer.assign(tps)
    await consumer.seek_to_beginning(*tps)
    return consumer


async def until_ready(shop: Shop) -> None:
    end = time.monotonic() + WAIT_S_MAX
    while not all(shop.is_ready(name) for name in shop.processes):
        assert time.monotonic() < end, shop.talk()
        await asyncio.sleep(0.1)


async def rows(world: World, topic: str, kind: Any, wanted: Any) -> dict[str, Any]:
    """The rows of a changelog: the last value of every key."""
    found: dict[str, Any] = {}
    for records in (await world.read(topic)).values():
        for record in records:
            if record.key[0] and wanted(record.key.decode()) and record.value is not None:
                found[record.key.decode()] = msgspec.json.decode(record.value, type=kind)
    return found


async def test_every_order_ends_right_although_both_processors_are_killed_in_the_middle(shop: Shop) -> None:
    world = shop.world
    for name in ("inventory", "orders"):
        shop.start(name)
    await until_ready(shop)
    shop.producer = await world.producer()
    consumer = await consumer_of(world, "order-events")
    try:
        await shop.publish(
            "stock", StockReceived(document="d", lines=(StockLine(sku="A", quantity=OPENING),)), S1, "open"
        )
        for n in range(1, ORDERS_PLACED + 1):
            await shop.publish("orders", placement(n), number(n), f"place-{n}")

        await shop.serve(consumer, lambda: len(shop.ended) >= ORDERS_PLACED // 3)
        shop.kill()
        for name in ("inventory", "orders"):
            shop.start(name)
        await shop.serve(consumer, lambda: len(shop.ended) == ORDERS_PLACED)
        await settled(world)
    finally:
        await consumer.stop()
        await shop.producer.stop()

    orders = await rows(world, "order-state", Order, lambda key: True)
    expected = {
        number(n): LineState.CANCELLED if n in CANCELLED else LineState.HANDED_OVER for n in range(1, ORDERS_PLACED + 1)
    }
    assert {key: order.state for key, order in orders.items()} == expected
    levels = await rows(world, "inventory-levels", Level, lambda key: key[0] != "@")
    level = levels[f"{S1}|A"]
    given = 2 * (ORDERS_PLACED - len(CANCELLED))
    assert (level.on_hand, level.held, level.staged) == (OPENING - given, 0, 0)
    assert not [it for records in (await world.read("dead-letters")).values() for it in records]


async def settled(world: World) -> None:
    """Wait until no hold is left and every hand-over has its answer."""
    end = time.monotonic() + WAIT_S_MAX
    while True:
        orders = await rows(world, "order-state", Order, lambda key: True)
        levels = await rows(world, "inventory-levels", Level, lambda key: key[0] != "@")
        if not any(order.holds for order in orders.values()) and not any(it.held for it in levels.values()):
            return
        assert time.monotonic() < end, [order for order in orders.values() if order.holds][:2]
        await asyncio.sleep(0.3)
