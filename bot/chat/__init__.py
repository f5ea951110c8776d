"""The chat model: Claude, or a notebook where there is no key."""
