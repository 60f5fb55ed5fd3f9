"""Orders as they stand: what the read side knows of them, and what the changelog of their processor has beyond it.

So an answer is as new as the log, and costs as little as the read side is behind. Without a read side the whole
changelog is read.
"""

from collections.abc import Iterable, Iterator

import msgspec

from bopis.domain.orders.numbers import MISREAD
from bopis.domain.orders.state import Order
from bopis.domain.values import STORE_LENGTH_MAX
from bopis.ports import KnownOrders, Log, OrdersWanted, Record, Stand
from bopis.services.counter.errors import NumberUnclear, OrderUnknown

STATE_TOPIC = "order-state"
NOTE = 0  # A key that begins with a zero byte is a note between writers, not a row.
POSITION_KEY = b"\x00position"
CLAIM_KEY = b"\x00claim"
PREFIX_LENGTH_MIN = 2
CLOSE_MAX = 5
NEAR_MAX = 50


class Position(msgspec.Struct):
    """Up to where the rows stand for the messages of their partition, and who says so."""

    position: int
    claim: int = -1


position_in = msgspec.json.Decoder(Position).decode
_decode = msgspec.json.Decoder(Order).decode


class OrderBook:
    """Rows by order number, kept as the bytes they came as: most of them are never asked for.

    With a ``partition`` only the orders in it are read; with ``known`` only what came after it. Rows that are known
    already lack what is nobody's business outside the processor: the hashes of the pickup code.
    """

    def __init__(self, log: Log, partition: int | None = None, known: KnownOrders | None = None) -> None:
        self._log = log
        self._only = partition
        self._known = known
        self._next: dict[tuple[str, int], int] = {}
        self._raw: dict[str, bytes | None] = {}
        self._claims: dict[int, int] = {}
        self._stale: set[int] = set()

    def refresh(self) -> set[str]:
        """Read what is new; the numbers of the orders that changed."""
        ends = self._mine(self._log.end_offsets((STATE_TOPIC,)))
        if not self._next:
            self._next = self._first(ends)
        changed: set[str] = set()
        for record in self._log.read(self._next, ends):
            if not record.key:
                continue
            if record.key[0] == NOTE:
                self._note(record)
            elif record.partition not in self._stale:
                changed.add(self._row(record))
        self._next |= ends
        return changed

    def get(self, number: str) -> Order | None:
        """The order of a number."""
        if number in self._raw:
            raw = self._raw[number]
            return None if raw is None else _decode(raw)
        return None if self._known is None else self._known.get(number)

    def named(self, text: str) -> Order:
        """The order that somebody means by its number or the begin of it.

        Raises `OrderUnknown` or `NumberUnclear`, which names those that begin so.
        """
        wanted = text.upper().translate(MISREAD)
        found = self.get(wanted)
        if found is not None:
            return found
        if len(wanted) < PREFIX_LENGTH_MIN:
            raise OrderUnknown(order=text[:STORE_LENGTH_MAX])
        near = self.find(OrdersWanted(wanted), NEAR_MAX) or self.find(OrdersWanted(wanted, ended=True), NEAR_MAX)
        if not near:
            raise OrderUnknown(order=text[:STORE_LENGTH_MAX])
        if len(near) > 1:
            numbers = ", ".join(sorted(it.order for it in near)[:CLOSE_MAX])
            raise NumberUnclear(text=text, orders=numbers, count=len(near))
        return near[0]

    def find(self, wanted: OrdersWanted, limit: int) -> list[Order]:
        """Orders of a kind, the newest first, at most so many."""
        known = () if self._known is None else self._known.find(wanted, limit + len(self._raw))
        found = [it for it in self._merged(known, self._read()) if wanted.fit(it)]
        return sorted(found, key=lambda it: (-it.placed_ms, it.order))[:limit]

    def in_store(self, store: str) -> list[Order]:
        """Orders with live lines or open tasks in a store, the oldest first."""
        needle = b'"store":' + msgspec.json.encode(store)
        found = self._merged(
            () if self._known is None else self._known.in_store(store),
            self._read(needle),
        )
        return sorted((it for it in found if _concerns(it, store)), key=lambda it: (it.placed_ms, it.order))

    def _merged(self, known: Iterable[Order], read: Iterable[Order]) -> Iterator[Order]:
        yield from read
        yield from (it for it in known if it.order not in self._raw)

    def _read(self, needle: bytes = b"") -> Iterator[Order]:
        return (_decode(raw) for raw in list(self._raw.values()) if raw is not None and needle in raw)

    def _first(self, ends: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """Where to begin: after what is known, if that is of this log; else at the beginning."""
        starts = self._mine(self._log.start_offsets((STATE_TOPIC,)))
        if self._known is None:
            return starts
        stands = {where: it for where, it in self._stands(self._known).items() if where in starts}
        if any(it.position >= ends.get(where, 0) for where, it in stands.items()):
            self._known = None
            return starts
        self._claims = {where[1]: it.claim for where, it in stands.items()}
        self._stale = {where[1] for where, it in stands.items() if it.stale}
        return starts | {where: it.position + 1 for where, it in stands.items()}

    @staticmethod
    def _stands(known: KnownOrders) -> dict[tuple[str, int], Stand]:
        return {(STATE_TOPIC, partition): it for partition, it in known.stands().items()}

    def _mine(self, offsets: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        return {where: offset for where, offset in offsets.items() if self._only in (None, where[1])}

    def _row(self, record: Record) -> str:
        number = (record.key or b"").decode()
        self._raw[number] = record.value
        return number

    def _note(self, record: Record) -> None:
        """Rows that somebody wrote who had lost the partition are left out; a newer claim is how that is told."""
        self._stale.discard(record.partition)
        if record.key == CLAIM_KEY:
            self._claims[record.partition] = record.offset
            return
        is_position = record.key == POSITION_KEY and record.value
        if is_position and position_in(record.value or b"").claim < self._claims.get(record.partition, -1):
            self._stale.add(record.partition)


def _concerns(order: Order, store: str) -> bool:
    return any(it.store == store for it in order.live) or any(it.store == store for it in order.tasks)
