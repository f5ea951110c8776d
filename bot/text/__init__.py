"""Text processing: cleaning, keywords, time expressions."""
