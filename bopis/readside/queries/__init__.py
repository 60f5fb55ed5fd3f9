"""What can be asked of the read side. Each function opens its own snapshot, so that one answer is of one moment."""

from bopis.readside.queries.answers import Clock, Page, Span
from bopis.readside.queries.comparison import verify
from bopis.readside.queries.incoming import expected, find_later, later, new_skus, transfers
from bopis.readside.queries.instants import at
from bopis.readside.queries.order_answers import OrderFilter
from bopis.readside.queries.order_work import newest_notices, open_tasks, order_notices, pickup_queue
from bopis.readside.queries.orders import one_order, open_numbers, order_story, orders, orders_of
from bopis.readside.queries.past import history
from bopis.readside.queries.places import all_stores, one_store
from bopis.readside.queries.present import find, levels
from bopis.readside.queries.reasons import why
from bopis.readside.queries.state import gaps, holds, positions, totals

__all__ = [
    "Clock",
    "OrderFilter",
    "Page",
    "Span",
    "all_stores",
    "at",
    "expected",
    "find",
    "find_later",
    "gaps",
    "history",
    "holds",
    "later",
    "levels",
    "new_skus",
    "newest_notices",
    "one_order",
    "one_store",
    "open_numbers",
    "open_tasks",
    "order_notices",
    "order_story",
    "orders",
    "orders_of",
    "pickup_queue",
    "positions",
    "totals",
    "transfers",
    "verify",
    "why",
]
