"""Which memories go into a prompt, and the embedders that find them."""
