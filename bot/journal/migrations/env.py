"""Alembic's entry: runs within the connection and the transaction that `bot.migrations` hands it."""

from alembic import context

from bot.journal.revision import VERSION_TABLE
from bot.journal.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transaction_per_migration=False,
)
context.run_migrations()
