"""Lengths as Discord counts them: in UTF-16 units, of which an emoji has two.

Some of its limits count characters instead; what keeps to units keeps to both.
"""

from adapters.common.text import split_markdown


def units(text: str) -> int:
    """How long Discord holds a text to be."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def shorten(text: str, limit: int, end: str = "") -> str:
    """The text, cut to so many units where it has more, `end` included."""
    if units(text) <= limit:
        return text
    cut = text.encode("utf-16-le", "surrogatepass")[: 2 * max(0, limit - units(end))]
    return cut.decode("utf-16-le", "ignore").rstrip() + end  # half of a pair is left out


def split(text: str, limit: int) -> list[str]:
    """Markdown in parts of at most so many units, see `split_markdown`."""
    if text.isascii() or max(text) <= "\uffff":
        return split_markdown(text, limit)
    # With each unit as a character of its own, characters are what is to be counted; no pair is ever cut in two.
    wide = text.encode("utf-16-le", "surrogatepass")
    apart = "".join(map(chr, memoryview(wide).cast("H")))
    parts = split_markdown(apart, limit)
    return [part.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore") for part in parts]
