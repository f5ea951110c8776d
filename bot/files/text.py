"""Text files: their encoding, and which part of a long one is shown."""

import codecs

#: Byte order marks and the encodings they announce; UTF-32's starts like UTF-16's, so it comes first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Control characters that texts have: tabs, line ends, form feeds, and the escapes of coloured logs.
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b")) + b"\x7f"
#: The largest shares of other control characters, and of non-ASCII bytes, at which a file of unknown encoding still
#: counts as text.
_FEW = 0.01
_FOREIGN = 0.4


def decoded(content: bytes) -> str | None:
    """The text of a file: UTF-8, UTF-16 or UTF-32 with a mark, or else Windows-1252; None if it isn't text."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                return None
    odd = len(content) - len(content.translate(None, _CONTROLS))
    if b"\0" in content or odd > len(content) * _FEW:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        foreign = len(content.translate(None, bytes(range(128))))
        return content.decode("cp1252", "replace") if foreign <= len(content) * _FOREIGN else None


def cut(text: str, room: int) -> str:
    """The text; if it has more than `room` characters, its middle is replaced by a line that says so."""
    if len(text) <= room:
        return text
    head, tail = text[: room * 2 // 3], text[len(text) - room // 3 :]
    # At line ends, where they are near.
    if (end := head.rfind("\n")) > len(head) * 3 // 4:
        head = head[:end]
    if 0 <= (start := tail.find("\n")) < len(tail) // 4:
        tail = tail[start + 1 :]
    return f"{head}\n[… {len(text) - len(head) - len(tail):,} characters are left out here …]\n{tail}"
