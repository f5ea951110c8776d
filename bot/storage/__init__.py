"""How a database is opened, bounded, scrubbed and migrated; what it holds is its users' business."""
