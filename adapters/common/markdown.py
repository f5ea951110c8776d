"""Markdown as models write it: CommonMark with tables and strikethrough, by markdown-it.

Differs from CommonMark, to fit what chat models write:
- emphasis works next to CJK letters, where CommonMark sees no word boundary ("**「重要」**です");
- a bare address is one token, whatever characters it contains;
- so is TeX between dollars or in `\\(…\\)`, `\\[…\\]`, whose characters have no meaning here;
- `[^1]:` doesn't define a link (which would swallow the footnote);
- there are no HTML blocks: their tags are inline, and their text is read;
- what is nested deeper than DEEPEST is text; markdown-it would drop it.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

from bot.text.clean import one_line

#: Nesting depth of quotations and lists.
DEEPEST = 8
#: Characters of an address, and of a formula.
_ADDRESS = 2048
_FORMULA = 2000
#: Emphasis markers before an address that are examined.
_MARKS = 100

_REST = re.compile(r"://[^\s<>\[\]`|*\"\\^{}]+")
_SCHEME = re.compile(r"(?:(?<=\W)|^)https?$", re.IGNORECASE)
_CJK = re.compile("[\u1100-\u11ff\u2e80-\u303f\u3040-\u9fff\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]")

Rule = Callable[[StateBlock, int, int, bool], bool]


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": 20}).enable(["table", "strikethrough"]).disable("html_block")
    parser.inline.ruler.at("emphasis", _emphasis)
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.inline.ruler.before("newline", "address", _address)
    rules = {rule.name: rule for rule in parser.block.ruler.__rules__}
    for name in ("blockquote", "list"):
        parser.block.ruler.at(name, _shallow(rules[name].fn), {"alt": rules[name].alt})
    parser.block.ruler.at("reference", _no_footnote(rules["reference"].fn))
    return parser


def parse(text: str) -> list[Token]:
    """The blocks of a text, as markdown-it's tokens."""
    return _parser().parse(text)


def _shallow(rule: Rule) -> Rule:
    def shallow(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        return state.level < 2 * DEEPEST and rule(state, start, end, silent)

    return shallow


def _no_footnote(rule: Rule) -> Rule:
    def no_footnote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        footnote = state.src.startswith("[^", state.bMarks[start] + state.tShift[start])
        return not footnote and rule(state, start, end, silent)

    return no_footnote


def _emphasis(state: StateInline, silent: bool) -> bool:
    """CommonMark's delimiter runs, except that CJK letters count as word boundaries, like white space."""
    marker = state.src[state.pos]
    if silent or marker not in "*_":
        return False
    end = state.pos
    while end < state.posMax and state.src[end] == marker:
        end += 1
    before = state.src[state.pos - 1] if state.pos else " "
    after = state.src[end] if end < state.posMax else " "
    opens = not after.isspace() and (not _punctuation(after) or _edge(before))
    closes = not before.isspace() and (not _punctuation(before) or _edge(after))
    if marker == "_":
        opens, closes = opens and (not closes or _punctuation(before)), closes and (not opens or _punctuation(after))
    for _ in range(end - state.pos):
        state.push("text", "", 0).content = marker
        state.delimiters.append(
            Delimiter(
                marker=ord(marker),
                length=end - state.pos,
                token=len(state.tokens) - 1,
                end=-1,
                open=opens,
                close=closes,
            )
        )
    state.pos = end
    return True


def _punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS"


def _edge(char: str) -> bool:
    return char.isspace() or _punctuation(char) or _CJK.match(char) is not None


def _address(state: StateInline, silent: bool) -> bool:
    """A bare address, without the punctuation that ends its sentence."""
    if state.src[state.pos] != ":" or state.linkLevel:
        return False
    scheme = _SCHEME.search(state.src[max(0, state.pos - 6) : state.pos])
    rest = _REST.match(state.src, state.pos, min(state.posMax, state.pos + _ADDRESS)) if scheme else None
    if scheme is None or rest is None:
        return False
    # A marker that ends an open emphasis isn't part of the address.
    open_marks = {chr(delimiter.marker) for delimiter in state.delimiters[-_MARKS:]} & set("~_")
    ends = ".,:;!?'" + "".join(open_marks)
    start, found = scheme.group(), rest.group().rstrip(ends)
    while found.endswith(")") and found.count(")") > found.count("("):
        found = found[:-1].rstrip(ends)
    if len(found) <= len("://"):
        return False
    if not silent:
        if not state.pending.endswith(start):
            return False
        state.pending = state.pending[: -len(start)]
        state.push("address", "", 0).content = start + found
    state.pos += len(found)
    return True


def _formula(state: StateInline, silent: bool) -> bool:
    """TeX, by Pandoc's rule for dollars: "$5 and $10" isn't."""
    start = state.pos
    opening = next((mark for mark in ("$$", "$", "\\(", "\\[") if state.src.startswith(mark, start)), "")
    if not opening:
        return False
    closing = {"\\(": "\\)", "\\[": "\\]"}.get(opening, opening)
    begin = start + len(opening)
    end = state.src.find(closing, begin, min(state.posMax, begin + _FORMULA))
    content = state.src[begin : max(end, begin)]
    if end < 0 or not content.strip():
        return False
    if opening == "$":
        after = state.src[end + 1 : end + 2]
        if content != content.strip() or after.isdigit() or (start and state.src[start - 1].isalnum()):
            return False
    if not silent:
        state.push("formula", "", 0).content = one_line(content)
    state.pos = end + len(closing)
    return True


def attribute(token: Token, name: str) -> str:
    """An attribute of a token; empty if it has none."""
    found: Any = token.attrs.get(name, "")
    return str(found)
