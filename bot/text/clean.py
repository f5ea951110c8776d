"""Text from outside, made fit for JSON, UTF-8, SQL and a line of a prompt."""


def printable(text: str) -> str:
    """The text without lone surrogates (they have no UTF-8; shown as `?`) and without NULs."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def one_line(text: str) -> str:
    """Text from outside on a single line, so that it can't forge a line of the prompt around it."""
    return " ".join(text.split())
