"""The orders of the read side for those who read on in the log from there."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Engine, Select, select

from bopis.domain.orders.state import Order
from bopis.ports import OrdersWanted, Stand
from bopis.readside.changes import NO_POSITION
from bopis.readside.engine import reading
from bopis.readside.orders.tables import order_decisions, order_lines, order_tasks, order_timeline
from bopis.readside.orders.tables import orders as order_rows
from bopis.readside.queries.orders import begins
from bopis.readside.schema import consumed
from bopis.readside.writer import ORDER_EVENTS, ORDER_STATE, ORDERS

_order = msgspec.json.Decoder(Order).decode


class ReadOrders:
    """`bopis.ports.KnownOrders` over SQL. An order has no hashes of its pickup code here."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def stands(self) -> dict[int, Stand]:
        """Up to where each partition was read; partitions of which nothing was read are left out."""
        query = select(consumed).where(consumed.c.topic == ORDER_STATE, consumed.c.position > NO_POSITION)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return {row.partition: Stand(row.position, row.claim, row.stale) for row in rows}

    def get(self, number: str) -> Order | None:
        """The order of a number."""
        found = self._orders(select(order_rows.c.row).where(order_rows.c.order_id == number))
        return found[0] if found else None

    def find(self, wanted: OrdersWanted, limit: int) -> Iterable[Order]:
        """Orders of a kind, the newest first, at most so many."""
        query = select(order_rows.c.row).order_by(order_rows.c.placed_ms.desc(), order_rows.c.order_id).limit(limit)
        if wanted.begin:
            query = query.where(begins(wanted.begin))
        if not wanted.ended:
            query = query.where(order_rows.c.live)
        if wanted.state is not None:
            query = query.where(order_rows.c.state == wanted.state.value)
        if wanted.store is not None:
            there = select(order_lines.c.order_id).where(order_lines.c.store == wanted.store)
            query = query.where((order_rows.c.store == wanted.store) | order_rows.c.order_id.in_(there))
        return self._orders(query)

    def in_store(self, store: str) -> Iterable[Order]:
        """Open orders with lines in a store, and every order that left a task there."""
        there = select(order_lines.c.order_id).where(order_lines.c.store == store)
        left = select(order_tasks.c.order_id).where(order_tasks.c.store == store)
        number = order_rows.c.order_id
        of_store = (order_rows.c.live & number.in_(there)) | number.in_(left)
        return self._orders(select(order_rows.c.row).where(of_store))

    def read_up_to(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The offset of the last record that was read of each partition; those of which nothing was are left out."""
        query = select(consumed).where(consumed.c.topic.in_(list(topics)), consumed.c.position > NO_POSITION)
        with reading(self._engine) as connection:
            return {(row.topic, row.partition): row.position for row in connection.execute(query)}

    def places(self, number: str) -> dict[tuple[str, int], list[int]]:
        """Where the conclusions about an order and its decisions stand in the log, by (topic, partition), rising."""
        found: dict[tuple[str, int], list[int]] = {}
        with reading(self._engine) as connection:
            for topic, table in ((ORDER_EVENTS, order_timeline), (ORDERS, order_decisions)):
                query = select(table.c.partition, table.c.offset).where(table.c.order_id == number)
                for row in connection.execute(query.order_by(table.c.partition, table.c.offset)):
                    found.setdefault((topic, row.partition), []).append(row.offset)
        return found

    def _orders(self, query: Select[Any]) -> list[Order]:
        with reading(self._engine) as connection:
            return [_order(row) for row in connection.execute(query).scalars()]
