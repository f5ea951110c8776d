"""Long-term memory: mem0, with the parts that it is built from here."""
