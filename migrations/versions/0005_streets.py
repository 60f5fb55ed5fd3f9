"""The street of a store: where customers are sent to."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stores", sa.Column("street", sa.String()))


def downgrade() -> None:
    """Not offered: the read side is built again from the log."""
    raise NotImplementedError("the read side goes forward only; build it again with `bopis readside rebuild`")
