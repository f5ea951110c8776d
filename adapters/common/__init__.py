"""What several platforms need: Markdown, growing answers, cleaning and splitting texts."""
