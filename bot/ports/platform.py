"""Platforms: what an adapter is to the composition root, and the core to an adapter; and how a reply gets back."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bot.config import Settings
from bot.events import CommandEvent, MessageEvent, PressEvent, SubmitEvent
from bot.model import Person
from bot.views import Form, View

if TYPE_CHECKING:  # it imports aiohttp
    import aiohttp

    from bot.checks import Finding


class ReplyHandle(Protocol):
    """Replies to where a message came from. One object per message, made by the adapter."""

    def working(self) -> AbstractAsyncContextManager[None]:
        """Show that an answer is on its way (typing, status) while the block runs. Never raises."""
        ...

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Show an answer as it grows and return the ids of the messages that hold it (same form as event ids).

        Each snapshot is the whole text so far, in Markdown; a later one may replace it altogether. The last one
        is the answer. Splitting, mentions that must not ping and edit limits are the adapter's business.

        Raises OSError (ConnectionError) where a later try may work, and PlatformRefused where none will: what one form
        is refused for has been tried in another by then.
        """
        ...

    async def found(self) -> tuple[str, tuple[str, ...]] | None:
        """The answer that an earlier process has already shown in full: its text and its messages' ids; else None.

        Asked before an event is answered that a process left behind; what was whole and could only not be shown may be
        shown by it. What is only partly shown counts as not shown:
        `stream` then finishes it in place.
        """
        ...

    async def whisper(self, text: str) -> None:
        """Say one plain sentence to the person alone where the platform can (ephemeral), else in place.

        Raises as `stream` does.
        """
        ...


class Messages(Protocol):
    """What people write to the bot."""

    async def admit(self, event: MessageEvent) -> bool:
        """Write the event down, so that it may be acknowledged; False where it was seen before.

        Raises JournalUnavailable where it can't be written: the platform should send it again.
        """
        ...

    async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
        """Answer one message (`admitted`: it was written down by `admit`, which returned True).

        Never raises: failures are logged without text and told to the person.
        """
        ...

    async def confirm(self, event_id: str) -> None:
        """Return where the answer to an event may be shown; called right before each request that shows some of it.

        Raises ClaimLost where another process gives that answer, and JournalUnavailable where it can't be told.
        Neither is for the adapter to handle: the core expects them from `ReplyHandle`.
        """
        ...


class Interactions(Protocol):
    """Commands, buttons, menus and forms: each answered by a view for the caller alone."""

    async def on_command(self, event: CommandEvent) -> View:
        """Run `/memories` or `/forget` for the caller alone. Never raises."""
        ...

    async def on_press(self, event: PressEvent) -> View:
        """Act on a button for the person who clicked it. Never raises."""
        ...

    async def open_form(self, event: PressEvent) -> Form | View:
        """The form of a button that `opens_form`; a View where it may not be opened. Answers within a second."""
        ...

    async def on_submit(self, event: SubmitEvent) -> View:
        """Act on a form for the person who filled it in. Never raises."""
        ...

    async def suggest(self, event: CommandEvent) -> list[str]:
        """Up to 25 of the caller's memories (100 characters each) that match what is typed, for autocompletion."""
        ...


class Changes(Protocol):
    """What changed of what had been written, or of where the bot is."""

    async def on_deleted(self, event_ids: Sequence[str]) -> None:
        """Messages were deleted on the platform (the bot's own too): forget what they alone taught. Never raises."""
        ...

    async def on_edited(self, event: MessageEvent) -> None:
        """A message's text was changed on the platform: learn it anew where it had been meant for us. Never raises."""
        ...

    async def on_removed(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """The bot was removed from a workspace (or by one person): erase what belongs to it alone, after a grace."""
        ...

    async def on_returned(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """The bot was added again: nothing of it is erased any more. Never raises."""
        ...


class History(Protocol):
    """What the bot has seen so far, for catching up."""

    async def last_seen(self, platform: str) -> list[tuple[str, str, datetime]]:
        """Each place spoken in before: (its `Place.key`, the newest seen message's id, when it came)."""
        ...

    async def recently_seen(self, platform: str, hours: float) -> list[tuple[str, str, datetime]]:
        """Messages and answers of the last `hours` before the newest of a platform: (`Place.key`, id, when), in order.

        What of them is no longer there, or says something else now, was changed while nobody listened.
        """
        ...


class Core(Protocol):
    """What an adapter hands its events to, by role."""

    @property
    def messages(self) -> Messages: ...

    @property
    def interactions(self) -> Interactions: ...

    @property
    def changes(self) -> Changes: ...

    @property
    def history(self) -> History: ...


class Adapter(Protocol):
    """A platform. `run` returns after `stop`; it raises SettingsError where a token is plainly refused."""

    name: str
    #: Set once the platform's events arrive.
    ready: asyncio.Event

    def reply_handle(self, event: MessageEvent) -> ReplyHandle:
        """A reply handle for a message that an earlier process (or attempt) left unanswered."""
        ...

    async def renewed(self, event: MessageEvent) -> MessageEvent:
        """An event that is retried, with who reads its place now as `given`; the narrowest where that can't be told.

        Never raises, and takes some seconds at most.
        """
        ...

    async def run(self) -> None:
        """Connect, and hand events to the core until stopped."""
        ...

    async def stop(self) -> None:
        """Take in nothing new, let what is in flight finish, then disconnect."""
        ...


Check = Callable[["aiohttp.ClientSession", Settings], Awaitable["list[Finding]"]]


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform, as the rest of the bot knows it without importing its SDK: each adapter's package defines its own.

    Attributes:
        name: Begins every id of it: `discord`.
        label: What people call it: `Discord`.
        account: How an operator names an account of it: `slack:<team>:<user>`.
        account_form: The pattern of that, with a group for the workspace (where its ids are within one) and the user.
        tokens: The settings, by their fields, of which any says that the platform is wanted.
        is_on: Whether its settings are there.
        require: Raises SettingsError, with one line, where some of them are missing.
        check: The doctor's check of it.
        build: Makes its adapter; None where it runs by itself alone, as the terminal does.
    """

    name: str
    label: str
    account: str
    account_form: re.Pattern[str]
    tokens: tuple[str, ...] = ()
    is_on: Callable[[Settings], bool] = lambda settings: False
    require: Callable[[Settings], None] = lambda settings: None
    check: Check | None = None
    build: Callable[[Settings, Core], Adapter] | None = None

    def is_wanted(self, settings: Settings) -> bool:
        """Whether any of its tokens is set."""
        return any(getattr(settings, name) is not None for name in self.tokens)
