"""Orders as they stand, folded from the compacted changelog of their processor."""

from collections.abc import Iterator

import msgspec

from bopis.domain.orders.state import Order
from bopis.domain.values import STORE_LENGTH_MAX
from bopis.ports import Log, Record
from bopis.services.counter.errors import NumberUnclear, OrderUnknown

STATE_TOPIC = "order-state"
NOTE = 0  # A key that begins with a zero byte is a note between writers, not a row.
POSITION_KEY = b"\x00position"
CLAIM_KEY = b"\x00claim"
PREFIX_LENGTH_MIN = 2
CLOSE_MAX = 5

_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


class Position(msgspec.Struct):
    """Up to where the rows stand for the messages of their partition, and who says so."""

    position: int
    claim: int = -1


position_in = msgspec.json.Decoder(Position).decode
_decode = msgspec.json.Decoder(Order).decode


class OrderBook:
    """Rows by order number, kept as the bytes they came as: most of them are never asked for.

    With a ``partition`` only the orders in it are read.
    """

    def __init__(self, log: Log, partition: int | None = None) -> None:
        self._log = log
        self._only = partition
        self._next: dict[tuple[str, int], int] = {}
        self._raw: dict[str, bytes] = {}
        self._where: dict[str, int] = {}
        self._claims: dict[int, int] = {}
        self._stale: set[int] = set()

    def refresh(self) -> set[str]:
        """Read what is new; the numbers of the orders that changed."""
        ends = self._mine(self._log.end_offsets((STATE_TOPIC,)))
        if not self._next:
            self._next = self._mine(self._log.start_offsets((STATE_TOPIC,)))
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
        raw = self._raw.get(number)
        return None if raw is None else _decode(raw)

    def named(self, text: str) -> Order:
        """The order that somebody means by its number or the begin of it.

        Raises `OrderUnknown` or `NumberUnclear`, which names those that begin so.
        """
        wanted = text.upper().translate(_MISREAD)
        found = self.get(wanted)
        if found is not None:
            return found
        near = [it for it in self._raw if it.startswith(wanted)] if len(wanted) >= PREFIX_LENGTH_MIN else []
        if not near:
            raise OrderUnknown(order=text[:STORE_LENGTH_MAX])
        open_ones = [it for it in near if self._has_live(it)]
        chosen = open_ones or near
        if len(chosen) > 1:
            raise NumberUnclear(text=text, orders=", ".join(sorted(chosen)[:CLOSE_MAX]), count=len(chosen))
        return _decode(self._raw[chosen[0]])

    def in_store(self, store: str) -> list[Order]:
        """Orders with live lines or open tasks in a store, the oldest first."""
        needle = b'"store":' + msgspec.json.encode(store)
        found = [order for order in self._with(needle) if _concerns(order, store)]
        return sorted(found, key=lambda it: (it.placed_ms, it.order))

    def all(self) -> Iterator[Order]:
        """Every order, in no particular order."""
        return (_decode(raw) for raw in list(self._raw.values()))

    def partition(self, number: str) -> int:
        """The partition that an order's records stand in; the same number in every topic of orders."""
        return self._where[number]

    def _mine(self, offsets: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        return {where: offset for where, offset in offsets.items() if self._only in (None, where[1])}

    def _with(self, needle: bytes) -> Iterator[Order]:
        return (_decode(raw) for raw in self._raw.values() if needle in raw)

    def _has_live(self, number: str) -> bool:
        return bool(_decode(self._raw[number]).live)

    def _row(self, record: Record) -> str:
        number = (record.key or b"").decode()
        if record.value is None:
            self._raw.pop(number, None)
        else:
            self._raw[number] = record.value
            self._where[number] = record.partition
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
