"""The place of each recent turn in its conversation."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; turns that are kept already count as none."""
    op.add_column("turns", sa.Column("number", sa.Integer, nullable=False, server_default="0"))
