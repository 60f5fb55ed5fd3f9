"""Pickup orders: one by its number, many by what they have in common, and why one is as it is."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Select, func, select, tuple_

from bopis.domain.orders.events import RouteTaken
from bopis.domain.orders.numbers import MISREAD
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.terms import PaymentState
from bopis.domain.sourcing.decision import Answer
from bopis.domain.sourcing.request import Request
from bopis.domain.values import epoch_ms
from bopis.readside.engine import reading
from bopis.readside.errors import CursorInvalid, OrderUnclear, OrderUnknown
from bopis.readside.orders.past import name_of
from bopis.readside.orders.tables import order_decisions, order_lines, order_timeline, store_work
from bopis.readside.orders.tables import orders as order_rows
from bopis.readside.queries.answers import Page, instant, instant_or_none
from bopis.readside.queries.order_answers import (
    DecisionAnswer,
    EventAnswer,
    OrderBrief,
    OrderFilter,
    OrderPage,
    OrderStory,
)

PREFIX_LENGTH_MIN = 2
CLOSE_MAX = 5
_TAKEN = name_of(RouteTaken)
_order = msgspec.json.Decoder(Order).decode
_answer = msgspec.json.Decoder(Answer).decode
_request = msgspec.json.Decoder(Request).decode


def one_order(engine: Engine, text: str) -> Order:
    """The order that somebody means by its number or the begin of it; of several, the only one that is open.

    Raises `OrderUnknown`, or `OrderUnclear` with those that begin so.
    """
    with reading(engine) as connection:
        return _named(connection, text)


def order_story(engine: Engine, text: str) -> OrderStory:
    """An order with everything that happened to it and how its stores were chosen. Raises as `one_order`."""
    with reading(engine) as connection:
        order = _named(connection, text)
        timeline = _timeline(connection, order.order)
        taken = {(it.data["attempt"], it.data["digest"]) for it in timeline if it.type == _TAKEN}
        found = select(order_decisions).where(order_decisions.c.order_id == order.order)
        found = found.order_by(order_decisions.c.attempt, order_decisions.c.recorded_ms, order_decisions.c.digest)
        decisions = tuple(_decision(row, taken) for row in connection.execute(found))
    return OrderStory(order=order, state=order.state, timeline=timeline, decisions=decisions)


def orders(engine: Engine, wanted: OrderFilter = OrderFilter(), page: Page = Page()) -> OrderPage:
    """Orders by when they were placed, the newest first. Raises `CursorInvalid`."""
    query = _filtered(wanted).order_by(order_rows.c.placed_ms.desc(), order_rows.c.order_id.desc())
    if page.cursor is not None:
        before = tuple_(order_rows.c.placed_ms, order_rows.c.order_id)
        query = query.where(before < tuple_(*_place(page.cursor)))
    with reading(engine) as connection:
        rows = connection.execute(query.limit(page.rows + 1)).all()
        kept = rows[: page.rows]
        found = _briefs(connection, kept)
    last = kept[-1] if len(rows) > page.rows else None
    return OrderPage(orders=found, next=None if last is None else f"{last.placed_ms}.{last.order_id}")


def orders_of(engine: Engine, customer: str) -> list[Order]:
    """Every order of a customer, the oldest first."""
    query = select(order_rows.c.row).where(order_rows.c.customer == customer)
    with reading(engine) as connection:
        found = connection.execute(query.order_by(order_rows.c.placed_ms, order_rows.c.order_id)).scalars()
        return [_order(row) for row in found]


def open_numbers(engine: Engine, begin: str = "", limit: int = 50) -> list[str]:
    """Numbers of open orders that begin so, the newest first: for completion while somebody types."""
    query = select(order_rows.c.order_id).where(order_rows.c.live, begins(begin.upper().translate(MISREAD)))
    with reading(engine) as connection:
        return list(connection.execute(query.order_by(order_rows.c.placed_ms.desc()).limit(limit)).scalars())


def _named(connection: Connection, text: str) -> Order:
    wanted = text.upper().translate(MISREAD)
    exact = connection.execute(select(order_rows.c.row).where(order_rows.c.order_id == wanted)).scalar()
    if exact is not None:
        return _order(exact)
    if len(wanted) < PREFIX_LENGTH_MIN:
        raise OrderUnknown(order=text)
    query = select(order_rows.c.order_id, order_rows.c.row).where(begins(wanted))
    query = query.order_by(order_rows.c.live.desc(), order_rows.c.order_id)
    open_ones = connection.execute(query.where(order_rows.c.live).limit(CLOSE_MAX)).all()
    near = open_ones or connection.execute(query.limit(CLOSE_MAX)).all()
    if not near:
        raise OrderUnknown(order=text)
    if len(near) > 1:
        raise OrderUnclear(text=text, orders=", ".join(it.order_id for it in near))
    return _order(near[0].row)


def begins(text: str) -> Any:
    """The condition that an order's number begins so."""
    # Numbers are ASCII letters and digits, so what begins with a text lies before the text and the highest of these.
    column = order_rows.c.order_id
    return (column >= text) & (column < text + "\x7f")


def _filtered(wanted: OrderFilter) -> Select[Any]:
    query = select(order_rows)
    if wanted.store is not None:
        there = select(order_lines.c.order_id).where(order_lines.c.store == wanted.store)
        query = query.where((order_rows.c.store == wanted.store) | order_rows.c.order_id.in_(there))
    if wanted.state is not None:
        query = query.where(order_rows.c.state == wanted.state.value)
    if wanted.customer is not None:
        query = query.where(order_rows.c.customer == wanted.customer)
    if wanted.live is not None:
        query = query.where(order_rows.c.live if wanted.live else ~order_rows.c.live)
    if wanted.since is not None:
        query = query.where(order_rows.c.placed_ms >= epoch_ms(wanted.since))
    if wanted.until is not None:
        query = query.where(order_rows.c.placed_ms < epoch_ms(wanted.until))
    return query


def _briefs(connection: Connection, rows: Iterable[Any]) -> tuple[OrderBrief, ...]:
    rows = list(rows)
    numbers = [row.order_id for row in rows]
    counted = select(
        order_lines.c.order_id, func.count().label("lines"), func.sum(order_lines.c.quantity).label("units")
    ).where(order_lines.c.order_id.in_(numbers))
    sums = {it.order_id: it for it in connection.execute(counted.group_by(order_lines.c.order_id))}
    due = select(store_work.c.order_id, store_work.c.ready_by_ms, store_work.c.window_end_ms)
    work: dict[str, list[Any]] = {}
    for it in connection.execute(due.where(store_work.c.order_id.in_(numbers))):
        work.setdefault(it.order_id, []).append(it)
    return tuple(_brief(row, sums.get(row.order_id), work.get(row.order_id, ())) for row in rows)


def _brief(row: Any, sums: Any, work: Iterable[Any]) -> OrderBrief:
    work = list(work)
    return OrderBrief(
        order=row.order_id,
        state=LineState(row.state),
        live=row.live,
        store=row.store,
        customer=row.customer,
        payment=PaymentState(row.payment),
        placed_at=instant(row.placed_ms),
        lines=sums.lines if sums else 0,
        units=int(sums.units) if sums else 0,
        # Ready as a whole when the last store is, and kept until the first one gives its goods back.
        ready_by=instant_or_none(max((it.ready_by_ms for it in work), default=0)),
        window_end=instant_or_none(min((it.window_end_ms for it in work if it.window_end_ms), default=0)),
    )


def _timeline(connection: Connection, order: str) -> tuple[EventAnswer, ...]:
    query = select(order_timeline).where(order_timeline.c.order_id == order)
    rows = connection.execute(query.order_by(order_timeline.c.partition, order_timeline.c.offset))
    return tuple(_event(row) for row in rows)


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


def _place(cursor: str) -> tuple[int, str]:
    placed_ms, _, order = cursor.partition(".")
    if not placed_ms.isdigit() or not order:
        raise CursorInvalid(cursor=cursor)
    return int(placed_ms), order
