"""How a database is opened, limited, scrubbed and migrated; what it holds is up to its users."""
