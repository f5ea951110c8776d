"""Files that come with messages: what can be made of their bytes for the chat model. Pure; nothing is kept."""
