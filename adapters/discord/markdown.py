"""Renders Markdown for Discord, which has neither tables nor rules, and reads `__…__` as underlined.

https://support.discord.com/hc/en-us/articles/210298617
"""

import re

from adapters.common import markdown_render
from adapters.common.markdown_signs import beside, formats
from bot.text.clean import clean

_SIGN = re.compile(r"[\\*_~|`<\[]")
_START = re.compile(r"(?P<digits>\d{1,10})(?=[.)](?:\s|\Z))|(?=#{1,3}(?:\s|\Z)|-#(?:\s|\Z)|[-*+](?:\s|\Z)|>)")
_WEB = re.compile(r"https?://", re.IGNORECASE)


class _Discord:
    bold, italic, strike = "**", "*", "~~"
    bullet = "- "
    rule = "─" * 12
    open, done = "☐", "☑"
    headings = 3
    inner_code = edges = False
    languages = True

    def takes_table(self, rows: int, columns: int) -> bool:
        """Discord has no tables."""
        return False

    def text(self, text: str, before: str, after: str) -> str:
        """Escape characters where Discord would format by them."""
        label = "](" in text

        def escaped(found: re.Match[str]) -> str:
            sign = found.group()
            left, right = beside(text, found, before, after)
            if sign == "|":
                escapes = "|" in (left, right)
            elif sign == "<":
                escapes = right in tuple("@#:/!") or right.isalpha()
            else:
                escapes = formats(sign, left, right, label=label)
            return f"\\{sign}" if escapes else sign

        return _SIGN.sub(escaped, text)

    def start(self, line: str) -> str:
        """Escape what would begin a heading, a list or a quotation."""
        found = _START.match(line)
        return line if found is None else f"{found.group()}\\{line[found.end() :]}"

    def code(self, content: str) -> str:
        """As it is: nothing is interpreted in Discord's code."""
        return content

    def link(self, label: str, plain: str, target: str) -> str:
        """A masked link, which Discord supports only for web addresses, unless the label looks like one, too."""
        if not _WEB.match(target):
            return label if plain in (target, target.removeprefix("mailto:")) else f"{label} ({target})"
        if not plain.strip() or _WEB.match(plain):
            return target
        return f"[{label}]({target.replace('(', '%28').replace(')', '%29')})"

    def address(self, target: str, *, bracketed: bool) -> str:
        """As it is; brackets keep Discord from showing a preview."""
        return f"<{target}>" if bracketed and _WEB.match(target) else target.removeprefix("mailto:")


_STYLE = _Discord()


def markdown(text: str) -> str:
    """Render an answer's Markdown for Discord."""
    return markdown_render.render(clean(text), _STYLE)


class Growing:
    """`markdown` for an answer that grows, see `adapters.common.markdown_render.Growing`."""

    def __init__(self) -> None:
        self._growing = markdown_render.Growing(_STYLE)

    def markdown(self, text: str) -> str:
        """Render the answer so far."""
        return self._growing.render(clean(text))
