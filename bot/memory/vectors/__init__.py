"""Our own vector stores, on SQLite and PostgreSQL."""
