"""What hosted mem0 was asked to add, until it is known how that ended."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "adds",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("replaces", sa.Text, nullable=False),
        sa.Column("exchange_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("event", sa.Text, nullable=False, server_default=""),
        sa.Column("void", sa.Integer, nullable=False, server_default="0"),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("adds_by_user", "adds", ["user_id"])
