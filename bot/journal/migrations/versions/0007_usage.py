"""What requests to models took, what is reserved for those in flight, and what a person was told lately."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COUNTS = ("input", "cached", "written", "output", "searches", "nanodollars")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "usage",
        *(
            sa.Column(name, sa.Text, primary_key=True)
            for name in ("day", "workspace", "person_key", "model", "purpose")
        ),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("requests", "unpriced", *_COUNTS)),
    )
    op.create_index("usage_by_person", "usage", ["person_key"])
    op.create_table(
        "reservations",
        sa.Column("id", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("worker", "day", "workspace", "person_key", "user_id", "model", "purpose")
        ),
        sa.Column("unpriced", sa.Integer, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS),
    )
    op.create_table(
        "spent",
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("tokens", "nanodollars", "reserved_tokens", "reserved_nanodollars")
        ),
    )
    op.create_table(
        "notices",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
    )
