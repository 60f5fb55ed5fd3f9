"""The tables of goods on their way: from store to store, and by the documents of suppliers."""

from sqlalchemy import BigInteger, Boolean, Index, Integer, Table

from bopis.readside.columns import key, metadata, must

# Goods between two stores, as the receiving one knows them; ``expected_ms`` is 0 where nobody said when they come.
transfers = Table(
    "transfers",
    metadata,
    key("store"),
    key("transfer"),
    must("partition", Integer),
    must("from_store"),
    must("is_announced", Boolean),
    must("is_received", Boolean),
    must("expected_ms", BigInteger),
    must("heard_ms", BigInteger),
    Index(None, "from_store"),
    sqlite_with_rowid=False,
)

transfer_lines = Table(
    "transfer_lines",
    metadata,
    key("store"),
    key("transfer"),
    key("sku"),
    must("announced", BigInteger),
    must("received", BigInteger),
    Index(None, "store", "sku"),
    sqlite_with_rowid=False,
)

# What documents will bring; a document that was received or withdrawn has no line.
expected_lines = Table(
    "expected_lines",
    metadata,
    key("store"),
    key("document"),
    key("sku"),
    must("partition", Integer),
    must("expected_ms", BigInteger),
    must("quantity", BigInteger),
    must("overdue", Boolean),
    Index(None, "store", "sku"),
    Index(None, "sku"),
    sqlite_with_rowid=False,
)
