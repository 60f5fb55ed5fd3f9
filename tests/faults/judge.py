"""Whoever asks the log what is true: what was sent, what was decided, and what an independent model makes of it."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from kafka import KafkaProducer

from bopis.adapters.log import LogReader
from bopis.domain.inventory.events import ReservationRefused, StockReserved
from bopis.domain.inventory.messages import PosSale, StockReceived
from bopis.domain.inventory.rows import Row, row_type
from bopis.domain.message import Message
from bopis.ports import Record
from bopis.verification.audit import Audit, Violation
from bopis.wire.errors import WireError
from bopis.wire.stock import INVENTORY_EVENTS, STOCK

PATIENCE_SECONDS = 180


class Judge:
    """Writes to the topics of one prefix, reads them, and knows nothing of the processes that work on them."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self._producer: KafkaProducer | None = None

    def talk(self) -> str:
        """What the processes said at the end, for a failure's message."""
        return ""

    def close(self) -> None:
        """Let go of the log."""
        if self._producer is not None:
            self._producer.close(timeout=5)
            self._producer = None

    def wait(self, done: Callable[[], bool], what: str, seconds_max: float = PATIENCE_SECONDS) -> None:
        end = time.monotonic() + seconds_max
        while not done():
            assert time.monotonic() < end, f"not after {seconds_max} s: {what}\n{self.talk()}"
            time.sleep(0.05)

    @property
    def producer(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self.bootstrap,
                linger_ms=2,
                delivery_timeout_ms=120_000,
                retry_backoff_ms=50,
                reconnect_backoff_max_ms=500,
            )
        return self._producer

    def publish(self, message: Message) -> Any:
        return self.send(message.subject.encode(), STOCK.encode(message))

    def send(self, key: bytes, value: bytes | None) -> Any:
        return self.producer.send(f"{self.prefix}stock", key=key, value=value)

    def read(self, topic: str) -> Iterator[Record]:
        """Every record that the topic holds now."""
        with LogReader(self.bootstrap, self.prefix) as log:
            yield from log.read(log.start_offsets([topic]), log.end_offsets([topic]))

    def rows(self) -> tuple[dict[str, Row], dict[int, int]]:
        """The changelog folded by hand: rows by key, decided positions by partition."""
        rows: dict[str, Row] = {}
        positions: dict[int, int] = {}
        for record in self.read("inventory-levels"):
            if record.key[0] == 0:
                if record.key == b"\x00position":
                    positions[record.partition] = json.loads(record.value)["position"]
            elif record.value is None:
                rows.pop(record.key.decode(), None)
            else:
                key = record.key.decode()
                rows[key] = msgspec.json.decode(record.value, type=row_type(key))
        return rows, positions

    def wait_decided(self, seconds_max: float = PATIENCE_SECONDS) -> dict[str, Row]:
        """Wait until everything in the log is decided; the rows then."""
        self.producer.flush()
        ends: dict[int, int] = {}
        for record in self.read("stock"):
            ends[record.partition] = record.offset
        found: dict[str, Row] = {}

        def decided() -> bool:
            rows, positions = self.rows()
            found.update(rows)
            return all(positions.get(number, -1) >= end for number, end in ends.items())

        self.wait(decided, "everything is decided", seconds_max)
        return found

    def answered_wrongly(self, asked: set[str]) -> set[str]:
        """Holds that were asked for and got no answer, or more than one. An answer that stands in the log twice
        under one id is one."""
        told = {it.id: it for it in (INVENTORY_EVENTS.decode(record.value) for record in self.read("inventory-events"))}
        answers = Counter(
            it.data.hold for it in told.values() if isinstance(it.data, StockReserved | ReservationRefused)
        )
        return {hold for hold in asked if answers[hold] != 1}

    def violations(self, rows: dict[str, Row]) -> list[Violation]:
        """What an independent model that reads the log from the start finds wrong with the rows."""
        audit = Audit()
        events: dict[str, Message] = {}
        for record in self.read("stock"):
            try:
                message = STOCK.decode(record.value or b"")
            except WireError:
                continue
            audit.message(message, record.timestamp, record.partition)
        for record in self.read("inventory-events"):
            event = INVENTORY_EVENTS.decode(record.value)
            # After a crash a conclusion may stand twice in the log; its id is the same, and so are its bytes.
            if event.id in events:
                assert events[event.id] == event
                continue
            events[event.id] = event
            audit.event(event)
        return audit.violations(rows.items())


def sums(messages: Iterable[Message]) -> dict[tuple[str, str], int]:
    """On hand by a plain sum over what was sold and received, each message once."""
    totals: dict[tuple[str, str], int] = {}
    for message in {(it.source, it.id): it for it in messages}.values():
        if isinstance(message.data, PosSale | StockReceived):
            sign = -1 if isinstance(message.data, PosSale) else 1
            for line in message.data.lines:
                cell = (message.subject, line.sku)
                totals[cell] = totals.get(cell, 0) + sign * line.quantity
    return totals
