"""A small world whose messages stand in a log: what is said, what the inventory worker writes, what can be read."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec import UNSET

from bopis.domain.inventory.messages import CountLine, PosSale, SaleLine, StockCounted, StockLine, StockReceived
from bopis.domain.message import Message
from bopis.wire.stock import STOCK
from streams.engine.exact_step import step
from streams.engine.table import PartitionTable
from streams.processors.inventory import InventoryProcessor

T0_MS = 1_790_000_000_000
RECORD_BYTES_MAX = 1 << 20


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def at(ms: int) -> datetime:
    """The instant so many milliseconds after the world began."""
    return datetime.fromtimestamp((T0_MS + ms) / 1000, UTC)


class World:
    """Stock records by partition. Times are milliseconds after the world began."""

    def __init__(self, partitions: int = 2) -> None:
        self.stock: dict[int, list[Record]] = {number: [] for number in range(partitions)}
        self._sequences: dict[tuple[str, str], int] = {}
        self.now_ms = 0

    def partition(self, store: str) -> int:
        return sum(store.encode()) % len(self.stock)

    def say(
        self, store: str, data: Any, *, at_ms: int | None = None, device: str | None = None, **header: Any
    ) -> Message:
        """Put a message into the log; it is learned a millisecond after the one before, or at ``learned_ms``."""
        partition = self.partition(store)
        self.now_ms = header.pop("learned_ms", self.now_ms + 1)
        seq: Any = UNSET
        if device is not None:
            key = (store, device)
            seq = header.pop("seq", self._sequences.get(key, 0) + 1)
            self._sequences[key] = max(seq, self._sequences.get(key, 0))
        message = Message(
            id=header.pop("id", f"m{sum(map(len, self.stock.values()))}"),
            source=device or header.pop("source", "desk"),
            time=at(self.now_ms if at_ms is None else at_ms),
            subject=store,
            seq=seq,
            data=data,
            **header,
        )
        self.put(partition, STOCK.encode(message), self.now_ms)
        return message

    def next_sequence(self, store: str, device: str) -> int:
        """The sequence that a device would count next."""
        return self._sequences.get((store, device), 0) + 1

    def sell(self, store: str, sku: str, quantity: int, **said: Any) -> Message:
        sale = PosSale(basket=f"b{self.now_ms}", lines=(SaleLine(sku=sku, quantity=quantity),))
        return self.say(store, sale, **{"device": f"till/{store}", **said})

    def receive(self, store: str, sku: str, quantity: int, **said: Any) -> Message:
        return self.say(store, StockReceived(document="d1", lines=(StockLine(sku=sku, quantity=quantity),)), **said)

    def count(self, store: str, sku: str, counted: int, staged_counted: bool = False, **said: Any) -> Message:
        lines = (CountLine(sku=sku, counted=counted),)
        return self.say(store, StockCounted(lines=lines, staged_counted=staged_counted), **said)

    def put(self, partition: int, value: bytes | None, learned_ms: int) -> None:
        """Put bytes into the log as they are."""
        records = self.stock[partition]
        records.append(Record(len(records), T0_MS + learned_ms, b"k", value))

    def repeat(self, partition: int, offset: int) -> None:
        """The log gets a record once more, as it does when a sender missed the answer."""
        self.now_ms += 1
        self.put(partition, self.stock[partition][offset].value, self.now_ms)


def changelog(stock: Sequence[Record], every: int = 3, position: int | None = None) -> list[Record]:
    """What the inventory worker writes for these records, with a commit after every so many."""
    processor = InventoryProcessor()
    table = PartitionTable(processor)
    written: list[Record] = []

    def put(entries: Iterable[tuple[bytes, bytes | None]], learned_ms: int) -> None:
        for key, value in entries:
            written.append(Record(len(written), learned_ms, key, value))

    for first in range(0, len(stock), every):
        batch = stock[first : first + every]
        done = step(processor, table.rows, table.position, batch, RECORD_BYTES_MAX)
        table.position = done.position
        put(table.commit(done.position), batch[-1].timestamp)
    if position is not None:
        put(table.commit(position), T0_MS)
    return written


def chunks(records: Sequence[Record], sizes: Iterable[int]) -> Iterator[Sequence[Record]]:
    """The records in pieces of these sizes, then the rest."""
    first = 0
    for size in sizes:
        if first >= len(records):
            return
        yield records[first : first + size]
        first += size
    if first < len(records):
        yield records[first:]
