"""Long-term memory: mem0 on our own parts, or hosted."""
