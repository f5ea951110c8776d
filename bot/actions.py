"""What buttons, menus and forms do, as values: `str` serializes an action, `parse` reads one that came back.

Actions come back from outside: malformed ones parse as None. A serialized action has at most 90 characters, which every
platform accepts; a search that doesn't fit is left out.
"""

from dataclasses import dataclass
from typing import Literal, get_args

#: Characters of a serialized action.
LIMIT = 90
#: Characters of a search that fit beside a page's number, and beside a memory's id.
SEARCH_WITH_PAGE = 70
SEARCH_WITH_ID = 44

Switching = Literal["pause", "resume", "hush", "tell"]
Recording = Literal["off", "on"]
#: With a token: do what the journal's intent says (`forget`, `join`), or don't (`cancel`, `part`).
Deciding = Literal["forget", "cancel", "join", "part"]
#: With a memory: show it, share it, stop sharing it, forget it, edit it, or go back to the list.
Handling = Literal["open", "share", "close", "drop", "edit", "back"]


@dataclass(frozen=True, slots=True)
class Page:
    """Show a page of the list, or of the search results."""

    number: int = 1
    search: str = ""

    def __str__(self) -> str:
        return f"page:{self.number}:{self.search}"


@dataclass(frozen=True, slots=True)
class Search:
    """Open the search form or, when submitted, search."""

    def __str__(self) -> str:
        return "search:"


@dataclass(frozen=True, slots=True)
class Switch:
    """Pause or resume memory; or hush the line below answers that taught something, or have it told again."""

    kind: Switching

    def __str__(self) -> str:
        return f"{self.kind}:"


@dataclass(frozen=True, slots=True)
class Record:
    """Keep what is said where the button is off the record, or on it again."""

    kind: Recording

    def __str__(self) -> str:
        return f"record:{self.kind}"


@dataclass(frozen=True, slots=True)
class Export:
    """Send a file with everything that is kept."""

    def __str__(self) -> str:
        return "export:"


@dataclass(frozen=True, slots=True)
class Learned:
    """Show what a message has taught."""

    event_id: str

    def __str__(self) -> str:
        return f"learned:{self.event_id}"


@dataclass(frozen=True, slots=True)
class Review:
    """Show what the words of the token's intent would have forgotten."""

    token: str

    def __str__(self) -> str:
        return f"review:{self.token}"


@dataclass(frozen=True, slots=True)
class Decide:
    """Do, or don't, what the token's intent says."""

    kind: Deciding
    token: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.token}"


@dataclass(frozen=True, slots=True)
class Handle:
    """Do something with one memory; `search` is the search to go back to."""

    kind: Handling
    memory_id: str
    search: str = ""

    def __str__(self) -> str:
        action = f"{self.kind}:{self.memory_id}:{self.search}"
        return (
            action if len(self.search) <= SEARCH_WITH_ID and len(action) <= LIMIT else f"{self.kind}:{self.memory_id}:"
        )


Action = Page | Search | Switch | Record | Export | Learned | Review | Decide | Handle


def parse(serialized: str) -> Action | None:
    """Parse a serialized action; None if it isn't one of ours."""
    kind, _, rest = serialized.partition(":")
    if kind == "page":
        number, _, search = rest.partition(":")
        return Page(int(number) if number.isdecimal() and len(number) < 10 else 1, search)
    if kind == "search":
        return Search()
    if kind == "export":
        return Export()
    for recording in get_args(Recording):
        if (kind, rest) == ("record", recording):
            return Record(recording)
    if kind == "learned":
        return Learned(rest)
    if kind == "review":
        return Review(rest)
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
