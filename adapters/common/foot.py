"""What stands below an answer, as far as platforms have it in common."""

#: Said to everybody else who presses a button there.
NOT_YOURS = "That isn't yours to open: only whoever asked can."
