"""Cleans text from outside for JSON, UTF-8, SQL and the lines of a prompt."""


def printable(text: str) -> str:
    """The text without NULs, and with `?` for lone surrogates, which UTF-8 can't encode."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def one_line(text: str) -> str:
    """The text on a single line, so that it can't forge lines of the prompt around it."""
    return " ".join(text.split())
