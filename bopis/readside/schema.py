"""The tables of the read side: the rows of each feed, and how far each feed was read.

Instants are milliseconds since the epoch in UTC (``_ms``), as in the core. A row made from a record of the log has the
record's place in the log as its key, so a record cannot be in a table twice.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, Table, Text, literal_column

from bopis.readside.column_types import clocks, key, log_position, optional, origin, required
from bopis.readside.column_types import metadata as metadata
from bopis.readside.orders import tables as _orders  # noqa: F401  (registers the tables of orders in the metadata)

# How far each partition was read. ``source_position``, ``claim`` and ``stale`` are those of a changelog's reader.
consumed = Table(
    "consumed",
    metadata,
    key("topic"),
    key("partition", Integer),
    required("position", BigInteger),
    required("recorded_ms", BigInteger),
    required("updated_ms", BigInteger),
    required("source_position", BigInteger),
    required("claim", BigInteger),
    required("stale", Boolean),
)

# Feed of the stores topic.
stores = Table(
    "stores",
    metadata,
    key("store"),
    required("name"),
    required("city"),
    required("state"),
    required("postal_code"),
    optional("latitude", Double),
    optional("longitude", Double),
    required("time_zone"),
    # Stated hours as JSON. Stores that were imported by an older version have neither hours nor a street.
    optional("hours", Text),
    optional("street"),
)

# Feed of the inventory's changelog: current stock.
levels = Table(
    "levels",
    metadata,
    key("store"),
    key("sku"),
    required("partition", Integer),
    required("on_hand", BigInteger),
    required("held", BigInteger),
    required("staged", BigInteger),
    required("in_doubt", BigInteger),
    required("quarantined", BigInteger),
    required("damaged", BigInteger),
    required("counted_ms", BigInteger),
    required("counted_by"),
    required("staged_counted", Boolean),
    required("doubted_ms", BigInteger),
    required("sold_since_ms", BigInteger),
    required("sold", BigInteger),
    required("sold_before", BigInteger),
    required("category"),
    Index(None, "sku"),
    # A category is in few of the rows; without it, the table of stock would read all of them to find a page.
    Index(None, "category", "sku"),
    sqlite_with_rowid=False,
)
# Units that are neither held nor in doubt, before stock rules. SQLite takes the index of few units for a query that
# has its condition word for word, so the limit is part of the text, and a change of it is a migration.
free_units = levels.c.on_hand - levels.c.held - levels.c.in_doubt
FREE_UNITS_LOW_MAX = 5
is_low = free_units <= literal_column(str(FREE_UNITS_LOW_MAX))
Index("ix_levels_low", levels.c.store, levels.c.sku, sqlite_where=is_low, postgresql_where=is_low)

store_policy = Table(
    "store_policy",
    metadata,
    key("store"),
    required("partition", Integer),
    required("pickup", Boolean),
    required("staleness_grace_minutes", Integer),
    required("rules", Text),
    Column("staleness_percent", Integer, nullable=False, server_default="100"),
)

devices = Table(
    "devices",
    metadata,
    key("store"),
    key("source"),
    required("partition", Integer),
    required("mark", BigInteger),
    required("top", BigInteger),
    required("heard_ms", BigInteger),
    required("open_holes", Text),
    required("closed_holes", Text),
    Column("baskets_by_hour", Text, nullable=False, server_default="[]"),
    sqlite_with_rowid=False,
)

holds = Table(
    "holds",
    metadata,
    key("store"),
    key("hold"),
    required("partition", Integer),
    required("order_id"),
    required("granted_ms", BigInteger),
    required("until_ms", BigInteger),
    required("promised_ms", BigInteger),
    required("active", Boolean),
    sqlite_with_rowid=False,
)

hold_lines = Table(
    "hold_lines",
    metadata,
    key("store"),
    key("hold"),
    key("position", Integer),
    required("line", Integer),
    required("sku"),
    required("quantity", BigInteger),
    required("picked", BigInteger),
    required("lost", BigInteger),
    required("state"),
    Index(None, "store", "sku"),
    sqlite_with_rowid=False,
)

# Goods between two stores, as the receiving store knows them; ``expected_ms`` is 0 without a date.
transfers = Table(
    "transfers",
    metadata,
    key("store"),
    key("transfer"),
    required("partition", Integer),
    required("from_store"),
    required("is_announced", Boolean),
    required("is_received", Boolean),
    required("expected_ms", BigInteger),
    required("heard_ms", BigInteger),
    Index(None, "from_store"),
    sqlite_with_rowid=False,
)

transfer_lines = Table(
    "transfer_lines",
    metadata,
    key("store"),
    key("transfer"),
    key("sku"),
    required("announced", BigInteger),
    required("received", BigInteger),
    Index(None, "store", "sku"),
    sqlite_with_rowid=False,
)

# Expected units by document; a document that was received or withdrawn has no line.
expected_lines = Table(
    "expected_lines",
    metadata,
    key("store"),
    key("document"),
    key("sku"),
    required("partition", Integer),
    required("expected_ms", BigInteger),
    required("quantity", BigInteger),
    required("overdue", Boolean),
    Index(None, "store", "sku"),
    Index(None, "sku"),
    sqlite_with_rowid=False,
)

# The second fold: history.
movements = Table(
    "movements",
    metadata,
    *log_position(),
    required("store"),
    required("sku"),
    required("kind"),
    required("change", BigInteger),
    required("applied", BigInteger),
    required("on_hand_after", BigInteger),
    *clocks(),
    *origin(),
    optional("sequence", BigInteger),
    optional("reference"),
    # Units that count towards the selling rate; set for baskets only.
    optional("sold", BigInteger),
    # Whether staged goods were counted, too; set for counts only.
    optional("staged_counted", Boolean),
    Index(None, "store", "sku", "occurred_ms"),
    Index(None, "store", "sku", "recorded_ms"),
    sqlite_with_rowid=False,
)

standings = Table(
    "standings",
    metadata,
    *log_position(),
    required("store"),
    required("sku"),
    required("on_hand", BigInteger),
    required("held", BigInteger),
    required("staged", BigInteger),
    required("in_doubt", BigInteger),
    required("category"),
    # Rows of an older version have neither until the next change of their level.
    Column("quarantined", BigInteger, nullable=False, server_default="0"),
    Column("damaged", BigInteger, nullable=False, server_default="0"),
    *clocks(),
    *origin(),
    Index(None, "store", "sku", "recorded_ms"),
    sqlite_with_rowid=False,
)

hold_history = Table(
    "hold_history",
    metadata,
    *log_position(),
    required("store"),
    required("sku"),
    required("hold"),
    required("order_id"),
    required("order_line", Integer),
    required("term"),
    required("how"),
    required("units", BigInteger),
    *clocks(),
    *origin(),
    Index(None, "store", "sku", "occurred_ms"),
    Index(None, "store", "hold"),
    sqlite_with_rowid=False,
)

policy_history = Table(
    "policy_history",
    metadata,
    *log_position(),
    required("store"),
    required("name"),
    optional("safety_stock", BigInteger),
    optional("walk_in_reserve", BigInteger),
    optional("pickup", Boolean),
    optional("staleness_grace_minutes", Integer),
    *clocks(),
    *origin(),
    optional("staleness_percent", Integer),
    Index(None, "store", "name", "recorded_ms"),
    sqlite_with_rowid=False,
)

inventory_events = Table(
    "inventory_events",
    metadata,
    *log_position(),
    required("id"),
    required("type"),
    required("store"),
    optional("sku"),
    optional("hold"),
    optional("order_id"),
    *clocks(),
    *origin(),
    required("body", Text),
    Index(None, "store", "recorded_ms"),
    Index(None, "order_id"),
    sqlite_with_rowid=False,
)

# The newest report of each store, and every silence that outlasted its grace time (see `history.last_message`).
heard = Table(
    "heard",
    metadata,
    key("store"),
    required("partition", Integer),
    required("heard_ms", BigInteger),
    required("since_ms", BigInteger),
    required("source"),
    required("message_id"),
)

silences = Table(
    "silences",
    metadata,
    key("partition", Integer),
    key("offset", BigInteger),
    required("store"),
    required("since_ms", BigInteger),
    required("until_ms", BigInteger),
    required("heard_ms", BigInteger),
    Index(None, "store", "since_ms"),
    sqlite_with_rowid=False,
)

# Baskets by hour of a device (`bopis.domain.inventory.staleness`), each time that a week's hours take effect.
basket_hours = Table(
    "basket_hours",
    metadata,
    key("partition", Integer),
    key("offset", BigInteger),
    required("store"),
    required("source"),
    required("since_ms", BigInteger),
    required("baskets_by_hour", Text),
    Index(None, "store", "since_ms"),
    sqlite_with_rowid=False,
)

# Messages of journals of store agents that move units, as they were sent: what an agent compares its journal with.
# ``digest`` is the SHA-256 of the bytes, ``units`` the stated changes by code, as JSON.
ledger = Table(
    "ledger",
    metadata,
    key("store"),
    key("source"),
    key("sequence", BigInteger),
    required("message_id"),
    required("digest", LargeBinary),
    required("units", Text),
    *clocks(),
    sqlite_with_rowid=False,
)

# Differences about a message of a journal that a person has closed.
ledger_closings = Table(
    "ledger_closings",
    metadata,
    key("store"),
    key("source"),
    key("sequence", BigInteger),
    *clocks(),
    optional("actor"),
    required("message_id"),
    required("note"),
    sqlite_with_rowid=False,
)

# The newest heartbeat of each store agent, and the newest comparison of its journal with the books.
agents = Table(
    "agents",
    metadata,
    key("store"),
    key("source"),
    required("version"),
    optional("clock_ahead_ms", BigInteger),
    required("depth", BigInteger),
    required("rejects", BigInteger),
    required("changed", BigInteger),
    *clocks(),
)

agent_comparisons = Table(
    "agent_comparisons",
    metadata,
    key("store"),
    key("source"),
    required("comparison", Text),
    *clocks(),
)

fold_rows = Table(
    "fold_rows",
    metadata,
    key("partition", Integer),
    key("key"),
    required("row", LargeBinary),
    optional("due_ms", BigInteger),
)
Index(
    "ix_fold_rows_partition_due_ms",
    fold_rows.c.partition,
    fold_rows.c.due_ms,
    sqlite_where=fold_rows.c.due_ms.is_not(None),
    postgresql_where=fold_rows.c.due_ms.is_not(None),
)
