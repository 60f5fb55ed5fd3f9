"""Work of stores (the queue and open tasks), and notices to customers."""

from typing import Any

import msgspec
from sqlalchemy import Select, select

from bopis.domain.orders.events import TaskRaised
from bopis.domain.orders.store_queue import NEVER_MS, TASK_STEPS, WorkStep
from bopis.domain.orders.vocabulary import TaskKind
from bopis.readside.engine import Source, reading
from bopis.readside.orders.history import name_of
from bopis.readside.orders.tables import order_notices as notice_rows
from bopis.readside.orders.tables import order_tasks, order_timeline, store_work
from bopis.readside.queries.answers import instant, instant_or_none
from bopis.readside.queries.order_answers import NoticeAnswer, TaskAnswer, WorkAnswer

_NOTICE = ("milestone", "version", "copy", "channel", "store", "state", "attempt", "failures", "cause", "provider_id")
_COLUMNS = tuple(column.name for column in store_work.columns if column.name not in ("order_id", "step"))


class _Raised(msgspec.Struct):
    task: str


_raised = msgspec.json.Decoder(_Raised).decode


def pickup_queue(source: Source, store: str | None = None) -> list[WorkAnswer]:
    """Work queue of one store or of all, in the order of `store_queue.queue`: arrived customers first, tasks last."""
    steps, tasks = select(store_work), select(order_tasks)
    if store is not None:
        steps, tasks = steps.where(store_work.c.store == store), tasks.where(order_tasks.c.store == store)
    with reading(source) as connection:
        step_rows = connection.execute(steps).all()
        task_rows = connection.execute(tasks).all()
    found = [
        WorkAnswer(order=row.order_id, step=WorkStep(row.step), **{name: getattr(row, name) for name in _COLUMNS})
        for row in step_rows
    ]
    found += [_task_work(row) for row in task_rows]
    return sorted(found, key=lambda work: (not work.arrived_ms, work.due_ms, work.order, work.task, work.store))


def _task_work(row: Any) -> WorkAnswer:
    return WorkAnswer(
        order=row.order_id,
        store=row.store,
        step=TASK_STEPS[TaskKind(row.kind)],
        due_ms=NEVER_MS,
        ready_by_ms=0,
        picker="",
        location="",
        arrival="",
        spot="",
        arrived_ms=0,
        window_end_ms=0,
        escalations=0,
        lines=0,
        units=0,
        task=row.task,
        sku=row.sku,
    )


def open_tasks(source: Source, store: str | None = None) -> list[TaskAnswer]:
    """Tasks that are not done yet, in one store or in all, the oldest first."""
    query = select(order_tasks) if store is None else select(order_tasks).where(order_tasks.c.store == store)
    with reading(source) as connection:
        rows = connection.execute(query).all()
        # Units and time are in the event that raised the task, which a slower feed may not have brought yet.
        raised_rows = select(order_timeline).where(
            order_timeline.c.type == name_of(TaskRaised), order_timeline.c.order_id.in_({row.order_id for row in rows})
        )
        raised = {_raised(row.body).task: row for row in connection.execute(raised_rows)}
    found = [_task(row, raised.get(row.task)) for row in rows]
    return sorted(found, key=lambda task: (task.raised_at is None, task.raised_at, task.task))


def order_notices(source: Source, order: str) -> list[NoticeAnswer]:
    """Notices about an order, by notice and channel, in the order in which they were due."""
    found = _notices(source, select(notice_rows).where(notice_rows.c.order_id == order))
    return sorted(found, key=lambda it: (it.opened_at, it.milestone, it.version, it.copy, it.channel))


def newest_notices(source: Source, state: str | None, limit: int) -> list[NoticeAnswer]:
    """Notices in one state or in any, the most recently changed first, at most `limit`."""
    query = select(notice_rows).order_by(notice_rows.c.changed_ms.desc(), notice_rows.c.order_id).limit(limit)
    return _notices(source, query if state is None else query.where(notice_rows.c.state == state))


def _task(row: Any, raised: Any) -> TaskAnswer:
    """A row of the tasks, with the event that raised it where the timeline has it already."""
    return TaskAnswer(
        task=row.task,
        order=row.order_id,
        kind=TaskKind(row.kind),
        store=row.store,
        sku=row.sku,
        hold=row.hold,
        units=int(raised.units or 0) if raised else 0,
        raised_at=instant(raised.occurred_ms) if raised else None,
    )


def _notices(source: Source, query: Select[Any]) -> list[NoticeAnswer]:
    with reading(source) as connection:
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
