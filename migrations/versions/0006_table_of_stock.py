"""Indexes for the table of stock over all stores: categories, and levels with few units."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

IS_LOW = sa.text("on_hand - held - in_doubt <= 5")


def upgrade() -> None:
    op.create_index("ix_levels_category_sku", "levels", ["category", "sku"])
    op.create_index("ix_levels_low", "levels", ["store", "sku"], sqlite_where=IS_LOW, postgresql_where=IS_LOW)


def downgrade() -> None:
    """Not offered: the read side is built again from the log."""
    raise NotImplementedError("the read side goes forward only; build it again with `bopis readside rebuild`")
