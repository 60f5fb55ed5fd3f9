"""When a store sells, and how much staleness withholds: baskets by hour of each device, now and in the history."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("baskets_by_hour", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("store_policy", sa.Column("staleness_percent", sa.Integer(), nullable=False, server_default="100"))
    op.add_column("policy_history", sa.Column("staleness_percent", sa.Integer()))
    op.create_table(
        "basket_hours",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("baskets_by_hour", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_basket_hours_store_since_ms", "basket_hours", ["store", "since_ms"])


def downgrade() -> None:
    """Not offered: the read side is built again from the log."""
    raise NotImplementedError("the read side goes forward only; build it again with `bopis readside rebuild`")
