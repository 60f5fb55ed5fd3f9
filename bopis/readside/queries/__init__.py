"""Queries on the read side. Each takes an engine and opens a snapshot of its own, or takes the connection of a snapshot
(`bopis.readside.engine.reading`), so that one answer is of one moment even where it needs several queries."""

from bopis.readside.queries.answers import HistoryClock, HistorySpan, Page, StoreSearch
from bopis.readside.queries.articles import article, articles, unknown_codes, unknown_counts, unknown_stores
from bopis.readside.queries.at_instant import at
from bopis.readside.queries.consistency import verify
from bopis.readside.queries.current import find, levels, on_hand
from bopis.readside.queries.history import history, movements_of, receipts_of
from bopis.readside.queries.incoming import expected, find_later, later, new_skus, transfers, transfers_named
from bopis.readside.queries.order_work import newest_notices, open_tasks, order_notices, pickup_queue
from bopis.readside.queries.orders import order_history
from bopis.readside.queries.progress import gaps, holds, positions
from bopis.readside.queries.reasons import why
from bopis.readside.queries.stores import all_stores, one_store
from bopis.readside.queries.totals import order_outcomes, units_by_store

__all__ = [
    "HistoryClock",
    "HistorySpan",
    "Page",
    "StoreSearch",
    "all_stores",
    "article",
    "articles",
    "at",
    "expected",
    "find",
    "find_later",
    "gaps",
    "history",
    "holds",
    "later",
    "levels",
    "movements_of",
    "new_skus",
    "newest_notices",
    "on_hand",
    "one_store",
    "open_tasks",
    "order_history",
    "order_notices",
    "order_outcomes",
    "pickup_queue",
    "positions",
    "receipts_of",
    "transfers",
    "transfers_named",
    "units_by_store",
    "unknown_codes",
    "unknown_counts",
    "unknown_stores",
    "verify",
    "why",
]
