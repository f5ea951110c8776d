"""People's rights to what is kept about them, and the eraser that carries erasures out."""
