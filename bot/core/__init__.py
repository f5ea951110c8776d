"""What the loop is made of: identities, prompt, answer, learning, recovery. Imports no SDK."""
