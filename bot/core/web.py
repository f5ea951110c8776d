"""What an answer says of the web pages that it rests on."""

import re

from bot.model import Link, Web
from bot.text.clean import one_line

#: Sources that are named, and characters of a title.
SOURCES = 8
TITLE = 80
#: How the last line of an answer from the web begins, or what it is where nothing is cited.
NAMED = "Sources: "
UNNAMED = "(I looked this up on the web.)"

_MARKUP = re.compile(r"([\\\[\]*_`~<>|#@])")
_UNSAFE = str.maketrans({" ": "%20", "<": "%3C", ">": "%3E", "\\": "%5C", "|": "%7C", "`": "%60"})


class Findings:
    """The sources of one answer, of all its turns."""

    def __init__(self) -> None:
        self._looked = False
        self._links: dict[str, Link] = {}

    def note(self, web: Web) -> None:
        """A turn has looked at the web."""
        self._looked = True
        for link in web.sources:
            self._links.setdefault(link.url, link)

    @property
    def line(self) -> str:
        """What follows the answer's text; empty if it hasn't looked at the web."""
        if not self._looked:
            return ""
        named = " · ".join(map(_named, [*self._links.values()][:SOURCES]))
        return f"\n\n{NAMED}{named}" if named else f"\n\n{UNNAMED}"


def is_from_web(shown: str) -> bool:
    """Whether a shown text is an answer from the web."""
    last = shown.rstrip().rpartition("\n")[2]
    return last.startswith(NAMED) or last == UNNAMED


def _named(link: Link) -> str:
    """A source as a link in Markdown, whose title can't be anything else."""
    url = one_line(link.url).translate(_UNSAFE)
    title = one_line(link.title)[:TITLE].strip() or url
    escaped = _MARKUP.sub(r"\\\1", title)
    return f"[{escaped}](<{url}>)"
