"""What tests of the core speak with: rows in memory, and messages with their defaults."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bopis.domain.inventory.events import Event, ThresholdCrossed
from bopis.domain.inventory.rows import Level, Row, level_key
from bopis.domain.inventory.step import step
from bopis.domain.inventory.trace import Trace
from bopis.domain.message import Message
from bopis.wire.placement import ANYWHERE
from bopis.wire.stock import STOCK

NOON_MS = 1_800_000_000_000
STORE = "S1"
SKU = "A"


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


class MemoryRows:
    """Rows of one partition in a dict."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.deadlines: dict[str, int] = {}
        self.placement = ANYWHERE

    def get(self, key: str) -> Row | None:
        return self.rows.get(key)

    def put(self, key: str, row: Row) -> None:
        self.rows[key] = row

    def put_all(self, rows: Mapping[str, Row]) -> None:
        self.rows.update(rows)

    def put_timed(self, key: str, row: Row, deadline_ms: int) -> None:
        self.rows[key] = row
        self.deadlines[key] = deadline_ms

    def drop(self, key: str) -> None:
        self.rows.pop(key, None)
        self.deadlines.pop(key, None)

    def due(self, at_ms: int) -> list[str]:
        return [key for at, key in sorted((at, key) for key, at in self.deadlines.items()) if at <= at_ms]


class Shop:
    """One store's inventory under test: says messages to it; crossings of thresholds are heard apart."""

    def __init__(self, store: str = STORE, now_ms: int = NOON_MS) -> None:
        self.store = store
        self.now_ms = now_ms
        self.rows = MemoryRows()
        self._said = 0
        self.crossed: list[ThresholdCrossed] = []

    def message(self, data: Any, **header: Any) -> Message:
        self._said += 1
        fields = {"id": f"m{self._said}", "source": "desk", "time": at(self.now_ms), "subject": self.store}
        return Message(data=data, **{**fields, **header})

    def say(self, data: Any, *, trace: Trace | None = None, **header: Any) -> list[Event]:
        """Say something now; header fields may be given, ``at_ms`` is when it happened."""
        if "at_ms" in header:
            header["time"] = at(header.pop("at_ms"))
        return self.hear(self.message(data, **header), trace)

    def hear(self, message: Message, trace: Trace | None = None) -> list[Event]:
        value = STOCK.encode(message)
        events = [event for _, event in step(self.rows, message, self.now_ms, value, trace)]
        self.crossed += [event for event in events if isinstance(event, ThresholdCrossed)]
        return [event for event in events if not isinstance(event, ThresholdCrossed)]

    def level(self, sku: str = SKU) -> Level:
        row = self.rows.get(level_key(self.store, sku))
        return row if isinstance(row, Level) else Level()

    def on_hand(self, sku: str = SKU) -> int:
        return self.level(sku).on_hand


def kinds(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]
