"""What every chat platform needs done to a text: cleaning, and splitting Markdown into messages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# Backquotes in the info string would make it inline code (CommonMark 0.31, 4.5).
_FENCE = re.compile(r"[ \t]*(?P<marker>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)")
_MAX_LANGUAGE = 20


def clean(text: str) -> str:
    """The text without what no database, socket or screen takes: null characters and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class _Fence:
    """An open code block: its marker and its language."""

    marker: str
    language: str


def split_markdown(text: str, limit: int) -> list[str]:
    """Split Markdown into parts of at most `limit` characters, none of them blank.

    Breaks fall between paragraphs where possible, else between lines, else between words. A code block that must be
    broken is closed and opened again, with its language, in the next part; one that never ends is closed. The first
    parts stay the same while the text grows. `limit` is at least 64.
    """
    if limit < 64:
        raise ValueError("limit: at least 64 characters")
    parts: list[str] = []
    fence: _Fence | None = None
    rest = text
    while rest.strip():
        head = f"{fence.marker}{fence.language}\n" if fence else ""
        room = limit - len(head)
        last = _state(rest, len(rest), fence)
        end = f"\n{last.marker}" if last else ""
        if len(rest.rstrip()) + len(end) <= room:
            parts.append(head + rest.rstrip() + end)
            break
        cut, fence = _cut(rest, room, fence)
        part, rest = rest[:cut], rest[cut:]
        if fence is None:
            if part.strip():
                parts.append(head + part.rstrip())
            rest = rest.lstrip("\n") if part.endswith("\n") else rest.lstrip(" \n")
        else:
            parts.append(head + part.rstrip("\n") + f"\n{fence.marker}")
            line = _LINE.match(rest)
            if line and _after(line.group(), fence) is None:  # the block would be empty
                fence, rest = None, rest[line.end() :].lstrip("\n")
    return parts


def _after(line: str, fence: _Fence | None) -> _Fence | None:
    """The code block that is open after a line."""
    found = _FENCE.fullmatch(line.rstrip())
    if found is None:
        return fence
    if fence is None:
        language = found["info"].split(maxsplit=1)[0] if found["info"].strip() else ""
        return _Fence(found["marker"][:_MAX_LANGUAGE], language[:_MAX_LANGUAGE])
    closes = found["marker"].startswith(fence.marker) and not found["info"].strip()
    return None if closes else fence


def _lines(text: str, fence: _Fence | None) -> Iterator[tuple[int, int, _Fence | None, _Fence | None]]:
    """Each line as (start, end, code block before it, code block after it); the end is past its newline."""
    for line in _LINE.finditer(text):
        after = _after(line.group(), fence)
        yield line.start(), line.end(), fence, after
        fence = after


def _state(text: str, position: int, fence: _Fence | None) -> _Fence | None:
    """The code block that is open at a position."""
    state = fence
    for _, end, _, after in _lines(text, fence):
        if end > position:
            break
        state = after
    return state


def _cut(text: str, room: int, fence: _Fence | None) -> tuple[int, _Fence | None]:
    """Where to cut so that the part fits into `room`, its closing fence included, and what is open there."""
    paragraphs, lines, code = [], [], []
    for _, end, before, after in _lines(text[: room + 1], fence):
        if not text.startswith("\n", end - 1):  # the window's end, not the line's
            break
        if after is not None:
            # Never right behind an opening fence, which would leave an empty block.
            if before is not None and end + len(after.marker) <= room:
                code.append((end, after))
        elif text.startswith("\n", end):
            paragraphs.append((end, after))
        else:
            lines.append((end, after))
    for candidates in (paragraphs, lines, code):
        if candidates and candidates[-1][0] >= room // 2:
            return candidates[-1]
    return _cut_line(text, room, fence)


def _cut_line(text: str, room: int, fence: _Fence | None) -> tuple[int, _Fence | None]:
    """Cut within a line, between words where there are any in its second half."""
    state = _state(text, room, fence)
    end = room if state is None else room - len(state.marker) - 1
    for start, stop, before, after in _lines(text, fence):
        if stop <= end:
            continue
        if before is not after and start > 0:  # a fence's own line is never cut
            return start, before
        state = before
        break
    word = text.rfind(" ", end // 2, end)
    return (word + 1 if word > 0 else end), state
