"""Alembic's entry: runs within the connection and the transaction that `bot.migrations` hands it."""

from alembic import context

from bot.memory.vectors.meta import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transaction_per_migration=False,
)
context.run_migrations()
