"""The tables of the read side: what is kept of each feed, and how far each was read.

Instants are milliseconds since the epoch in UTC (``_ms``), as in the core. A row made from a record of the log
has its place there as its key, so that a record can never be in a table twice.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, Table, Text

from bopis.readside.columns import clocks as _clocks
from bopis.readside.columns import key as _key
from bopis.readside.columns import may as _may
from bopis.readside.columns import metadata as metadata
from bopis.readside.columns import must as _must
from bopis.readside.columns import place as _place
from bopis.readside.columns import said as _said
from bopis.readside.orders import tables as orders
from bopis.readside.transit import expected_lines as expected_lines
from bopis.readside.transit import transfer_lines as transfer_lines
from bopis.readside.transit import transfers as transfers

# Named here, so that whoever knows the schema knows the tables of orders, too.
ORDER_TABLES = orders.TABLES

# How far each partition was read. ``source_position`` and the claim belong to changelogs (see ``notes``).
consumed = Table(
    "consumed",
    metadata,
    _key("topic"),
    _key("partition", Integer),
    _must("position", BigInteger),
    _must("recorded_ms", BigInteger),
    _must("updated_ms", BigInteger),
    _must("source_position", BigInteger),
    _must("claim", BigInteger),
    _must("stale", Boolean),
)

# Feed of the stores topic.
stores = Table(
    "stores",
    metadata,
    _key("store"),
    _must("name"),
    _must("city"),
    _must("state"),
    _must("postal_code"),
    _may("latitude", Double),
    _may("longitude", Double),
    _must("time_zone"),
    # What the store states about its hours, as JSON. A store that was imported by an older version has neither.
    _may("hours", Text),
    _may("street"),
)

# Feed of the inventory's rows: the present.
levels = Table(
    "levels",
    metadata,
    _key("store"),
    _key("sku"),
    _must("partition", Integer),
    _must("on_hand", BigInteger),
    _must("held", BigInteger),
    _must("staged", BigInteger),
    _must("in_doubt", BigInteger),
    _must("quarantined", BigInteger),
    _must("damaged", BigInteger),
    _must("counted_ms", BigInteger),
    _must("counted_by"),
    _must("staged_counted", Boolean),
    _must("doubted_ms", BigInteger),
    _must("sold_since_ms", BigInteger),
    _must("sold", BigInteger),
    _must("sold_before", BigInteger),
    _must("category"),
    Index(None, "sku"),
    sqlite_with_rowid=False,
)

store_policy = Table(
    "store_policy",
    metadata,
    _key("store"),
    _must("partition", Integer),
    _must("pickup", Boolean),
    _must("staleness_grace_minutes", Integer),
    _must("rules", Text),
)

devices = Table(
    "devices",
    metadata,
    _key("store"),
    _key("source"),
    _must("partition", Integer),
    _must("mark", BigInteger),
    _must("top", BigInteger),
    _must("heard_ms", BigInteger),
    _must("open_holes", Text),
    _must("closed_holes", Text),
    sqlite_with_rowid=False,
)

holds = Table(
    "holds",
    metadata,
    _key("store"),
    _key("hold"),
    _must("partition", Integer),
    _must("order_id"),
    _must("granted_ms", BigInteger),
    _must("until_ms", BigInteger),
    _must("promised_ms", BigInteger),
    _must("active", Boolean),
    sqlite_with_rowid=False,
)

hold_lines = Table(
    "hold_lines",
    metadata,
    _key("store"),
    _key("hold"),
    _key("position", Integer),
    _must("line", Integer),
    _must("sku"),
    _must("quantity", BigInteger),
    _must("picked", BigInteger),
    _must("lost", BigInteger),
    _must("state"),
    Index(None, "store", "sku"),
    sqlite_with_rowid=False,
)

# The second fold: the past.
movements = Table(
    "movements",
    metadata,
    *_place(),
    _must("store"),
    _must("sku"),
    _must("kind"),
    _must("change", BigInteger),
    _must("applied", BigInteger),
    _must("on_hand_after", BigInteger),
    *_clocks(),
    *_said(),
    _may("sequence", BigInteger),
    _may("reference"),
    # Units that count towards the selling rate; only a till's basket has them.
    _may("sold", BigInteger),
    # Only a count has it: whether staged goods were counted, too.
    _may("staged_counted", Boolean),
    Index(None, "store", "sku", "occurred_ms"),
    Index(None, "store", "sku", "recorded_ms"),
    sqlite_with_rowid=False,
)

standings = Table(
    "standings",
    metadata,
    *_place(),
    _must("store"),
    _must("sku"),
    _must("on_hand", BigInteger),
    _must("held", BigInteger),
    _must("staged", BigInteger),
    _must("in_doubt", BigInteger),
    _must("category"),
    # A level of the version before told of neither until its next change.
    Column("quarantined", BigInteger, nullable=False, server_default="0"),
    Column("damaged", BigInteger, nullable=False, server_default="0"),
    *_clocks(),
    *_said(),
    Index(None, "store", "sku", "recorded_ms"),
    sqlite_with_rowid=False,
)

hold_history = Table(
    "hold_history",
    metadata,
    *_place(),
    _must("store"),
    _must("sku"),
    _must("hold"),
    _must("order_id"),
    _must("order_line", Integer),
    _must("term"),
    _must("how"),
    _must("units", BigInteger),
    *_clocks(),
    *_said(),
    Index(None, "store", "sku", "occurred_ms"),
    Index(None, "store", "hold"),
    sqlite_with_rowid=False,
)

policy_history = Table(
    "policy_history",
    metadata,
    *_place(),
    _must("store"),
    _must("name"),
    _may("safety_stock", BigInteger),
    _may("walk_in_reserve", BigInteger),
    _may("pickup", Boolean),
    _may("staleness_grace_minutes", Integer),
    *_clocks(),
    *_said(),
    Index(None, "store", "name", "recorded_ms"),
    sqlite_with_rowid=False,
)

inventory_events = Table(
    "inventory_events",
    metadata,
    *_place(),
    _must("id"),
    _must("type"),
    _must("store"),
    _may("sku"),
    _may("hold"),
    _may("order_id"),
    *_clocks(),
    *_said(),
    _must("body", Text),
    Index(None, "store", "recorded_ms"),
    Index(None, "order_id"),
    sqlite_with_rowid=False,
)

# What the store had last said, and every silence that outlasted its grace time (see ``silence``).
heard = Table(
    "heard",
    metadata,
    _key("store"),
    _must("partition", Integer),
    _must("heard_ms", BigInteger),
    _must("since_ms", BigInteger),
    _must("source"),
    _must("message_id"),
)

silences = Table(
    "silences",
    metadata,
    _key("partition", Integer),
    _key("offset", BigInteger),
    _must("store"),
    _must("since_ms", BigInteger),
    _must("until_ms", BigInteger),
    _must("heard_ms", BigInteger),
    Index(None, "store", "since_ms"),
    sqlite_with_rowid=False,
)

fold_rows = Table(
    "fold_rows",
    metadata,
    _key("partition", Integer),
    _key("key"),
    _must("row", LargeBinary),
    _may("due_ms", BigInteger),
)
Index(
    "ix_fold_rows_partition_due_ms",
    fold_rows.c.partition,
    fold_rows.c.due_ms,
    sqlite_where=fold_rows.c.due_ms.is_not(None),
    postgresql_where=fold_rows.c.due_ms.is_not(None),
)
