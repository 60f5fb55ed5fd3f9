"""Goods on their way: transfers and expected documents; and what of a level is kept apart from the books."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), autoincrement=False, nullable=False)


def _units(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "transfers",
        _key("store"),
        _key("transfer"),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("from_store", sa.String(), nullable=False),
        sa.Column("is_announced", sa.Boolean(), nullable=False),
        sa.Column("is_received", sa.Boolean(), nullable=False),
        _units("expected_ms"),
        _units("heard_ms"),
        sa.PrimaryKeyConstraint("store", "transfer", name=op.f("pk_transfers")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_transfers_from_store"), "transfers", ["from_store"], unique=False)
    op.create_table(
        "transfer_lines",
        _key("store"),
        _key("transfer"),
        _key("sku"),
        _units("announced"),
        _units("received"),
        sa.PrimaryKeyConstraint("store", "transfer", "sku", name=op.f("pk_transfer_lines")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_transfer_lines_store_sku"), "transfer_lines", ["store", "sku"], unique=False)
    op.create_table(
        "expected_lines",
        _key("store"),
        _key("document"),
        _key("sku"),
        sa.Column("partition", sa.Integer(), nullable=False),
        _units("expected_ms"),
        _units("quantity"),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("store", "document", "sku", name=op.f("pk_expected_lines")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_expected_lines_store_sku"), "expected_lines", ["store", "sku"], unique=False)
    op.create_index(op.f("ix_expected_lines_sku"), "expected_lines", ["sku"], unique=False)
    for name in ("quarantined", "damaged"):
        op.add_column("standings", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Not offered: the read side is built again from the log."""
    raise NotImplementedError("the read side goes forward only; build it again with `bopis readside rebuild`")
