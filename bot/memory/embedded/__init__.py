"""Embedded mem0: its `add` over our own stores, with all that bends it to them."""
