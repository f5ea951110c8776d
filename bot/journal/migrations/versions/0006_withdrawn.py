"""What was withdrawn, or edited, before it was taken in; when people had things forgotten; who shows a link code."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns."""
    op.add_column("inbox", sa.Column("ahead", sa.Integer, nullable=False, server_default="0"))
    op.add_column("codes", sa.Column("name", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "forgettings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("person_key", sa.Text, nullable=False),
        sa.Column("began", sa.Double, nullable=False),
        sa.Column("ended", sa.Double, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("forgettings_by_person", "forgettings", ["person_key"])
