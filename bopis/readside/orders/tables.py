"""The tables of pickup orders. What a customer is called stands in them sealed, as in the log.

The present comes from ``order-state`` and ``notice-state``, the past from ``order-events``, decisions from ``orders``.
A conclusion keeps
its id when a worker concludes it again after a crash, so the past is keyed by ids: whatever comes twice is there once.
"""

from sqlalchemy import BigInteger, Boolean, Index, Integer, Table, Text

from bopis.readside.columns import clocks, key, may, metadata, must, said

# The present. ``row`` is the order as the processor keeps it, without the memory of messages and the code's hashes.
orders = Table(
    "orders",
    metadata,
    key("order_id"),
    must("partition", Integer),
    must("state"),
    must("live", Boolean),
    must("store"),
    must("customer"),
    must("payment"),
    must("placed_ms", BigInteger),
    may("slot_from_ms", BigInteger),
    may("slot_to_ms", BigInteger),
    must("row", Text),
    Index(None, "customer"),
    Index(None, "placed_ms"),
    Index(None, "live", "placed_ms"),
    sqlite_with_rowid=False,
)

order_lines = Table(
    "order_lines",
    metadata,
    key("order_id"),
    key("line", Integer),
    must("sku"),
    must("quantity", BigInteger),
    must("unit_cents", BigInteger),
    must("state"),
    must("store"),
    must("hold"),
    must("parent", Integer),
    must("picked", BigInteger),
    must("returned", BigInteger),
    must("ordered_sku"),
    may("short"),
    Index(None, "store", "state"),
    Index(None, "sku"),
    sqlite_with_rowid=False,
)

# What a store has to do next for an order, and by when. Ended work has no row.
store_work = Table(
    "store_work",
    metadata,
    key("order_id"),
    key("store"),
    must("step"),
    must("due_ms", BigInteger),
    must("ready_by_ms", BigInteger),
    must("picker"),
    must("location"),
    must("arrival"),
    must("spot"),
    must("arrived_ms", BigInteger),
    must("window_end_ms", BigInteger),
    must("escalations", Integer),
    must("lines", Integer),
    must("units", BigInteger),
    Index(None, "store", "due_ms"),
    sqlite_with_rowid=False,
)

# Work that orders left behind and that nobody has done yet.
order_tasks = Table(
    "order_tasks",
    metadata,
    key("order_id"),
    key("task"),
    must("kind"),
    must("store"),
    must("sku"),
    must("hold"),
    Index(None, "store"),
    sqlite_with_rowid=False,
)

# The past: every conclusion. ``source`` is the device, ``message_id`` what caused it. Lines, units, missing units, the
# instant that was promised or set and the reason are what KPIs are made from.
order_timeline = Table(
    "order_timeline",
    metadata,
    key("order_id"),
    key("id"),
    must("partition", Integer),
    must("offset", BigInteger),
    must("type"),
    may("store"),
    may("lines", Integer),
    may("units", BigInteger),
    may("missing", BigInteger),
    may("due_ms", BigInteger),
    may("reason"),
    *clocks(),
    *said(),
    must("body", Text),
    Index(None, "type", "occurred_ms"),
    Index(None, "store", "recorded_ms"),
    sqlite_with_rowid=False,
)

# How stores were chosen. The facts stay in the log, where ``partition`` and ``offset`` say.
order_decisions = Table(
    "order_decisions",
    metadata,
    key("order_id"),
    key("attempt", Integer),
    key("digest"),
    must("partition", Integer),
    must("offset", BigInteger),
    must("rung"),
    must("outcome"),
    may("reason"),
    must("stores"),
    must("rules"),
    must("decided_ms", BigInteger),
    must("recorded_ms", BigInteger),
    must("request", Text),
    must("answer", Text),
    Index(None, "decided_ms"),
    sqlite_with_rowid=False,
)

# What customers are told, by notice and channel: how each delivery stands, and why it did not leave.
order_notices = Table(
    "order_notices",
    metadata,
    key("order_id"),
    key("milestone"),
    key("version", Integer),
    key("copy", Integer),
    key("channel"),
    must("partition", Integer),
    must("store"),
    must("state"),
    must("attempt", Integer),
    must("failures", Integer),
    must("opened_ms", BigInteger),
    must("changed_ms", BigInteger),
    must("due_ms", BigInteger),
    must("cause"),
    must("provider_id"),
    Index(None, "state", "changed_ms"),
    sqlite_with_rowid=False,
)

TABLES = (orders, order_lines, store_work, order_tasks, order_timeline, order_decisions, order_notices)
