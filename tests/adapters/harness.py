"""A platform as the adapter contract uses it: the verbs that each platform's harness gives, over its fake server."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bot.events import CommandEvent, PressEvent, SubmitEvent
from bot.ports import Adapter
from bot.views import Button, Form, Item, View
from tests.adapters.core import StubCore

LIST = View(
    "What I remember about you",
    (Item(1, "Likes tea", "2026-11-20"),),
    buttons=(Button("Forget", "forget:7", danger=True), Button("Edit", "edit:7", opens_form=True)),
)
FORM = Form("Edit a memory", "What I should remember", "Likes tea", "save:7")


@dataclass(frozen=True)
class Shown:
    """A view as its caller sees it, and whether nobody else does. `handle` is the harness's own."""

    text: str
    private: bool
    handle: Any


@dataclass(frozen=True)
class Below:
    """What stands below an answer: its lines, the labels of its buttons, and on which of the bot's messages."""

    lines: list[str]
    labels: list[str]
    messages: list[str]


@dataclass(frozen=True)
class Opened:
    """A form as it is opened for somebody: what stands in its field. `handle` is the harness's own."""

    value: str
    handle: Any


class Harness(Protocol):
    """A platform as Ann uses it. Messages are named by the id that the adapter gives their events."""

    name: str
    core: StubCore
    #: The most characters that one message holds there.
    limit: int
    #: What would ping or disturb people, if an answer that says it were shown as it is.
    loud: str

    def running(self, core: StubCore | None = None) -> AbstractAsyncContextManager[Any]:
        """A new adapter, listening, of this harness's core or another; stopped at the end."""
        ...

    async def direct(self, text: str) -> str:
        """Ann writes to the bot alone."""
        ...

    def answers(self, message: str) -> dict[str, str]:
        """What people see now of the bot's answer to that message, Ann's last one there: ids and texts, in order."""
        ...

    def below(self, message: str) -> Below:
        """What people see now below the bot's answer to that message."""
        ...

    async def press_below(self, message: str, label: str) -> Shown:
        """Ann clicks a button below the answer to her message."""
        ...

    def pings(self) -> list[str]:
        """What the bot has sent so far that could ping or disturb anybody."""
        ...

    async def command(self, name: str, argument: str) -> Shown:
        """Ann uses a command where others can read."""
        ...

    async def press(self, shown: Shown, label: str) -> Shown:
        """Ann clicks a button of a view; return what takes the view's place."""
        ...

    async def open_form(self, shown: Shown, label: str) -> Opened:
        """Ann clicks a button that opens a form."""
        ...

    async def submit(self, opened: Opened, text: str) -> Shown:
        """Ann fills in a form and sends it."""
        ...


class PlatformHarness(Harness, Protocol):
    """A platform that is a service: with channels, with others in them, and at the end of a connection."""

    def running(self, core: StubCore | None = None) -> AbstractAsyncContextManager[Adapter]: ...

    async def mention(self, text: str) -> str:
        """Ann mentions the bot in a channel that everyone can read."""
        ...

    async def talk(self, text: str) -> str:
        """Ann writes to others in that channel."""
        ...

    async def reply(self, message: str, text: str) -> str:
        """Ann replies to the bot's answer to that message, without a mention."""
        ...

    async def repeat(self, message: str) -> None:
        """The platform delivers a message a second time."""
        ...

    async def edit(self, message: str, text: str, *, heard: bool = True) -> None:
        """Ann edits a message, which begins with a mention where it did; not `heard`: while the bot isn't connected."""
        ...

    async def delete(self, message: str, *, heard: bool = True) -> None:
        """Ann deletes a message; `heard` is as for `edit`."""
        ...

    def leave_out(self, message: str) -> None:
        """Let the platform's histories leave a message out that is still there."""
        ...

    async def earlier(self, text: str) -> tuple[str, str, datetime]:
        """What `History.last_seen` tells of Ann's direct messages, of which that one was seen some time ago."""
        ...

    async def unheard(self, text: str) -> str:
        """Ann writes to the bot alone while it isn't connected."""
        ...

    async def missed(self, text: str) -> str:
        """The connection is lost, and Ann writes to the bot alone before it is back."""
        ...

    async def press_anothers(self, message: str, label: str) -> Shown:
        """Bob clicks a button below the answer to Ann's message in the channel."""
        ...

    def limit_edits(self) -> None:
        """Let the platform limit the rate of the next edit of a message."""
        ...

    def limit_deletions(self) -> None:
        """Let the platform limit the rate of the next deletion of a message, and fail at the one after."""
        ...

    def refuse(self) -> None:
        """Let the platform refuse for good whatever holds "You said"."""
        ...


def view(event: CommandEvent | PressEvent | SubmitEvent) -> View:
    """A list for a command, and what was done for the rest."""
    if isinstance(event, CommandEvent):
        return LIST
    return View(f"Pressed {event.action}" if isinstance(event, PressEvent) else f"Now it says {event.text}")


def contract_core() -> StubCore:
    """A core that echoes messages, and shows a list with a button that acts and one that opens a form."""
    return StubCore(view=view, form=FORM)
