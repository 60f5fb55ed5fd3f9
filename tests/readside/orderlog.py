"""Orders and stores under test, whose messages stand in a log: what the projection reads of them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine

from bopis.domain.orders.step import StepResult
from bopis.readside.writer import Batch, Projection
from bopis.wire.changelog import Claim, Position, encode_note
from bopis.wire.orders import ORDERS
from streams.processors.orders import OrdersProcessor, conclusions
from tests.domain.orders.world import World
from tests.readside.world import Record

CLAIM, POSITION = b"\x00claim", b"\x00position"


class OrderLog(World):
    """The world of orders, with the topics that its processors write; one partition, a commit after each message."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.topics: dict[str, list[Record]] = {"orders": [], "order-events": [], "order-state": []}
        self._processor = OrdersProcessor()
        self._put("order-state", CLAIM, encode_note(Claim("a", 1, 0)), 0)
        super().__init__(*arguments, **named)

    def _put(self, topic: str, key: bytes, value: bytes | None, at_ms: int) -> None:
        records = self.topics[topic]
        records.append(Record(len(records), at_ms, key, value))

    def deliver_order(self, value: bytes) -> StepResult | None:
        self._put("orders", b"k", value, self.now_ms)
        concluded = super().deliver_order(value)
        if concluded is None:
            return None
        message = ORDERS.decode(value)
        key = message.subject.encode()
        for output in conclusions(message, concluded):
            if output.topic == "order-events":
                self._put("order-events", key, output.value, self.now_ms)
        position = encode_note(Position(len(self.topics["orders"]) - 1, 0))
        self._put("order-state", POSITION, position, self.now_ms)
        if (row := self.orders.rows.get(message.subject)) is not None:
            self._put("order-state", key, self._processor.encode(message.subject, row), self.now_ms)
        return concluded

    def project(self, engine: Engine, sizes: Iterable[int] = ()) -> Projection:
        """Write everything into the read side, in batches of these sizes and then the rest."""
        projection = Projection(engine)
        wanted, begun = list(sizes), dict.fromkeys(self.topics, 0)
        while any(begun[name] < len(records) for name, records in self.topics.items()):
            size = wanted.pop(0) if wanted else 1 << 30
            batches = []
            for name, records in self.topics.items():
                part = records[begun[name] : begun[name] + size]
                if part:
                    batches.append(Batch(name, 0, part))
                    begun[name] += len(part)
            projection.write_many(batches)
        return projection
