"""The chat model: Claude, or a notebook if there is no key."""
