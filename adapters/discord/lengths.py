"""Lengths as Discord counts them: in UTF-16 code units, two for an emoji.

Some limits count characters instead; a text within a limit in units is within both.
"""

from adapters.common.text import split_markdown


def units(text: str) -> int:
    """A text's length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def shorten(text: str, limit: int, end: str = "") -> str:
    """The text, cut to `limit` units including `end` if it is longer."""
    if units(text) <= limit:
        return text
    cut = text.encode("utf-16-le", "surrogatepass")[: 2 * max(0, limit - units(end))]
    return cut.decode("utf-16-le", "ignore").rstrip() + end  # drops half of a surrogate pair


def split(text: str, limit: int) -> list[str]:
    """Split Markdown into parts of at most `limit` units, see `split_markdown`."""
    if text.isascii() or max(text) <= "\uffff":
        return split_markdown(text, limit)
    # Split a text in which each unit is one character, so that units are counted. It never cuts a surrogate pair.
    wide = text.encode("utf-16-le", "surrogatepass")
    apart = "".join(map(chr, memoryview(wide).cast("H")))
    parts = split_markdown(apart, limit)
    return [part.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore") for part in parts]
