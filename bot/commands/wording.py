"""The sentences and rows of the commands' views."""

from collections.abc import Sequence
from datetime import datetime, tzinfo

from bot.actions import Page
from bot.model import PRIVATE_SCOPE, SHARED_SCOPE, Memory, Source, StoredMessage
from bot.text.clean import one_line
from bot.views import Button, Item, View

#: Characters of a memory shown in a row.
ROW = 300
#: Characters of a memory shown in a view of its own.
WHOLE = 2000
#: Characters read of a command's argument.
ARGUMENT = 1000
#: Sources shown with a memory.
SOURCES = 8

PAUSED = "Memory is paused: I use nothing that I remember about you, and learn nothing new."
UNAVAILABLE = View("I can't reach my memory right now. Nothing was changed; please try again in a little while.")
STALE = View(
    "That button was used already, or is too old: pressing it now changed nothing.",
    buttons=(Button("Show memories", str(Page())),),
)
CANCELLED = View("Nothing was forgotten.")
GONE = View("I no longer remember that, so there is nothing to change.", buttons=(Button("Back", str(Page())),))
OFF = View(
    "Whoever runs me has switched memory off: I use nothing that I remembered about you, and keep nothing but our "
    "recent conversation. /forget still has everything erased."
)
UNTAUGHT = View(
    "I don't remember anything any more that I learned from that message.",
    buttons=(Button("Show memories", str(Page())),),
)
HUSHED = "I no longer say below my answers that I have learned something from you. I go on learning."
TOLD = "When I have learned something from you, a quiet line below my answer says so again."
EMPTY = "I don't remember anything about you yet."
FORGET_HINT = "Forget one with /forget and its number or its words; /forget alone forgets everything."
LATER = "A part of it could not be reached just now: it is not used any more, and I go on erasing until it is gone."


def kept(hours: float = 24, *, hosted: bool = False) -> str:
    """What is kept, where and for how long: recent turns for `hours`, 0 if none are kept."""
    where = "with mem0, a service that this bot uses" if hosted else "in this bot's own database"
    turns = f"recent conversation for {hours:g} hours; " if hours else ""
    return (
        f"I keep facts about you, {where}, until you forget them; {turns}"
        "and what you write only until I have learned from it."
    )


def things(count: int) -> str:
    """A number of memories, in words."""
    return "1 thing" if count == 1 else f"{count} things"


def messages(said: Sequence[StoredMessage]) -> str:
    """A number of messages of recent conversation, in words."""
    count, waiting = len(said), sum(message.waiting for message in said)
    some = "1 message" if count == 1 else f"{count} messages"
    if waiting == count:
        return f"{some} that I have yet to learn from"
    return f"{some} of our recent conversation" + (f" ({waiting} of them not yet learned)" if waiting else "")


def row(text: str, limit: int) -> str:
    """A text on one line, cut to `limit` characters."""
    line = one_line(text)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def day(at: datetime, zone: tzinfo | None) -> str:
    """A date as people in that time zone read it."""
    return f"{at.astimezone(zone):%Y-%m-%d}"


def item(memory: Memory, number: int, zone: tzinfo | None) -> Item:
    """A memory as a row of a list, for somebody in that time zone."""
    source = newest(memory)
    marks = [day(memory.learned_at, zone), source.place if source else "", *_marks(memory)]
    return Item(number, row(memory.text, ROW), ", ".join(mark for mark in marks if mark), source.link if source else "")


def newest(memory: Memory) -> Source | None:
    """The newest message that taught a memory."""
    return max(memory.sources, key=lambda source: source.at, default=None)


def _marks(memory: Memory) -> list[str]:
    marks = []
    if memory.scope == SHARED_SCOPE:
        marks.append("may be used in channels")
    if memory.superseded_by:
        marks.append("earlier, no longer used")
    if memory.edited_at:
        marks.append("edited")
    return marks


def source_items(memory: Memory, zone: tzinfo | None) -> tuple[Item, ...]:
    """The messages that taught a memory, newest first, each with its link, for somebody in that time zone."""
    sources = sorted(memory.sources, key=lambda source: source.at, reverse=True)[:SOURCES]
    return tuple(
        Item(number, f"You said so on {source.at.astimezone(zone):%Y-%m-%d at %H:%M (%Z)}", _there(source), source.link)
        for number, source in enumerate(sources, 1)
    )


def _there(source: Source) -> str:
    return source.place or ("the message" if source.link else "")


def standing(memory: Memory, zone: tzinfo | None) -> str:
    """Where a memory is used, and whether it was edited or superseded; for somebody in that time zone."""
    said = []
    if memory.edited_at:
        said.append(f"You edited it on {day(memory.edited_at, zone)}.")
    if memory.superseded_by:
        said.append("Something newer has replaced it, so it is no longer used.")
    elif memory.scope == SHARED_SCOPE:
        said.append("It may be used in channels, where others read along.")
    elif memory.scope == PRIVATE_SCOPE:
        said.append("It is used in direct messages only.")
    elif memory.scope.startswith("public:"):
        said.append("It is used in the channels of the workspace or server where I learned it, and in direct messages.")
    else:
        said.append("It is used in the place where I learned it and in direct messages.")
    return " ".join(said)
