"""Ledger of store agents: their messages that move units, differences that were closed, heartbeats and comparisons."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), autoincrement=False, nullable=False)


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _number(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _sequence() -> sa.Column[int]:
    return sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False)


def _clocks() -> tuple[sa.Column[int], ...]:
    return _number("occurred_ms"), _number("recorded_ms")


def upgrade() -> None:
    op.create_table(
        "ledger",
        _key("store"),
        _key("source"),
        _sequence(),
        _text("message_id"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("units", sa.Text(), nullable=False),
        *_clocks(),
        sa.PrimaryKeyConstraint("store", "source", "sequence", name=op.f("pk_ledger")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_closings",
        _key("store"),
        _key("source"),
        _sequence(),
        *_clocks(),
        _text("actor", nullable=True),
        _text("message_id"),
        _text("note"),
        sa.PrimaryKeyConstraint("store", "source", "sequence", name=op.f("pk_ledger_closings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "agents",
        _key("store"),
        _key("source"),
        _text("version"),
        _number("clock_ahead_ms", nullable=True),
        _number("depth"),
        _number("rejects"),
        _number("changed"),
        *_clocks(),
        sa.PrimaryKeyConstraint("store", "source", name=op.f("pk_agents")),
    )
    op.create_table(
        "agent_comparisons",
        _key("store"),
        _key("source"),
        sa.Column("comparison", sa.Text(), nullable=False),
        *_clocks(),
        sa.PrimaryKeyConstraint("store", "source", name=op.f("pk_agent_comparisons")),
    )


def downgrade() -> None:
    """Not offered: the read side is built again from the log."""
    raise NotImplementedError("the read side goes forward only; build it again with `bopis readside rebuild`")
