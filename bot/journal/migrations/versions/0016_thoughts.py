"""Messages that are answered together with an earlier one."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is there is answered by itself."""
    op.add_column("inbox", sa.Column("joined_to", sa.Text))
    op.add_column("inbox", sa.Column("included", sa.Integer, nullable=False, server_default="0"))
    op.create_index("inbox_by_person", "inbox", ["person_key"])
    op.add_column("messages", sa.Column("joined_to", sa.Text))
    joined = sa.text("joined_to IS NOT NULL")
    op.create_index("messages_joined", "messages", ["joined_to"], sqlite_where=joined, postgresql_where=joined)
