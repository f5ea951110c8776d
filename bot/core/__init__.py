"""What the loop is made of: identities, prompt, answer, learning, recovery; it imports no SDK."""
