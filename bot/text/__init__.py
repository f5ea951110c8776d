"""What texts are made of: cleaning, keywords, expressions of time."""
