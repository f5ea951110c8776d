"""Answers that must not be kept; and no samples of texts, in which words would outlive the messages they were of."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXTS = {
    "inbox": ("payload",),
    "turns": ("text", "name"),
    "exchanges": ("text", "answer", "name", "place"),
}


def upgrade() -> None:
    """Add the column; keep texts out of PostgreSQL's statistics, and drop those that it has (SQLite takes none)."""
    op.add_column("inbox", sa.Column("unkept", sa.Integer, nullable=False, server_default="0"))
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in _TEXTS.items():
        for column in columns:
            # The same type again: nothing is rewritten, and the samples go.
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE text")
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")
