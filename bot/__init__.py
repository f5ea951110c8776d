"""A chat bot for Discord and Slack that remembers the people it talks to."""
