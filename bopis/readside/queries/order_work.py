"""What a store has to do: its queue of orders, the tasks that orders left behind; and what customers were told."""

from typing import Any

import msgspec
from sqlalchemy import Engine, Select, select

from bopis.domain.orders.events import TaskRaised
from bopis.domain.orders.terms import TaskKind
from bopis.readside.engine import reading
from bopis.readside.orders.past import name_of
from bopis.readside.orders.tables import order_notices as notice_rows
from bopis.readside.orders.tables import order_tasks, order_timeline, store_work
from bopis.readside.orders.work import Step
from bopis.readside.queries.answers import instant, instant_or_none
from bopis.readside.queries.order_answers import NoticeAnswer, TaskAnswer, WorkAnswer

_NOTICE = ("milestone", "version", "copy", "channel", "store", "state", "attempt", "failures", "cause", "provider_id")
_COLUMNS = tuple(it.name for it in store_work.columns if it.name not in ("order_id", "step"))


class _Raised(msgspec.Struct):
    task: str


_raised = msgspec.json.Decoder(_Raised).decode


def pickup_queue(engine: Engine, store: str) -> list[WorkAnswer]:
    """What a store has to do for each order: who stands at the counter first, then by due time."""
    query = select(store_work).where(store_work.c.store == store)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    found = [
        WorkAnswer(order=row.order_id, step=Step(row.step), **{name: getattr(row, name) for name in _COLUMNS})
        for row in rows
    ]
    return sorted(found, key=lambda it: (not it.arrived_ms, it.due_ms, it.order))


def open_tasks(engine: Engine, store: str | None = None) -> list[TaskAnswer]:
    """Tasks that nobody has done yet, in a store or everywhere, the oldest first."""
    query = select(order_tasks)
    if store is not None:
        query = query.where(order_tasks.c.store == store)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        numbers = {row.order_id for row in rows}
        past = select(order_timeline).where(
            order_timeline.c.type == name_of(TaskRaised), order_timeline.c.order_id.in_(numbers)
        )
        raised = {_raised(row.body).task: row for row in connection.execute(past)}
    found = []
    for row in rows:
        told = raised.get(row.task)
        found.append(
            TaskAnswer(
                task=row.task,
                order=row.order_id,
                kind=TaskKind(row.kind),
                store=row.store,
                sku=row.sku,
                hold=row.hold,
                units=int(told.units or 0) if told else 0,
                raised_at=instant(told.occurred_ms) if told else None,
            )
        )
    return sorted(found, key=lambda it: (it.raised_at is None, it.raised_at, it.task))


def order_notices(engine: Engine, order: str) -> list[NoticeAnswer]:
    """What a customer is told about an order, by notice and channel, in the order in which it was to be said."""
    found = _notices(engine, select(notice_rows).where(notice_rows.c.order_id == order))
    return sorted(found, key=lambda it: (it.opened_at, it.milestone, it.version, it.copy, it.channel))


def newest_notices(engine: Engine, state: str | None, limit: int) -> list[NoticeAnswer]:
    """What customers are told, in one state or in any, what changed last first; at most so many."""
    query = select(notice_rows).order_by(notice_rows.c.changed_ms.desc(), notice_rows.c.order_id).limit(limit)
    return _notices(engine, query if state is None else query.where(notice_rows.c.state == state))


def _notices(engine: Engine, query: Select[Any]) -> list[NoticeAnswer]:
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return [
        NoticeAnswer(
            order=row.order_id,
            opened_at=instant(row.opened_ms),
            changed_at=instant_or_none(row.changed_ms),
            due_at=instant_or_none(row.due_ms),
            **{name: getattr(row, name) for name in _NOTICE},
        )
        for row in rows
    ]
