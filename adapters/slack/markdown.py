"""Markdown as Slack shows it: in `markdown` blocks, and as mrkdwn where a workspace refuses those.

A `markdown` block knows CommonMark, tables, tasks and rules, but reads Slack's own `<…>` tokens there too. mrkdwn knows
bold, italic, struck, code, quotations and links, has no escapes but for `&`, `<` and `>`, and reads its signs at the
edges of words alone.

https://docs.slack.dev/reference/block-kit/blocks/markdown-block
https://docs.slack.dev/messaging/formatting-message-text
"""

import re

from adapters.common.markdown_render import render
from adapters.common.markdown_signs import beside, formats
from adapters.common.text import clean

_BREAK = "\u200b"
_SIGN = re.compile(r"[\\*_~`<&\[]")
_ENTITY = re.compile(r"&(?=[A-Za-z][A-Za-z0-9]{0,31};|#)")
_START = re.compile(
    r"(?P<digits>\d{1,9})(?=[.)](?:\s|\Z))|(?=#{1,6}(?:\s|\Z)|[-*+](?:\s|\Z)|>|={1,99}\s?\Z|-{1,99}\s?\Z|\|)"
)
#: What Slack would read as a mention, a channel or a link with a label of its own.
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
    tables = languages = inner_code = True
    edges = False

    def text(self, text: str, before: str, after: str) -> str:
        """Signs of Markdown behind a backslash where they would form something, and no token of Slack's."""
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
        """What would begin another block, behind a backslash."""
        found = _START.match(line)
        return line if found is None else f"{found.group()}\\{line[found.end() :]}"

    def code(self, content: str) -> str:
        """Code keeps its brackets: it is shown as it stands, with a zero-width break where they would be a token."""
        return _literal_brackets(content)

    def link(self, label: str, plain: str, target: str) -> str:
        """A link as Markdown has it."""
        target = target.replace("(", "%28").replace(")", "%29").replace("<", "%3C")
        return f"[{label}]({target})" if plain.strip() else target

    def address(self, target: str, *, bracketed: bool) -> str:
        """As it stands, without brackets, which would be a token of Slack's."""
        return target.removeprefix("mailto:").replace("<", "&lt;")


class _Mrkdwn:
    bold, italic, strike = "*", "_", "~"
    bullet = "• "
    rule = "─" * 12
    open, done = "☐", "☑"
    headings = 0
    tables = languages = inner_code = False
    edges = True

    def text(self, text: str, before: str, after: str) -> str:
        """Slack's three escapes, and a zero-width break before a sign that would format."""

        def broken(found: re.Match[str]) -> str:
            left, right = beside(text, found, before, after)
            inert = (left.isalnum() and right.isalnum()) or (left.isspace() and right.isspace())
            return found.group() if inert else _BREAK + found.group()

        return _escaped(_SIGN_OF_MRKDWN.sub(broken, text))

    def start(self, line: str) -> str:
        """An escaped `>` is a quotation's all the same."""
        return _BREAK + line if line.startswith("&gt;") else line

    def code(self, content: str) -> str:
        """The escapes are read in code as well."""
        return _escaped(content)

    def link(self, label: str, plain: str, target: str) -> str:
        """A link of Slack's, whose label is plain."""
        shown = _escaped(" ".join(plain.split())).replace("|", "¦")
        if not _LINKED.match(target):
            return f"{shown} ({_escaped(target)})" if plain != target else shown
        address = _escaped(target).replace("|", "%7C")
        return f"<{address}|{shown}>" if shown else f"<{address}>"

    def address(self, target: str, *, bracketed: bool) -> str:
        """A link without a label."""
        return f"<{_escaped(target).replace('|', '%7C')}>" if _LINKED.match(target) else _escaped(target)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_BLOCK, _MRKDWN = _Block(), _Mrkdwn()


def markdown(text: str) -> str:
    """Markdown for a `markdown` block: nothing in it is a token of Slack's, nothing mentions."""
    return render(clean(text), _BLOCK)


def mrkdwn(text: str) -> str:
    """Markdown as mrkdwn."""
    return render(clean(text), _MRKDWN)
