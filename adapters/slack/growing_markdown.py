"""The beginning of a growing text that more text won't change, for streams, which can only be appended to."""

import re
from typing import NamedTuple

from adapters.slack.markdown import streamed

_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_FENCE_LINE = re.compile(r"(?:\A|\n)[ \t>]*(?:`{3,}|~{3,})[^\n]*\Z")
#: The end of a code block, which is closed wherever a growing text ends.
_CLOSED = re.compile(r"\n[ \t>]*```\Z")
#: A last line that may become the mark of a list, a heading, a quotation, a rule or a table, or be underlined by one.
_MARK = re.compile(r"(?:[-*+>#=_|:~`]+|\d+[.)]?)?")
_SIGN = re.compile(r"\\.|\\\Z|`+|\*+|_+|~+|[\[\]<|&]", re.DOTALL)
_TICKS = re.compile(r"`+")

#: What begins no tag and no token, and what is no entity or a whole one.
_HARMLESS = re.compile(r"<[\s\d=-]|&\w*[\s;,.]")


class Settled(NamedTuple):
    """The beginning of a text, and how Slack's Markdown shows it."""

    source: str
    shown: str


def settled(part: str) -> Settled:
    """As much of a growing part as more text is not expected to change: all but formatting that isn't closed yet."""
    if _FENCE_LINE.search(part):
        return Settled(part, _CLOSED.sub("", streamed(part)))
    paragraph = max((found.end() for found in _PARAGRAPH.finditer(part)), default=0)
    source = part[: paragraph + _open(part[paragraph:])].rstrip()
    return Settled(source, streamed(source) if source else "")


def _open(paragraph: str) -> int:
    """Where in a paragraph formatting begins that isn't closed; its length if there is none."""
    end = len(paragraph)
    before_last = max(paragraph.rfind("\n"), 0)
    if _MARK.fullmatch(paragraph[before_last:].strip(" \t\n")):
        end = before_last
    opened: list[tuple[str, int]] = []
    place = 0
    while (found := _SIGN.search(paragraph, place)) and found.start() < end:
        sign, place = found.group(), found.end()
        before, after = paragraph[found.start() - 1 : found.start()], paragraph[place : place + 1]
        match sign[0]:
            case "\\" if len(sign) == 2:
                continue
            case "<" | "&" if _HARMLESS.match(paragraph, found.start()):
                continue
            case "|" | "<" | "\\" | "&":
                opened.append((sign, found.start()))  # a table, a tag, an escape, an entity
                break
            case "[":
                opened.append((sign, found.start()))
                continue
            case "]":
                if after not in ("(", "", "[", ":"):
                    _close(opened, "[")
                elif after == "(" and (closed := paragraph.find(")", place)) > 0:
                    _close(opened, "[")
                    place = closed + 1
                continue
            case "`":
                closing = next((run for run in _TICKS.finditer(paragraph, place) if run.group() == sign), None)
                if closing is None:
                    opened.append((sign, found.start()))
                    break
                place = closing.end()
                continue
        if sign[0] == "_" and before.isalnum() and after.isalnum():
            continue
        if not after and place == len(paragraph):
            # Whether it closes is known: nothing that it could be part of follows. Whether it opens is not.
            if not _close(opened, sign):
                opened.append((sign, found.start()))
        elif not (before and not before.isspace() and _close(opened, sign)) and not after.isspace():
            opened.append((sign, found.start()))
    return min([end, *(at for _, at in opened)])


def _close(opened: list[tuple[str, int]], sign: str) -> bool:
    """Close the last of a sign that is open, and whatever was opened in it; False if there is none."""
    for at in range(len(opened) - 1, -1, -1):
        if opened[at][0] == sign:
            del opened[at:]
            return True
    return False
