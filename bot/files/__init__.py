"""Files sent with messages, prepared for the chat model. Pure; nothing is kept."""
