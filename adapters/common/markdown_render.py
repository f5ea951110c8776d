"""Renders parsed Markdown for a platform, in its `Style`."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from adapters.common.markdown import attribute, parse
from adapters.common.markdown_inline import BREAK, Style, inline, plain_text

#: Columns and characters of a table shown as a block of aligned text, so that it fits a phone in landscape mode and one
#: message. Larger tables become lists.
TABLE_COLUMNS = 60
TABLE_CHARACTERS = 1000

#: Characters parsed at a time, and the limit of one block: the rest is shown verbatim.
LONGEST = 12_000

_LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]{1,20}")
#: A paragraph of words and sentence punctuation, with nothing to format or escape on any platform.
_PROSE = re.compile(r"[^\W\d_][\w ,.;?!'’\"“”()—–…]*")
_TASK = re.compile(r"\[([ xX])\][ \t]")


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    code: bool = False


def render(text: str, style: Style) -> str:
    """Render Markdown for a platform. A text that would render to nothing is shown verbatim: nothing is lost."""
    return Growing(style).render(text)


class Growing:
    """`render` for a text that grows: the blocks before the last stay the same, and aren't parsed again."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._settled = self._written = ""

    def render(self, text: str) -> str:
        """Render the whole text, which continues the previous one."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        defines = "]:" in text and len(text) <= LONGEST  # a link definition changes blocks before it
        if defines or not text.startswith(self._settled):
            self._settled = self._written = ""
        if not defines:
            while len(text) > (before := len(self._settled)) + LONGEST:
                self._read(text[: before + LONGEST], settle=True)
                if len(self._settled) == before:
                    break
        written = self._read(text, settle=not defines)
        return written if written.strip() or not text.strip() else self._style.text(text, "", "")

    def _read(self, text: str, *, settle: bool) -> str:
        rest = text[len(self._settled) :]
        head = rest if len(rest) <= LONGEST else rest[: _cut(rest)]
        # While a block's first line is incomplete, it may turn out to belong to the block before it.
        complete = head.count("\n")
        found = list(_top(head, self._style))
        last = next((place for place in range(len(found) - 1, 0, -1) if found[place][0] < complete), 0)
        written = [self._written]
        for place, (line, gap, block) in enumerate(found):
            written.append(gap)
            if place == last and last and settle:
                self._settled += "".join(f"{settled}\n" for settled in rest.split("\n", line)[:line])
                self._written = "".join(written)
            written.append(block)
        if len(head) < len(rest):
            written += ["\n", *_unread(rest[len(head) :], self._style)]
        return "".join(written)


def _cut(text: str) -> int:
    """Where to stop parsing a long text: after a line, else after a word, else anywhere."""
    return text.rfind("\n", 0, LONGEST) + 1 or text.rfind(" ", 0, LONGEST) + 1 or LONGEST


def _unread(text: str, style: Style) -> Iterator[str]:
    """Text shown verbatim, line by line."""
    return (f"{style.start(style.text(line, '', ''))}\n" for line in text.split("\n"))


def _top(text: str, style: Style) -> Iterator[tuple[int, str, str]]:
    """Each top-level block of a text: the number of its first line, the gap before it, and its rendering."""
    if "_" not in text and _PROSE.fullmatch(text):  # most snapshots of most answers; parsing takes ten times as long
        yield 0, "", text.rstrip()
        return
    tokens = parse(text)
    lines = text.split("\n")
    gap = ""
    for first, end in _spans(tokens):
        block = "\n".join(line.text for line in _block(tokens, first, end, style))
        span = tokens[first].map
        if block.strip() and span is not None:
            blank = span[0] > 0 and not lines[span[0] - 1].strip()
            yield span[0], f"\n{gap}" if blank and gap else gap, block
            gap = "\n"


def _spans(tokens: Sequence[Token], start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int]]:
    """The blocks among tokens, as (first, end), end exclusive."""
    at = start
    while at < (len(tokens) if stop is None else stop):
        end = at + 1
        depth: int = tokens[at].nesting
        while depth > 0:
            depth += tokens[end].nesting
            end += 1
        yield at, end
        at = end


def _blocks(
    tokens: Sequence[Token], style: Style, start: int = 0, stop: int | None = None, *, tight: bool = False
) -> list[_Line]:
    """Consecutive blocks, separated by an empty line if the author left one."""
    written: list[_Line] = []
    ended = 0
    for first, end in _spans(tokens, start, stop):
        lines = _block(tokens, first, end, style)
        span = tokens[first].map
        if not any(line.text for line in lines):
            continue
        if written and not tight and (span is None or span[0] > ended):
            written.append(_Line(""))
        written += lines
        ended = span[1] if span is not None else ended
    return written


def _block(tokens: Sequence[Token], first: int, end: int, style: Style) -> list[_Line]:
    token = tokens[first]
    match token.type:
        case "paragraph_open":
            return _paragraph(tokens[first + 1], style)
        case "heading_open":
            return _heading(int(token.tag[1:]), tokens[first + 1], style)
        case "fence" | "code_block":
            return _code(token.content, token.info, style)
        case "hr":
            return [_Line(style.rule)]
        case "blockquote_open":
            inner = _blocks(tokens, style, first + 1, end - 1)
            return _prefixed(inner, "> ", "> ", style, flat=not style.inner_code)
        case "bullet_list_open" | "ordered_list_open":
            return _list(tokens, first, end, style)
        case "table_open":
            return _table(tokens[first:end], style)
    return _paragraph(token, style) if token.type == "inline" else []


def _paragraph(token: Token, style: Style) -> list[_Line]:
    return [_Line(style.start(line)) for line in inline(token.children or (), style).split("\n")]


def _heading(level: int, token: Token, style: Style) -> list[_Line]:
    bold = level > style.headings
    text = " ".join(inline(token.children or (), style, bold=bold).split("\n"))
    if not text:
        return []
    return [_Line(f"{style.bold}{text}{style.bold}" if bold else f"{'#' * level} {text}")]


def _code(content: str, info: str, style: Style) -> list[_Line]:
    if not content.strip():
        return []
    language = _LANGUAGE.fullmatch(info.split(maxsplit=1)[0]) if style.languages and info.strip() else None
    # No platform supports longer fences.
    lines = style.code(content.removesuffix("\n")).replace("```", f"`{BREAK}`{BREAK}`").split("\n")
    fenced = [f"```{language.group() if language else ''}", *lines, "```"]
    return [_Line(line, code=True) for line in fenced]


def _prefixed(lines: Sequence[_Line], head: str, rest: str, style: Style, *, flat: bool = False) -> list[_Line]:
    """Prefix lines; `flat`: don't repeat a prefix that is there already, as the platform can't nest it."""
    written = []
    for number, line in enumerate(lines):
        prefix = rest if number else head
        if (line.code and not style.inner_code) or (flat and line.text.startswith(prefix)):
            written.append(line)
        else:
            written.append(_Line((prefix + line.text) if line.text or flat else prefix.rstrip(" "), line.code))
    return written


def _list(tokens: Sequence[Token], first: int, end: int, style: Style) -> list[_Line]:
    ordered = tokens[first].type == "ordered_list_open"
    number = int(attribute(tokens[first], "start") or 1) if ordered else 0
    written: list[_Line] = []
    for item, after in _spans(tokens, first + 1, end - 1):
        marker = f"{number}. " if ordered else style.bullet
        task = _task(tokens, item, after)
        lines = _blocks(tokens, style, item + 1, after - 1, tight=True) or [_Line("")]
        if task:
            box = style.done if task.strip("[ ]") else style.open
            lines[0] = _Line(f"{box} {lines[0].text}")
        elif lines[0].code and not style.inner_code:
            lines.insert(0, _Line(""))
        written += _prefixed(lines, marker, " " * len(marker), style)
        number += 1
    return written


def _task(tokens: Sequence[Token], item: int, after: int) -> str:
    """A task's check box, removed from its text; empty if the item isn't a task."""
    inline = tokens[item + 2] if item + 2 < after else None
    children = (inline.children or ()) if inline is not None and inline.type == "inline" else ()
    text = next(iter(children), None)
    found = _TASK.match(text.content) if text is not None and text.type == "text" else None
    if text is None or found is None:
        return ""
    text.content = text.content[found.end() :]
    return found.group().strip()


def _table(tokens: Sequence[Token], style: Style) -> list[_Line]:
    rows: list[list[Sequence[Token]]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.children or ())
    aligned = [attribute(token, "style") for token in tokens if token.type == "th_open"]
    written = [[" ".join(inline(cell, style).split("\n")) for cell in row] for row in rows]
    if tokens[0].level == 0 and style.takes_table(len(rows), len(aligned)):
        marks = [{"text-align:right": "--:", "text-align:center": ":-:"}.get(align, "---") for align in aligned]
        lines = [[cell.replace("|", "\\|") for cell in row] for row in written]
        return [_Line(f"| {' | '.join(line)} |") for line in (lines[0], marks, *lines[1:])]
    plain = [[plain_text(cell) for cell in row] for row in rows]
    linked = any(token.type in ("link_open", "image", "address") for row in rows for cell in row for token in cell)
    block = None if linked else _aligned(plain, [align == "text-align:right" for align in aligned])
    return _code(block, "", style) if block else _listed(written, style)


def _aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str | None:
    """The table as aligned columns of text; None if that is too wide or too long."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    total = sum(widths) + 3 * (len(widths) - 1)
    if total > TABLE_COLUMNS or (total + 1) * (len(rows) + 1) > TABLE_CHARACTERS:
        return None

    def line(row: Sequence[str]) -> str:
        cells = []
        for cell, width, to_right in zip(row, widths, right, strict=True):
            gap = " " * (width - _width(cell))
            cells.append(gap + cell if to_right else cell + gap)
        return " │ ".join(cells).rstrip()

    return "\n".join([line(rows[0]), "─┼─".join("─" * width for width in widths), *map(line, rows[1:])])


def _width(text: str) -> int:
    """The columns that a text takes up in a monospaced font."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.category(char) in ("Mn", "Me", "Cf") for char in text)


def _listed(rows: Sequence[Sequence[str]], style: Style) -> list[_Line]:
    """The table as a list: one item per row, each cell preceded by its column's name."""
    head, written = rows[0], []
    for row in rows[1:]:
        named = [f"{name}: {cell}" if name else cell for name, cell in zip(head[1:], row[1:], strict=True) if cell]
        first = f"{style.bold}{row[0]}{style.bold}" if row[0] and style.bold not in row[0] else row[0]
        written.append(_Line(style.bullet + " · ".join(cell for cell in (first, *named) if cell)))
    return written or [_Line(" · ".join(head))]
