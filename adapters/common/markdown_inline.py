"""Text within a line: emphasis, code, links and tags, written as a platform shows them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from markdown_it.token import Token

from adapters.common.markdown import attribute

#: Keeps signs apart, without width.
BREAK = "\u200b"
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
            self.put(BREAK)
        self.put(marker)
        self.closed = not opens
        if not opens and self.style.edges and after.isalnum():
            self.put(BREAK)


def plain_text(tokens: Sequence[Token]) -> str:
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


def inline(tokens: Sequence[Token], style: Style, *, bold: bool = False) -> str:
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
                    label = " ".join(inline(tokens[at + 1 : end], style, bold=bold).split("\n"))
                    out.put(style.link(label, plain_text(tokens[at + 1 : end]), target))
                at = end
            case "image":
                alt = plain_text(token.children or ()) or "image"
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
    inner = content.replace("``", f"`{BREAK}`").replace("``", f"`{BREAK}`")
    return f"`` {inner} ``"
