"""Parsed Markdown written anew, as a platform shows it: each has its `Style`."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from markdown_it.token import Token

from adapters.common.markdown import attribute, parse

#: Columns and characters of a table that is shown as a block of aligned text: what fits a phone held sideways, and
#: stays in one message. Larger ones are lists.
TABLE_COLUMNS = 60
TABLE_CHARACTERS = 1000

#: Characters that are read at once, and the most that one block may have: what is behind it is shown as it stands.
LONGEST = 12_000

_BREAK = "\u200b"
_LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]{1,20}")
_TASK = re.compile(r"\[([ xX])\][ \t]")
_TAG = re.compile(r"<(/?)(b|strong|i|em|s|del|strike|code|kbd)>", re.IGNORECASE)
_LINE_BREAK = re.compile(r"<br[ \t]*/?>", re.IGNORECASE)
#: What a tag of HTML, or a token of markdown-it, does to the text in it.
_FORMATS = {"b": "bold", "strong": "bold", "i": "italic", "em": "italic", "s": "strike", "del": "strike"}
_FORMATS |= {"strike": "strike", "code": "code", "kbd": "code"}


class Style(Protocol):
    """How a platform writes what it shows."""

    #: Bold, italic, struck.
    bold: str
    italic: str
    strike: str
    bullet: str
    rule: str
    #: The boxes of tasks.
    open: str
    done: str
    #: Whether a heading of the platform's own has so many levels; the others are bold.
    headings: int
    #: Whether it shows tables of Markdown, languages of code, and code within lists and quotations.
    tables: bool
    languages: bool
    inner_code: bool
    #: Whether a sign of formatting needs the edge of a word beside it.
    edges: bool

    def text(self, text: str, before: str, after: str) -> str:
        """Plain text, of which nothing is to be formatted, between these two characters."""
        ...

    def start(self, line: str) -> str:
        """A paragraph's line, whose beginning is to form nothing."""
        ...

    def code(self, content: str) -> str:
        """What code holds, so that nothing in it lives."""
        ...

    def link(self, label: str, plain: str, target: str) -> str:
        """A link: its label as formatted and as plain text, and where it goes."""
        ...

    def address(self, target: str, *, bracketed: bool) -> str:
        """An address that stands for itself; `bracketed`: written as `<…>`."""
        ...


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    code: bool = False


@dataclass(slots=True)
class _Inline:
    """Inline tokens being written: pieces, and how deep in each format the text is."""

    style: Style
    pieces: list[str] = field(default_factory=list)
    closed: bool = False
    depth: dict[str, int] = field(default_factory=dict)

    def last(self) -> str:
        return self.pieces[-1][-1:] if self.pieces else ""

    def put(self, piece: str) -> None:
        if piece:
            self.pieces.append(piece)
            self.closed = False

    def toggle(self, name: str, *, opens: bool, after: str) -> None:
        """Begin or end a format, unless the text is in it anyhow."""
        marker: str = {"bold": self.style.bold, "italic": self.style.italic, "strike": self.style.strike}[name]
        depth: int = self.depth.get(name, 0) + (1 if opens else -1)
        self.depth[name] = depth
        if depth != (1 if opens else 0):
            return
        before = self.last()
        # Two markers side by side would be read as one.
        if opens and ((self.closed and before == marker[0]) or (self.style.edges and before.isalnum())):
            self.put(_BREAK)
        self.put(marker)
        self.closed = not opens
        if not opens and self.style.edges and after.isalnum():
            self.put(_BREAK)


def render(text: str, style: Style) -> str:
    """A text of Markdown as the platform shows it. What comes to nothing is shown as it stands: nothing is lost."""
    return Growing(style).render(text)


class Growing:
    """`render` for a text that grows: the blocks before the last stay as they are, and aren't read again."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._settled = self._written = ""

    def render(self, text: str) -> str:
        """All of the text, which goes on where the one before ended."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        defines = "]:" in text and len(text) <= LONGEST  # a definition of a link changes blocks before it
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
        # A block's first line may yet turn out to belong to the block before it while it isn't complete.
        complete = head.count("\n")
        found = list(_top(head, self._style))
        last = next((place for place in range(len(found) - 1, 0, -1) if found[place][0] < complete), 0)
        written = [self._written]
        for place, (line, gap, block) in enumerate(found):
            written.append(gap)
            if place == last and last and settle:
                self._settled += "".join(each + "\n" for each in rest.split("\n", line)[:line])
                self._written = "".join(written)
            written.append(block)
        if len(head) < len(rest):
            written += ["\n", *_unread(rest[len(head) :], self._style)]
        return "".join(written)


def _cut(text: str) -> int:
    """Where what is read of a long text ends: behind a line, else behind a word, else anywhere."""
    return text.rfind("\n", 0, LONGEST) + 1 or text.rfind(" ", 0, LONGEST) + 1 or LONGEST


def _unread(text: str, style: Style) -> Iterator[str]:
    """Text as it stands, line by line."""
    return (f"{style.start(style.text(line, '', ''))}\n" for line in text.split("\n"))


def _top(text: str, style: Style) -> Iterator[tuple[int, str, str]]:
    """Each top-level block of a text: the number of its first line, the gap before it, and how it is written."""
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
    """The blocks among tokens, each from its first token to behind its last."""
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
    """Blocks one below the other, with an empty line between two where the author left one."""
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
    return [_Line(style.start(line)) for line in _inline(token.children or (), style).split("\n")]


def _heading(level: int, token: Token, style: Style) -> list[_Line]:
    bold = level > style.headings
    text = " ".join(_inline(token.children or (), style, bold=bold).split("\n"))
    if not text:
        return []
    return [_Line(f"{style.bold}{text}{style.bold}" if bold else f"{'#' * level} {text}")]


def _code(content: str, info: str, style: Style) -> list[_Line]:
    if not content.strip():
        return []
    language = _LANGUAGE.fullmatch(info.split(maxsplit=1)[0]) if style.languages and info.strip() else None
    # No platform knows longer fences than these.
    lines = style.code(content.removesuffix("\n")).replace("```", f"`{_BREAK}`{_BREAK}`").split("\n")
    fenced = [f"```{language.group() if language else ''}", *lines, "```"]
    return [_Line(line, code=True) for line in fenced]


def _prefixed(lines: Sequence[_Line], head: str, rest: str, style: Style, *, flat: bool = False) -> list[_Line]:
    """Lines behind a prefix; `flat`: one that is there already isn't doubled, where the platform nests none."""
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
    """The box of a task, taken out of its text; empty where the item is none."""
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
    written = [[" ".join(_inline(cell, style).split("\n")) for cell in row] for row in rows]
    if style.tables:
        marks = [{"text-align:right": "--:", "text-align:center": ":-:"}.get(each, "---") for each in aligned]
        lines = [[cell.replace("|", "\\|") for cell in row] for row in written]
        return [_Line(f"| {' | '.join(line)} |") for line in (lines[0], marks, *lines[1:])]
    plain = [[_plain(cell) for cell in row] for row in rows]
    linked = any(token.type in ("link_open", "image", "address") for row in rows for cell in row for token in cell)
    block = None if linked else _aligned(plain, [each == "text-align:right" for each in aligned])
    return _code(block, "", style) if block else _listed(written, style)


def _aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str | None:
    """The table as columns of text; None where that is too wide or too long."""
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
    """Columns that a text takes in a fixed-width font."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.category(char) in ("Mn", "Me", "Cf") for char in text)


def _listed(rows: Sequence[Sequence[str]], style: Style) -> list[_Line]:
    """The table as a list: a row an item, each cell behind its column's name."""
    head, written = rows[0], []
    for row in rows[1:]:
        named = [f"{name}: {cell}" if name else cell for name, cell in zip(head[1:], row[1:], strict=True) if cell]
        first = f"{style.bold}{row[0]}{style.bold}" if row[0] and style.bold not in row[0] else row[0]
        written.append(_Line(style.bullet + " · ".join(each for each in (first, *named) if each)))
    return written or [_Line(" · ".join(head))]


def _plain(tokens: Sequence[Token]) -> str:
    """What is read of inline tokens, without any formatting."""
    found = []
    for token in tokens:
        if token.type in ("softbreak", "hardbreak") or (
            token.type == "html_inline" and _LINE_BREAK.fullmatch(token.content)
        ):
            found.append(" ")
        elif token.type != "html_inline" or not _TAG.fullmatch(token.content):
            found.append(token.content)
    return " ".join("".join(found).split())


def _inline(tokens: Sequence[Token], style: Style, *, bold: bool = False) -> str:
    out = _Inline(style, depth={"bold": 1} if bold else {})
    tags = _paired(tokens)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        after = next((each.content[:1] or "\n" for each in tokens[at + 1 : at + 2]), "")
        match token.type:
            case "text":
                out.put(style.text(token.content, out.last(), after))
            case "softbreak" | "hardbreak":
                out.put("\n")
            case "code_inline" | "formula":
                out.put(_span(style.code(token.content), style))
            case "address":
                out.put(style.address(token.content, bracketed=False))
            case "em_open" | "em_close" | "strong_open" | "strong_close" | "s_open" | "s_close":
                name = _FORMATS[token.type.partition("_")[0]]
                out.toggle(name, opens=token.nesting == 1, after=after)
            case "link_open":
                end = next(place for place in range(at, len(tokens)) if tokens[place].type == "link_close")
                target = attribute(token, "href")
                if token.info == "auto":
                    out.put(style.address(target, bracketed=True))
                else:
                    label = " ".join(_inline(tokens[at + 1 : end], style, bold=bold).split("\n"))
                    out.put(style.link(label, _plain(tokens[at + 1 : end]), target))
                at = end
            case "image":
                alt = _plain(token.children or ()) or "image"
                out.put(style.link(style.text(alt, "[", "]"), alt, attribute(token, "src")))
            case "html_inline":
                _html(out, token.content, tags.get(at), after)
        at += 1
    written = "".join(out.pieces)
    # A single backquote pairs with none.
    return written.replace("\\`", "`") if written.count("`") == 1 else written


def _paired(tokens: Sequence[Token]) -> dict[int, tuple[str, bool]]:
    """The tags of HTML that format and are closed: by place, what they do, and whether they open."""
    found: dict[int, tuple[str, bool]] = {}
    opened: list[tuple[str, int]] = []
    for place, token in enumerate(tokens):
        tag = _TAG.fullmatch(token.content) if token.type == "html_inline" else None
        if tag is None:
            continue
        name = tag[2].lower()
        if not tag[1]:
            opened.append((name, place))
        elif opened and opened[-1][0] == name:
            _, begun = opened.pop()
            found[begun], found[place] = (_FORMATS[name], True), (_FORMATS[name], False)
    return found


def _html(out: _Inline, content: str, paired: tuple[str, bool] | None, after: str) -> None:
    if _LINE_BREAK.fullmatch(content):
        out.put("\n")
    elif paired is not None and paired[0] == "code":
        out.put("`")
    elif paired is not None:
        out.toggle(paired[0], opens=paired[1], after=after)
    elif not content.startswith("<!--"):
        out.put(out.style.text(content, out.last(), after))


def _span(content: str, style: Style) -> str:
    """Code within a line; it may hold backquotes, which mrkdwn has no way to write."""
    content = content.replace("\n", " ")
    if style.edges:
        content = content.replace("`", "\u02cb")
    if "`" not in content:
        return f"`{content}`"
    inner = content.replace("``", f"`{_BREAK}`").replace("``", f"`{_BREAK}`")
    return f"`` {inner} ``"
