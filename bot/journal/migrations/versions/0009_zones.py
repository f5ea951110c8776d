"""How far a person's clock was from UTC when they said what waits to be learned."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what waits already was said by UTC, as far as is known."""
    op.add_column("exchanges", sa.Column("utc_offset", sa.Integer, nullable=False, server_default="0"))
