"""What a person may ask for of what is kept about them, and the eraser that does it."""
