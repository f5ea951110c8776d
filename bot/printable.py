"""Text from outside, made fit for JSON, UTF-8 and SQL."""


def printable(text: str) -> str:
    """The text without lone surrogates (they have no UTF-8; shown as `?`) and without NULs."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
