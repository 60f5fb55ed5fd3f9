"""Pickup orders: as they stand, what happened to each, how stores were chosen; what stores state about their hours."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "order_decisions",
        sa.Column("order_id", sa.String(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("rung", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("stores", sa.String(), nullable=False),
        sa.Column("rules", sa.String(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "attempt", "digest", name=op.f("pk_order_decisions")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_order_decisions_decided_ms"), "order_decisions", ["decided_ms"], unique=False)
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.String(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit_cents", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("hold", sa.String(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=False),
        sa.Column("picked", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("ordered_sku", sa.String(), nullable=False),
        sa.Column("short", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("order_id", "line", name=op.f("pk_order_lines")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_order_lines_sku"), "order_lines", ["sku"], unique=False)
    op.create_index(op.f("ix_order_lines_store_state"), "order_lines", ["store", "state"], unique=False)
    op.create_table(
        "order_tasks",
        sa.Column("order_id", sa.String(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("hold", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "task", name=op.f("pk_order_tasks")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_order_tasks_store"), "order_tasks", ["store"], unique=False)
    op.create_table(
        "order_timeline",
        sa.Column("order_id", sa.String(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("store", sa.String(), nullable=True),
        sa.Column("lines", sa.Integer(), nullable=True),
        sa.Column("units", sa.BigInteger(), nullable=True),
        sa.Column("missing", sa.BigInteger(), nullable=True),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("occurred_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "id", name=op.f("pk_order_timeline")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_order_timeline_store_recorded_ms"), "order_timeline", ["store", "recorded_ms"], unique=False
    )
    op.create_index(op.f("ix_order_timeline_type_occurred_ms"), "order_timeline", ["type", "occurred_ms"], unique=False)
    op.create_table(
        "orders",
        sa.Column("order_id", sa.String(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("payment", sa.String(), nullable=False),
        sa.Column("placed_ms", sa.BigInteger(), nullable=False),
        sa.Column("slot_from_ms", sa.BigInteger(), nullable=True),
        sa.Column("slot_to_ms", sa.BigInteger(), nullable=True),
        sa.Column("row", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_orders")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_orders_customer"), "orders", ["customer"], unique=False)
    op.create_index(op.f("ix_orders_live_placed_ms"), "orders", ["live", "placed_ms"], unique=False)
    op.create_index(op.f("ix_orders_placed_ms"), "orders", ["placed_ms"], unique=False)
    op.create_table(
        "store_work",
        sa.Column("order_id", sa.String(), autoincrement=False, nullable=False),
        sa.Column("store", sa.String(), autoincrement=False, nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("ready_by_ms", sa.BigInteger(), nullable=False),
        sa.Column("picker", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("arrival", sa.String(), nullable=False),
        sa.Column("spot", sa.String(), nullable=False),
        sa.Column("arrived_ms", sa.BigInteger(), nullable=False),
        sa.Column("window_end_ms", sa.BigInteger(), nullable=False),
        sa.Column("escalations", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "store", name=op.f("pk_store_work")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_store_work_store_due_ms"), "store_work", ["store", "due_ms"], unique=False)
    op.add_column("stores", sa.Column("hours", sa.Text(), nullable=True))


def downgrade() -> None:
    """Not offered: the read side is built again from the log."""
    raise NotImplementedError("the read side goes forward only; build it again with `bopis readside rebuild`")
