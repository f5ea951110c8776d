"""Buttons that hold the words of a wish: kept out of PostgreSQL's statistics, as all texts are."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take no samples of the words (SQLite takes none)."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE intents ALTER COLUMN ids SET STATISTICS 0")
