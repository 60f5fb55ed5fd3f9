"""Rows of `store_work`: the entries of stores' work queues, as `bopis.domain.orders.store_queue` defines them.

Tasks have a table of their own (`order_tasks`). How urgent an entry is depends on the clock, so it is no column.
"""

from bopis.domain.orders.state import Order, StoreWork
from bopis.domain.orders.store_queue import work_items

WorkRow = tuple[str, str, str, int, int, str, str, str, str, int, int, int, int, int]


def work_rows(order: Order) -> list[WorkRow]:
    """One row for each store that has a next step for the order."""
    rows = []
    for item in work_items(order):
        if item.task:
            continue
        work = order.at(item.store) or StoreWork(store=item.store)
        row = (
            item.order, item.store, item.step.value, item.due_ms, work.ready_by_ms, item.picker, item.location,
            item.where, item.spot, item.waiting_since_ms, work.window_end_ms, item.escalations, item.lines, item.units,
        )  # fmt: skip
        rows.append(row)
    return rows
