"""Renders Markdown for Slack: for `markdown` blocks, or as mrkdwn if a workspace refuses those.

A `markdown` block supports CommonMark, tasks, rules, and one table in a message, which Slack makes a table block of;
but also Slack's own `<…>` tokens. mrkdwn supports bold, italic, strikethrough, code, quotations and links, has escapes
only for `&`, `<` and `>`, and recognises its markers only at the edges of words. In mrkdwn, in streams, and where one
table is too large or not the first, tables are aligned text.

https://docs.slack.dev/reference/block-kit/blocks/markdown-block
https://docs.slack.dev/reference/block-kit/blocks/table-block
https://docs.slack.dev/messaging/formatting-message-text
"""

import re

from adapters.common.markdown_render import render
from adapters.common.markdown_signs import beside, formats
from bot.text.clean import clean, one_line

#: What Slack makes table blocks of, in one message; it refuses messages with more (`invalid_blocks`, or
#: `invalid_attachments` for a second table).
TABLES = 1
TABLE_ROWS = 100
TABLE_COLUMNS = 20

_BREAK = "\u200b"
_SIGN = re.compile(r"[\\*_~`<&\[]")
_ENTITY = re.compile(r"&(?=[A-Za-z][A-Za-z0-9]{0,31};|#)")
_START = re.compile(
    r"(?P<digits>\d{1,9})(?=[.)](?:\s|\Z))|(?=#{1,6}(?:\s|\Z)|[-*+](?:\s|\Z)|>|={1,99}\s?\Z|-{1,99}\s?\Z|\|)"
)
#: What Slack would parse as a mention, a channel or a labelled link.
_LIVE = re.compile(r"<(?=[!@#]|[a-zA-Z][a-zA-Z0-9+.-]{0,31}:)")
_SIGN_OF_MRKDWN = re.compile(r"[*_~`]")
_LINKED = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)


def _literal_brackets(content: str) -> str:
    return _LIVE.sub(f"<{_BREAK}", content)


class _Block:
    bold, italic, strike = "**", "*", "~~"
    bullet = "- "
    rule = "---"
    open, done = "[ ]", "[x]"
    headings = 6
    languages = inner_code = True
    edges = False

    def __init__(self, tables: int) -> None:
        self._tables = tables

    def takes_table(self, rows: int, columns: int) -> bool:
        """Only a message's first tables, and only of the size that Slack's table blocks take."""
        fits = self._tables > 0 and rows <= TABLE_ROWS and columns <= TABLE_COLUMNS
        self._tables -= fits
        return fits

    def text(self, text: str, before: str, after: str) -> str:
        """Escape characters where they would format, and Slack's tokens."""
        label = "](" in text or "]:" in text

        def escaped(found: re.Match[str]) -> str:
            sign = found.group()
            if sign == "<":
                return "&lt;"
            if sign == "&":
                return "&amp;" if _ENTITY.match(text, found.start()) else "&"
            left, right = beside(text, found, before, after)
            return f"\\{sign}" if formats(sign, left, right, label=label) else sign

        return _SIGN.sub(escaped, text)

    def start(self, line: str) -> str:
        """Escape what would begin another block."""
        found = _START.match(line)
        return line if found is None else f"{found.group()}\\{line[found.end() :]}"

    def code(self, content: str) -> str:
        """Keep brackets, as code is shown verbatim, with a zero-width break where they would be a token."""
        return _literal_brackets(content)

    def link(self, label: str, plain: str, target: str) -> str:
        """A Markdown link."""
        target = target.replace("(", "%28").replace(")", "%29").replace("<", "%3C")
        return f"[{label}]({target})" if plain.strip() else target

    def address(self, target: str, *, bracketed: bool) -> str:
        """As it is, without brackets, which would be one of Slack's tokens."""
        return target.removeprefix("mailto:").replace("<", "&lt;")


class _Mrkdwn:
    bold, italic, strike = "*", "_", "~"
    bullet = "• "
    rule = "─" * 12
    open, done = "☐", "☑"
    headings = 0
    languages = inner_code = False
    edges = True

    def takes_table(self, rows: int, columns: int) -> bool:
        """Not in mrkdwn."""
        return False

    def text(self, text: str, before: str, after: str) -> str:
        """Slack's three escapes, and a zero-width break before characters that would format."""

        def broken(found: re.Match[str]) -> str:
            left, right = beside(text, found, before, after)
            inert = (left.isalnum() and right.isalnum()) or (left.isspace() and right.isspace())
            return found.group() if inert else _BREAK + found.group()

        return _escaped(_SIGN_OF_MRKDWN.sub(broken, text))

    def start(self, line: str) -> str:
        """Break a `>` at the start, which would begin a quotation even when escaped."""
        return _BREAK + line if line.startswith("&gt;") else line

    def code(self, content: str) -> str:
        """Escape code as well: Slack unescapes it."""
        return _escaped(content)

    def link(self, label: str, plain: str, target: str) -> str:
        """A Slack link, with a plain label."""
        shown = _escaped(one_line(plain)).replace("|", "¦")
        if not _LINKED.match(target):
            return f"{shown} ({_escaped(target)})" if plain != target else shown
        address = _escaped(target).replace("|", "%7C")
        return f"<{address}|{shown}>" if shown else f"<{address}>"

    def address(self, target: str, *, bracketed: bool) -> str:
        """A link without a label."""
        return f"<{_escaped(target).replace('|', '%7C')}>" if _LINKED.match(target) else _escaped(target)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_MRKDWN = _Mrkdwn()


def markdown(text: str) -> str:
    """Markdown for a message's `markdown` block, in which nothing is one of Slack's tokens or mentions anybody."""
    return render(clean(text), _Block(TABLES))


def streamed(text: str) -> str:
    """Markdown for a stream, in which tables are aligned text: not every client shows them as tables there."""
    return render(clean(text), _Block(0))


def mrkdwn(text: str) -> str:
    """Markdown as mrkdwn."""
    return render(clean(text), _MRKDWN)
