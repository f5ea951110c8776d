"""When people had their memory paused: what was said then is never learned, however late it is answered."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; a pause that is on now stays in `settings`."""
    op.create_table(
        "pauses",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("began", sa.Double, primary_key=True),
        sa.Column("ended", sa.Double, nullable=False),
    )
