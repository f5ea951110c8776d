"""Chooses the memories that go into a prompt, with the embedders that find them."""
