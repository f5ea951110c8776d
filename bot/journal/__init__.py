"""What must outlive a crash, in SQLite or PostgreSQL."""
