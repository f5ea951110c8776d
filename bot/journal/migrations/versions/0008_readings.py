"""Messages of others that an answer was given with."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "readings",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, primary_key=True),
    )
    op.create_index("readings_by_message", "readings", ["message_id"])
