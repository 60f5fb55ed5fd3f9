"""Orders as they are now: the rows of a projection, overlaid with what the log has beyond them.

So an answer is as new as the log and costs what the projection is behind. Without a projection the whole changelog is
read.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from bopis.domain.orders.numbers import MISREAD
from bopis.domain.orders.state import Order
from bopis.domain.values import STORE_LENGTH_MAX
from bopis.names import ORDER_STATE_TOPIC
from bopis.ports import Log, OrderFilter, OrderProjection, Orders, ProjectedOrders, ProjectedPosition, Record, list_key
from bopis.services.counter.errors import NumberUnclear, OrderUnknown
from bopis.wire.changelog import NO_POSITION, ROW_DECODERS, ChangelogReader

PREFIX_LENGTH_MIN = 2
SUGGESTED_MAX = 5
MATCHES_MAX = 50

_decode = msgspec.json.Decoder(Order).decode
_ROW = ROW_DECODERS[ORDER_STATE_TOPIC]
_Rows = dict[str, bytes | None]


def order_named(orders: Orders, text: str) -> Order:
    """The order with a number, or the only one whose number begins with a text; open orders come first.

    Raises `OrderUnknown`, or `NumberUnclear` with the numbers that match.
    """
    prefix = text.upper().translate(MISREAD)
    found = orders.get(prefix)
    if found is not None:
        return found
    if len(prefix) < PREFIX_LENGTH_MIN:
        raise OrderUnknown(order=text[:STORE_LENGTH_MAX])
    matches = orders.find(OrderFilter(prefix), MATCHES_MAX) or orders.find(OrderFilter(prefix, ended=True), MATCHES_MAX)
    if not matches:
        raise OrderUnknown(order=text[:STORE_LENGTH_MAX])
    if len(matches) > 1:
        numbers = ", ".join(sorted(order.order for order in matches)[:SUGGESTED_MAX])
        raise NumberUnclear(text=text, orders=numbers, count=len(matches))
    return matches[0]


class OrderBook:
    """Orders by the newest rows of the log.

    Rows of the changelog are kept as bytes, by order number: most of them are never asked for. With a `partition` only
    its orders are read; with a `projection` only what the log has beyond it. Rows of a projection lack what only the
    processor needs: the hashes of the pickup code.
    """

    def __init__(self, log: Log, partition: int | None = None, projection: OrderProjection | None = None) -> None:
        self._log = log
        self._partition = partition
        self._projection = projection
        self._next: dict[tuple[str, int], int] = {}
        # The positions of the projection behind which the log was read.
        self._base: dict[int, int] = {}
        self._rows: _Rows = {}
        self._changelogs: dict[int, ChangelogReader] = defaultdict(_reader)

    @property
    def skipped(self) -> list[str]:
        """Records of the changelog that are no orders, as ``TOPIC/PARTITION/OFFSET``."""
        return [
            f"{ORDER_STATE_TOPIC}/{partition}/{it.offset}"
            for partition, reader in sorted(self._changelogs.items())
            for it in reader.skipped
        ]

    def refresh(self) -> set[str]:
        """Read the log up to its end; returns the numbers of the orders that changed."""
        return self._read({} if self._next else self._projected())

    def _read(self, projected: dict[int, ProjectedPosition]) -> set[str]:
        # Asked after the projection's positions: a projection that has read beyond the end is one of another log.
        ends = self._owned(self._log.end_offsets((ORDER_STATE_TOPIC,)))
        if not self._next:
            self._next = self._start(projected, ends)
        changed: set[str] = set()
        for record in self._log.read(self._next, ends):
            if record.key and self._changelogs[record.partition].is_row(record):
                changed.add(self._take(record))
        self._next |= ends
        return changed

    @contextmanager
    def snapshot(self) -> Iterator[Orders]:
        """The orders of one moment."""
        if self._projection is None:
            yield _Overlay(self._rows)
            return
        with self._projection.snapshot() as projected:
            self._catch_up(projected.changelog_positions())
            yield _Overlay(self._rows, projected if self._projection is not None else None)

    def get(self, number: str) -> Order | None:
        """The order with this number."""
        with self.snapshot() as orders:
            return orders.get(number)

    def named(self, text: str) -> Order:
        """The order that a text means; see `order_named`."""
        with self.snapshot() as orders:
            return order_named(orders, text)

    def find(self, wanted: OrderFilter, limit: int | None) -> list[Order]:
        """Orders that match a filter, the newest first, at most `limit`."""
        with self.snapshot() as orders:
            return orders.find(wanted, limit)

    def in_store(self, store: str) -> list[Order]:
        """Orders with live lines or open tasks in a store, the oldest first."""
        with self.snapshot() as orders:
            return orders.in_store(store)

    def _projected(self) -> dict[int, ProjectedPosition]:
        if self._projection is None:
            return {}
        with self._projection.snapshot() as projected:
            return projected.changelog_positions()

    def _start(
        self, projected: dict[int, ProjectedPosition], ends: dict[tuple[str, int], int]
    ) -> dict[tuple[str, int], int]:
        """Where to begin: behind the projection if it is one of this log, else at the beginning."""
        starts = self._owned(self._log.start_offsets((ORDER_STATE_TOPIC,)))
        read = {where: it for partition, it in projected.items() if (where := (ORDER_STATE_TOPIC, partition)) in starts}
        if any(it.position >= ends.get(where, 0) for where, it in read.items()):
            self._projection = None
            return starts
        self._base = {partition: it.position for (_, partition), it in read.items()}
        for (_, partition), it in read.items():
            self._changelogs[partition] = ChangelogReader(claim=it.claim, fenced=it.fenced, decode=_ROW)
        return starts | {where: it.position + 1 for where, it in read.items()}

    def _catch_up(self, projected: dict[int, ProjectedPosition]) -> None:
        """Read the log at least as far as the projection has. Then every order that changed behind the projection is
        among our rows, so the two are of one moment."""
        following = {partition: offset for (_, partition), offset in self._next.items()}
        newest = {partition: it.position for partition, it in projected.items()}
        if any(position > newest.get(partition, NO_POSITION) for partition, position in self._base.items()):
            # The projection was rebuilt meanwhile: it lacks what was read before the log was.
            self._next, self._base = {}, {}
            self._rows.clear()
            self._changelogs.clear()
            self._read(projected)
        elif any(position >= following.get(partition, position + 1) for partition, position in newest.items()):
            self._read(projected)

    def _owned(self, offsets: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        return {where: offset for where, offset in offsets.items() if self._partition in (None, where[1])}

    def _take(self, record: Record) -> str:
        number = (record.key or b"").decode()
        self._rows[number] = record.value
        return number


def _reader() -> ChangelogReader:
    return ChangelogReader(decode=_ROW)


class _Overlay:
    """Rows of the log over the orders of a projection."""

    def __init__(self, rows: _Rows, projected: ProjectedOrders | None = None) -> None:
        self._rows = rows
        self._projected = projected

    def get(self, number: str) -> Order | None:
        if number in self._rows:
            row = self._rows[number]
            return None if row is None else _decode(row)
        return None if self._projected is None else self._projected.get(number)

    def find(self, wanted: OrderFilter, limit: int | None) -> list[Order]:
        found = [order for order in self._decoded() if wanted.matches(order)]
        if self._projected is not None:
            # As many of its orders as we have rows may be superseded.
            most = None if limit is None else limit + len(self._rows)
            found += self._current(self._projected.find(wanted, most))
        return sorted(found, key=list_key)[:limit]

    def in_store(self, store: str) -> list[Order]:
        found = list(self._decoded(b'"store":' + msgspec.json.encode(store)))
        if self._projected is not None:
            found += self._current(self._projected.in_store(store))
        return sorted((it for it in found if _concerns(it, store)), key=lambda order: (order.placed_ms, order.order))

    def _current(self, projected: list[Order]) -> list[Order]:
        return [order for order in projected if order.order not in self._rows]

    def _decoded(self, needle: bytes = b"") -> Iterator[Order]:
        """Orders of our rows whose bytes contain a text: most rows need not be decoded."""
        return (_decode(row) for row in self._rows.values() if row is not None and needle in row)


def _concerns(order: Order, store: str) -> bool:
    return any(line.store == store for line in order.live) or any(task.store == store for task in order.tasks)
