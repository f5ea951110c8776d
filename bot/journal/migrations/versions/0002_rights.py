"""What people may do with what is kept of them: settings, link codes, erasures that are due."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "settings",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("paused_at", sa.Double, nullable=False),
        sa.Column("told", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "erasures",
        sa.Column("id", number, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False, server_default=""),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("due", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("erasures_by_user", "erasures", ["user_id"])
    op.create_table(
        "codes",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("person_key", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_table(
        "guesses",
        sa.Column("id", number, primary_key=True),
        sa.Column("person_key", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("guesses_by_person", "guesses", ["person_key"])
    op.create_table(
        "taught",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
    )
    op.create_index("taught_by_user", "taught", ["user_id"])
    op.create_table(
        "tombstones",
        sa.Column("exchange_id", number, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
    )
