"""The tables of the read side."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consumed",
        sa.Column("topic", sa.String(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("source_position", sa.BigInteger(), nullable=False),
        sa.Column("claim", sa.BigInteger(), nullable=False),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_consumed")),
    )
    op.create_table(
        "devices",
        sa.Column("store", sa.String(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("top", sa.BigInteger(), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.Column("open_holes", sa.Text(), nullable=False),
        sa.Column("closed_holes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("store", "source", name=op.f("pk_devices")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fold_rows",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), autoincrement=False, nullable=False),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("partition", "key", name=op.f("pk_fold_rows")),
    )
    op.create_index(
        "ix_fold_rows_partition_due_ms",
        "fold_rows",
        ["partition", "due_ms"],
        unique=False,
        sqlite_where=sa.text("due_ms IS NOT NULL"),
        postgresql_where=sa.text("due_ms IS NOT NULL"),
    )
    op.create_table(
        "heard",
        sa.Column("store", sa.String(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("store", name=op.f("pk_heard")),
    )
    op.create_table(
        "hold_history",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("hold", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("order_line", sa.Integer(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("occurred_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset", "line", name=op.f("pk_hold_history")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_hold_history_store_hold"), "hold_history", ["store", "hold"], unique=False)
    op.create_index(
        op.f("ix_hold_history_store_sku_occurred_ms"), "hold_history", ["store", "sku", "occurred_ms"], unique=False
    )
    op.create_table(
        "hold_lines",
        sa.Column("store", sa.String(), autoincrement=False, nullable=False),
        sa.Column("hold", sa.String(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("picked", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("store", "hold", "position", name=op.f("pk_hold_lines")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_hold_lines_store_sku"), "hold_lines", ["store", "sku"], unique=False)
    op.create_table(
        "holds",
        sa.Column("store", sa.String(), autoincrement=False, nullable=False),
        sa.Column("hold", sa.String(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("granted_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("promised_ms", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("store", "hold", name=op.f("pk_holds")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inventory_events",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=True),
        sa.Column("hold", sa.String(), nullable=True),
        sa.Column("order_id", sa.String(), nullable=True),
        sa.Column("occurred_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset", "line", name=op.f("pk_inventory_events")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_inventory_events_order_id"), "inventory_events", ["order_id"], unique=False)
    op.create_index(
        op.f("ix_inventory_events_store_recorded_ms"), "inventory_events", ["store", "recorded_ms"], unique=False
    )
    op.create_table(
        "levels",
        sa.Column("store", sa.String(), autoincrement=False, nullable=False),
        sa.Column("sku", sa.String(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("staged", sa.BigInteger(), nullable=False),
        sa.Column("in_doubt", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("damaged", sa.BigInteger(), nullable=False),
        sa.Column("counted_ms", sa.BigInteger(), nullable=False),
        sa.Column("counted_by", sa.String(), nullable=False),
        sa.Column("staged_counted", sa.Boolean(), nullable=False),
        sa.Column("doubted_ms", sa.BigInteger(), nullable=False),
        sa.Column("sold_since_ms", sa.BigInteger(), nullable=False),
        sa.Column("sold", sa.BigInteger(), nullable=False),
        sa.Column("sold_before", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("store", "sku", name=op.f("pk_levels")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_levels_sku"), "levels", ["sku"], unique=False)
    op.create_table(
        "movements",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("applied", sa.BigInteger(), nullable=False),
        sa.Column("on_hand_after", sa.BigInteger(), nullable=False),
        sa.Column("occurred_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("sold", sa.BigInteger(), nullable=True),
        sa.Column("staged_counted", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("partition", "offset", "line", name=op.f("pk_movements")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_movements_store_sku_occurred_ms"), "movements", ["store", "sku", "occurred_ms"], unique=False
    )
    op.create_index(
        op.f("ix_movements_store_sku_recorded_ms"), "movements", ["store", "sku", "recorded_ms"], unique=False
    )
    op.create_table(
        "policy_history",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("safety_stock", sa.BigInteger(), nullable=True),
        sa.Column("walk_in_reserve", sa.BigInteger(), nullable=True),
        sa.Column("pickup", sa.Boolean(), nullable=True),
        sa.Column("staleness_grace_minutes", sa.Integer(), nullable=True),
        sa.Column("occurred_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset", "line", name=op.f("pk_policy_history")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_policy_history_store_name_recorded_ms"),
        "policy_history",
        ["store", "name", "recorded_ms"],
        unique=False,
    )
    op.create_table(
        "silences",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset", name=op.f("pk_silences")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_silences_store_since_ms"), "silences", ["store", "since_ms"], unique=False)
    op.create_table(
        "standings",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("staged", sa.BigInteger(), nullable=False),
        sa.Column("in_doubt", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("occurred_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset", "line", name=op.f("pk_standings")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_standings_store_sku_recorded_ms"), "standings", ["store", "sku", "recorded_ms"], unique=False
    )
    op.create_table(
        "store_policy",
        sa.Column("store", sa.String(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("pickup", sa.Boolean(), nullable=False),
        sa.Column("staleness_grace_minutes", sa.Integer(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("store", name=op.f("pk_store_policy")),
    )
    op.create_table(
        "stores",
        sa.Column("store", sa.String(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("city", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("postal_code", sa.String(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("store", name=op.f("pk_stores")),
    )


def downgrade() -> None:
    """Not offered: the read side is built again from the log."""
    raise NotImplementedError("the read side goes forward only; build it again with `bopis readside rebuild`")
