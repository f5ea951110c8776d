"""Renders inline Markdown (emphasis, code, links, tags) for a platform."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from markdown_it.token import Token

from adapters.common.markdown import attribute
from bot.text.clean import one_line

#: A zero-width space, to separate markers.
BREAK = "\u200b"
_TAG = re.compile(r"<(/?)(b|strong|i|em|s|del|strike|code|kbd)>", re.IGNORECASE)
_LINE_BREAK = re.compile(r"<br[ \t]*/?>", re.IGNORECASE)
#: The formats of HTML tags and of markdown-it's tokens.
_FORMATS = {"b": "bold", "strong": "bold", "i": "italic", "em": "italic", "s": "strike", "del": "strike"}
_FORMATS |= {"strike": "strike", "code": "code", "kbd": "code"}


class Style(Protocol):
    """A platform's markup."""

    #: Markers of bold, italic and strikethrough.
    bold: str
    italic: str
    strike: str
    bullet: str
    rule: str
    #: The check boxes of tasks.
    open: str
    done: str
    #: How many levels of headings the platform has; deeper ones become bold.
    headings: int
    #: Whether it supports languages of code blocks, and code blocks within lists and quotations.
    languages: bool
    inner_code: bool
    #: Whether markers only work at the edge of a word.
    edges: bool

    def takes_table(self, rows: int, columns: int) -> bool:
        """Whether the next table of the text, which has so many rows, can be a Markdown table."""
        ...

    def text(self, text: str, before: str, after: str) -> str:
        """Escape plain text that is between these two characters."""
        ...

    def start(self, line: str) -> str:
        """Escape the beginning of a paragraph's line."""
        ...

    def code(self, content: str) -> str:
        """Escape the content of code."""
        ...

    def link(self, label: str, plain: str, target: str) -> str:
        """A link: its label as rendered and as plain text, and its target."""
        ...

    def address(self, target: str, *, bracketed: bool) -> str:
        """A bare address; `bracketed`: written as `<…>`."""
        ...


@dataclass(slots=True)
class _Inline:
    """Inline tokens being rendered: the pieces, and the nesting depth of each format."""

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
        """Begin or end a format, unless nested in the same one."""
        marker: str = {"bold": self.style.bold, "italic": self.style.italic, "strike": self.style.strike}[name]
        depth: int = self.depth.get(name, 0) + (1 if opens else -1)
        self.depth[name] = depth
        if depth != (1 if opens else 0):
            return
        before = self.last()
        # Two adjacent markers would be parsed as one.
        if opens and ((self.closed and before == marker[0]) or (self.style.edges and before.isalnum())):
            self.put(BREAK)
        self.put(marker)
        self.closed = not opens
        if not opens and self.style.edges and after.isalnum():
            self.put(BREAK)


def plain_text(tokens: Sequence[Token]) -> str:
    """The text of inline tokens, without formatting."""
    found = []
    for token in tokens:
        if token.type in ("softbreak", "hardbreak") or (
            token.type == "html_inline" and _LINE_BREAK.fullmatch(token.content)
        ):
            found.append(" ")
        elif token.type != "html_inline" or not _TAG.fullmatch(token.content):
            found.append(token.content)
    return one_line("".join(found))


def inline(tokens: Sequence[Token], style: Style, *, bold: bool = False) -> str:
    out = _Inline(style, depth={"bold": 1} if bold else {})
    tags = _paired(tokens)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        after = (tokens[at + 1].content[:1] or "\n") if at + 1 < len(tokens) else ""
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
    # A single backquote has nothing to pair with.
    return written.replace("\\`", "`") if written.count("`") == 1 else written


def _paired(tokens: Sequence[Token]) -> dict[int, tuple[str, bool]]:
    """HTML tags that format and are closed, by position: the format, and whether the tag opens it."""
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
            _, start = opened.pop()
            found[start], found[place] = (_FORMATS[name], True), (_FORMATS[name], False)
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
    """Inline code. It may contain backquotes, which mrkdwn can't express."""
    content = content.replace("\n", " ")
    if style.edges:
        content = content.replace("`", "\u02cb")
    if "`" not in content:
        return f"`{content}`"
    inner = content.replace("``", f"`{BREAK}`").replace("``", f"`{BREAK}`")
    return f"`` {inner} ``"
