"""Pickup orders: the orders of a snapshot, and the history of one of them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Select, and_, or_, select

from bopis.domain.orders.events import RouteTaken
from bopis.domain.orders.numbers import NUMBER_LENGTH
from bopis.domain.orders.state import Order
from bopis.domain.sourcing.decision import Answer
from bopis.domain.sourcing.request import Request
from bopis.names import ORDER_EVENTS_TOPIC, ORDER_STATE_TOPIC, ORDERS_TOPIC
from bopis.ports import OrderFilter, ProjectedPosition
from bopis.readside.changes import NO_POSITION
from bopis.readside.engine import Source, reading
from bopis.readside.orders.history import name_of
from bopis.readside.orders.tables import order_decisions, order_lines, order_tasks, order_timeline
from bopis.readside.orders.tables import orders as order_rows
from bopis.readside.queries.answers import instant
from bopis.readside.queries.order_answers import DecisionAnswer, EventAnswer, OrderHistory
from bopis.readside.schema import consumed

# No number that begins with a prefix sorts behind the prefix and this, whatever the database's collation.
_HIGHEST = "Z" * NUMBER_LENGTH
_TAKEN = name_of(RouteTaken)
_order = msgspec.json.Decoder(Order).decode
_answer = msgspec.json.Decoder(Answer).decode
_request = msgspec.json.Decoder(Request).decode


class SqlOrders:
    """`bopis.ports.ProjectedOrders` over one snapshot. Its orders lack the hashes of their pickup codes."""

    def __init__(self, snapshot: Connection) -> None:
        self._snapshot = snapshot

    def get(self, number: str) -> Order | None:
        """The order with this number."""
        found = self._orders(select(order_rows.c.row).where(order_rows.c.order_id == number))
        return found[0] if found else None

    def find(self, wanted: OrderFilter, limit: int | None) -> list[Order]:
        """Orders that match a filter, the newest first, at most `limit`."""
        newest_first = order_rows.c.placed_ms.desc(), order_rows.c.order_id
        query = select(order_rows.c.row).where(*_conditions(wanted)).order_by(*newest_first)
        return self._orders(query.limit(limit))

    def in_store(self, store: str) -> list[Order]:
        """Open orders with lines in a store, and every order that left a task there."""
        number = order_rows.c.order_id
        with_tasks = select(order_tasks.c.order_id).where(order_tasks.c.store == store)
        wanted = or_(and_(order_rows.c.live, _has_lines_in(store)), number.in_(with_tasks))
        return self._orders(select(order_rows.c.row).where(wanted))

    def changelog_positions(self) -> dict[int, ProjectedPosition]:
        """How far each partition of the orders' changelog was read; partitions that were never read are left out."""
        query = select(consumed).where(consumed.c.topic == ORDER_STATE_TOPIC, consumed.c.position > NO_POSITION)
        rows = self._snapshot.execute(query)
        return {row.partition: ProjectedPosition(row.position, row.claim, row.stale) for row in rows}

    def positions(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The offset of the last record that was read of each (topic, partition); those never read are left out."""
        query = select(consumed).where(consumed.c.topic.in_(list(topics)), consumed.c.position > NO_POSITION)
        return {(row.topic, row.partition): row.position for row in self._snapshot.execute(query)}

    def history_offsets(self, number: str) -> dict[tuple[str, int], list[int]]:
        """Offsets of the events and decisions of an order in the log, rising, by (topic, partition)."""
        found: dict[tuple[str, int], list[int]] = {}
        for topic, table in ((ORDER_EVENTS_TOPIC, order_timeline), (ORDERS_TOPIC, order_decisions)):
            query = select(table.c.partition, table.c.offset).where(table.c.order_id == number)
            for row in self._snapshot.execute(query.order_by(table.c.partition, table.c.offset)):
                found.setdefault((topic, row.partition), []).append(row.offset)
        return found

    def _orders(self, query: Select[Any]) -> list[Order]:
        return [_order(row) for row in self._snapshot.execute(query).scalars()]


class OrdersInSql:
    """`bopis.ports.OrderProjection` over the read side."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def snapshot(self) -> Iterator[SqlOrders]:
        """Its orders at one moment."""
        with reading(self._engine) as connection:
            yield SqlOrders(connection)


def order_history(source: Source, number: str) -> OrderHistory:
    """The events of an order in the log's order, and how its stores were chosen; both empty for an unknown order."""
    decided = select(order_decisions).where(order_decisions.c.order_id == number)
    decided = decided.order_by(order_decisions.c.attempt, order_decisions.c.recorded_ms, order_decisions.c.digest)
    happened = select(order_timeline).where(order_timeline.c.order_id == number)
    happened = happened.order_by(order_timeline.c.partition, order_timeline.c.offset)
    with reading(source) as connection:
        timeline = tuple(_event(row) for row in connection.execute(happened))
        decisions = connection.execute(decided).all()
    taken = {(event.data["attempt"], event.data["digest"]) for event in timeline if event.type == _TAKEN}
    return OrderHistory(timeline=timeline, decisions=tuple(_decision(row, taken) for row in decisions))


def _conditions(wanted: OrderFilter) -> Iterator[Any]:
    """`OrderFilter.matches` as SQL."""
    # Kept equal to it by a test: `OrderBook` filters rows of the log with the one and the rest with the other.
    column = order_rows.c
    if wanted.prefix:
        yield column.order_id.between(wanted.prefix, wanted.prefix + _HIGHEST)
    if not wanted.ended:
        yield column.live
    if wanted.state is not None:
        yield column.state == wanted.state.value
    if wanted.store is not None:
        yield or_(column.store == wanted.store, _has_lines_in(wanted.store))
    if wanted.customer is not None:
        yield column.customer == wanted.customer
    if wanted.placed_since_ms is not None:
        yield column.placed_ms >= wanted.placed_since_ms
    if wanted.placed_before_ms is not None:
        yield column.placed_ms < wanted.placed_before_ms
    if wanted.after is not None:
        placed_ms, number = wanted.after
        # Not as row values: the order is descending in one column and ascending in the other.
        yield or_(column.placed_ms < placed_ms, and_(column.placed_ms == placed_ms, column.order_id > number))


def _has_lines_in(store: str) -> Any:
    return order_rows.c.order_id.in_(select(order_lines.c.order_id).where(order_lines.c.store == store))


def _event(row: Any) -> EventAnswer:
    data = msgspec.json.decode(row.body)
    data.pop("stamp", None)
    return EventAnswer(
        id=row.id,
        type=row.type,
        store=row.store,
        occurred_at=instant(row.occurred_ms),
        recorded_at=instant(row.recorded_ms),
        device=row.source,
        actor=row.actor,
        caused_by=row.message_id,
        data=data,
    )


def _decision(row: Any, taken: set[tuple[int, str]]) -> DecisionAnswer:
    return DecisionAnswer(
        attempt=row.attempt,
        digest=row.digest,
        taken=(row.attempt, row.digest) in taken,
        rules=row.rules,
        decided_at=instant(row.decided_ms),
        recorded_at=instant(row.recorded_ms),
        request=_request(row.request),
        answer=_answer(row.answer),
        partition=row.partition,
        offset=row.offset,
    )
