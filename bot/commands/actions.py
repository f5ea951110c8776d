"""What buttons, menus and forms do, as values: `parse` reads an action that came back, `str` writes one down.

An action is data from outside: what is malformed parses as None. Its written form holds 90 characters, which is what
every platform takes; where a search is too long for that, it is left out.
"""

from dataclasses import dataclass
from typing import Literal, get_args

#: Characters of a written action.
LIMIT = 90
#: Characters of a search that fit beside a page's number, and beside a memory's id.
SEARCH_WITH_PAGE = 70
SEARCH_WITH_ID = 44

Switching = Literal["pause", "resume"]
#: With a token: what an intent in the journal says is done (`forget`, `join`), or left (`cancel`, `part`).
Deciding = Literal["forget", "cancel", "join", "part"]
#: With one memory: show it, share it or no longer, forget it, edit it, or go back to the list.
Handling = Literal["open", "share", "close", "drop", "edit", "back"]


@dataclass(frozen=True, slots=True)
class Page:
    """Show a page of the list, or of what holds the words of `search`."""

    number: int = 1
    search: str = ""

    def __str__(self) -> str:
        return f"page:{self.number}:{self.search}"


@dataclass(frozen=True, slots=True)
class Search:
    """Open the form for words to search for, or (submitted) search for them."""

    def __str__(self) -> str:
        return "search:"


@dataclass(frozen=True, slots=True)
class Switch:
    """Pause or resume memory."""

    kind: Switching

    def __str__(self) -> str:
        return f"{self.kind}:"


@dataclass(frozen=True, slots=True)
class Export:
    """Hand over a file with everything that is kept."""

    def __str__(self) -> str:
        return "export:"


@dataclass(frozen=True, slots=True)
class Decide:
    """Do, or leave, what the intent of this token says."""

    kind: Deciding
    token: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.token}"


@dataclass(frozen=True, slots=True)
class Handle:
    """Do something with one memory; `search` is the one to go back to."""

    kind: Handling
    memory_id: str
    search: str = ""

    def __str__(self) -> str:
        action = f"{self.kind}:{self.memory_id}:{self.search}"
        return (
            action if len(self.search) <= SEARCH_WITH_ID and len(action) <= LIMIT else f"{self.kind}:{self.memory_id}:"
        )


Action = Page | Search | Switch | Export | Decide | Handle


def parse(written: str) -> Action | None:
    """The action that was written so; None where it is none of ours."""
    kind, _, rest = written.partition(":")
    if kind == "page":
        number, _, search = rest.partition(":")
        return Page(int(number) if number.isdecimal() and len(number) < 10 else 1, search)
    if kind == "search":
        return Search()
    if kind == "export":
        return Export()
    for name in get_args(Switching):
        if kind == name:
            return Switch(name)
    for name in get_args(Deciding):
        if kind == name:
            return Decide(name, rest)
    for name in get_args(Handling):
        if kind == name:
            memory_id, _, search = rest.partition(":")
            return Handle(name, memory_id, search)
    return None
