"""Vector stores of our own, on SQLite and PostgreSQL."""
