"""The tables of pickup orders. Names and contacts of customers are sealed in them, as in the log.

Current rows come from ``order-state`` and ``notice-state``, the timeline from ``order-events``, decisions from
``orders``. An event that a worker repeats after a crash keeps its id, so the timeline is keyed by ids.
"""

from sqlalchemy import BigInteger, Boolean, Index, Integer, Table, Text

from bopis.readside.column_types import clocks, key, metadata, optional, origin, required

# Current orders. ``row`` is the row of the processor without the memory of message ids and the code's hashes.
orders = Table(
    "orders",
    metadata,
    key("order_id"),
    required("partition", Integer),
    required("state"),
    required("live", Boolean),
    required("store"),
    required("customer"),
    required("payment"),
    required("placed_ms", BigInteger),
    optional("slot_from_ms", BigInteger),
    optional("slot_to_ms", BigInteger),
    required("row", Text),
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
    required("sku"),
    required("quantity", BigInteger),
    required("unit_cents", BigInteger),
    required("state"),
    required("store"),
    required("hold"),
    required("parent", Integer),
    required("picked", BigInteger),
    required("returned", BigInteger),
    required("ordered_sku"),
    optional("short"),
    Index(None, "store", "state"),
    Index(None, "sku"),
    sqlite_with_rowid=False,
)

# The next step for an order in a store, and when it is due. Ended work has no row.
store_work = Table(
    "store_work",
    metadata,
    key("order_id"),
    key("store"),
    required("step"),
    required("due_ms", BigInteger),
    required("ready_by_ms", BigInteger),
    required("picker"),
    required("location"),
    required("arrival"),
    required("spot"),
    required("arrived_ms", BigInteger),
    required("window_end_ms", BigInteger),
    required("escalations", Integer),
    required("lines", Integer),
    required("units", BigInteger),
    Index(None, "store", "due_ms"),
    sqlite_with_rowid=False,
)

# Open tasks that orders left in stores.
order_tasks = Table(
    "order_tasks",
    metadata,
    key("order_id"),
    key("task"),
    required("kind"),
    required("store"),
    required("sku"),
    required("hold"),
    Index(None, "store"),
    sqlite_with_rowid=False,
)

# Every event. ``source`` is the device, ``message_id`` the message behind it. KPIs are made from lines, units, missing
# units, the promised or set instant, and the reason.
order_timeline = Table(
    "order_timeline",
    metadata,
    key("order_id"),
    key("id"),
    required("partition", Integer),
    required("offset", BigInteger),
    required("type"),
    optional("store"),
    optional("lines", Integer),
    optional("units", BigInteger),
    optional("missing", BigInteger),
    optional("due_ms", BigInteger),
    optional("reason"),
    *clocks(),
    *origin(),
    required("body", Text),
    Index(None, "type", "occurred_ms"),
    Index(None, "store", "recorded_ms"),
    sqlite_with_rowid=False,
)

# How stores were chosen. The facts are in the log, at ``partition`` and ``offset``.
order_decisions = Table(
    "order_decisions",
    metadata,
    key("order_id"),
    key("attempt", Integer),
    key("digest"),
    required("partition", Integer),
    required("offset", BigInteger),
    required("rung"),
    required("outcome"),
    optional("reason"),
    required("stores"),
    required("rules"),
    required("decided_ms", BigInteger),
    required("recorded_ms", BigInteger),
    required("request", Text),
    required("answer", Text),
    Index(None, "decided_ms"),
    sqlite_with_rowid=False,
)

# Deliveries of notices by channel, and why one was not sent.
order_notices = Table(
    "order_notices",
    metadata,
    key("order_id"),
    key("milestone"),
    key("version", Integer),
    key("copy", Integer),
    key("channel"),
    required("partition", Integer),
    required("store"),
    required("state"),
    required("attempt", Integer),
    required("failures", Integer),
    required("opened_ms", BigInteger),
    required("changed_ms", BigInteger),
    required("due_ms", BigInteger),
    required("cause"),
    required("provider_id"),
    Index(None, "state", "changed_ms"),
    sqlite_with_rowid=False,
)
