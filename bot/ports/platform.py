"""Platforms: what an adapter is to the composition root, what the core is to an adapter, and how replies get back."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bot.config import Settings
from bot.events import CommandEvent, MessageEvent, PressEvent, SubmitEvent
from bot.model import Attachment, Nearby, Person
from bot.ports.allow_list import AllowList
from bot.views import Foot, Form, View

if TYPE_CHECKING:  # it imports aiohttp
    import aiohttp

    from bot.checks import Finding


class ReplyHandle(Protocol):
    """The way back to one message. Made by the adapter, one per message."""

    def working(self) -> AbstractAsyncContextManager[None]:
        """Show that an answer is on its way (typing, status) while the block runs. Never raises."""
        ...

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Show an answer as it grows and return the ids of the messages that hold it (same form as event ids).

        Each snapshot is the whole text so far, in Markdown; a later one may replace it altogether. The last one
        is the answer. Splitting, mentions that must not ping and edit limits are the adapter's business.

        Raises OSError (ConnectionError) if a retry may succeed, and PlatformRefused if none will: the adapter has then
        already tried every other form of the answer.
        """
        ...

    async def found(self) -> tuple[str, tuple[str, ...]] | None:
        """The answer that an earlier process or attempt has already shown in full (its text and message ids), or None.

        Called before an event that was left behind is answered. May itself show an answer that was complete and only
        failed to be shown. A partly shown answer counts as none: `stream` then completes it in place.
        """
        ...

    @property
    def begun(self) -> bool:
        """Whether something of an answer is shown, as far as `found` and `stream` have seen: even a promise of one."""
        ...

    async def around(self, limit: int) -> list[Nearby]:
        """The messages around this one that a person sees with it, oldest first, `limit` at most.

        What it replies to, the thread above it, or else what was written right before it, of this very place and by
        whomever; none of what was written later. Empty if the platform gives nothing. Raises as `stream` does.
        """
        ...

    async def withdraw(self) -> None:
        """Remove what is shown of the answer, whose question is gone. Raises as `stream` does."""
        ...

    async def open(self, file: Attachment, limit: int) -> bytes:
        """Fetch a file that came with the message, of at most `limit` bytes.

        Raises CannotOpen, with a reason in plain words. Takes as long as it takes: the caller sets a deadline.
        """
        ...

    async def below(self, message_ids: Sequence[str], foot: Foot) -> None:
        """Add a line and buttons below an answer that is shown, in these messages; what stands there stays.

        The text of the answer remains what it is, for `found` too. What is there already isn't added again; if the
        answer is gone, nothing is. A handle that hasn't shown the answer itself lets all other requests go first.
        Raises as `stream` does.
        """
        ...

    async def show(self, view: View) -> None:
        """Show a view, where nobody but the person reads (in a direct message). Raises as `stream` does."""
        ...

    async def whisper(self, text: str) -> None:
        """Say one plain sentence to the person alone if the platform can (ephemeral), else in place.

        Raises as `stream` does.
        """
        ...


class Messages(Protocol):
    """What people write to the bot."""

    async def admit(self, event: MessageEvent) -> bool:
        """Record the event, so that it may be acknowledged; False if it was seen before, or gets no answer.

        Raises JournalUnavailable if it can't be recorded: the platform should send it again.
        """
        ...

    async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
        """Answer one message (`admitted`: `admit` has recorded it and returned True).

        Never raises: failures are logged without text and told to the person.
        """
        ...

    async def on_stop(self, event_id: str, person: Person) -> bool:
        """Stop the answer to a message for the person who wrote it; False if there is none to stop here."""
        ...

    async def confirm(self, event_id: str) -> None:
        """Return if the answer to an event may be shown; called right before each request that shows any of it.

        Raises ClaimLost if another process has taken the event over, and JournalUnavailable if that is unknown.
        Adapters let both pass: the core expects them from `ReplyHandle`.
        """
        ...


class Interactions(Protocol):
    """Commands, buttons, menus and forms: each answered by a view for the caller alone."""

    async def on_command(self, event: CommandEvent) -> View:
        """Run a command for the caller alone. Never raises."""
        ...

    async def on_press(self, event: PressEvent) -> View:
        """Act on a button for the person who clicked it. Never raises."""
        ...

    async def open_form(self, event: PressEvent) -> Form | View:
        """The form of a button that `opens_form`; a View if it may not be opened. Returns within a second."""
        ...

    async def on_submit(self, event: SubmitEvent) -> View:
        """Act on a submitted form for the person who filled it in. Never raises."""
        ...

    async def suggest(self, event: CommandEvent) -> list[str]:
        """Up to 25 of the caller's memories (100 characters each) that match the argument, for autocompletion."""
        ...


class Changes(Protocol):
    """Changes to messages written earlier, or to where the bot is installed."""

    async def on_deleted(self, event_ids: Sequence[str]) -> None:
        """Messages were deleted on the platform (the bot's own too): forget what only they taught. Never raises."""
        ...

    async def on_edited(self, event: MessageEvent) -> None:
        """A message was edited on the platform: if it was meant for the bot, learn its new text. Never raises."""
        ...

    async def on_removed(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """The bot was removed from a workspace (or by one person): erase what belongs to that alone, after a grace."""
        ...

    async def on_returned(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """The bot was added again: cancel that erasure. Never raises."""
        ...


class History(Protocol):
    """What the bot has seen so far, for catch-up."""

    async def last_seen(self, platform: str) -> list[tuple[str, str, datetime]]:
        """Each place spoken in before: (its `Place.key`, the newest seen message's id, when it arrived)."""
        ...

    async def recently_seen(self, platform: str, hours: float) -> list[tuple[str, str, datetime]]:
        """Messages and answers of the last `hours` before the newest of a platform: (`Place.key`, id, when), in order.

        Those that are gone or read differently now were deleted or edited while the bot wasn't connected.
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
    """A platform. `run` returns after `stop`; it raises SettingsError if a token is plainly refused."""

    name: str
    #: Set once the platform's events arrive.
    ready: asyncio.Event

    def reply_handle(self, event: MessageEvent) -> ReplyHandle:
        """The reply handle of a message that an earlier process or attempt left unanswered."""
        ...

    async def renewed(self, event: MessageEvent) -> MessageEvent:
        """An event that is retried, with its place's present audience as `given`: the narrowest if that is unknown.

        And whether its author is a `stranger` by now.
        Never raises, and takes a few seconds at most.
        """
        ...

    async def run(self) -> None:
        """Connect, and hand events to the core until stopped."""
        ...

    async def stop(self) -> None:
        """Accept nothing new, let what is in flight finish, then disconnect."""
        ...


Check = Callable[["aiohttp.ClientSession", Settings], Awaitable["list[Finding]"]]


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform, as the rest of the bot knows it without importing its SDK. Each adapter's package defines its own.

    Attributes:
        name: The prefix of all its ids: `discord`.
        label: What people call it: `Discord`.
        account: How an operator writes an account: `slack:<team>:<user>`.
        account_form: The pattern of that, with a group for the workspace (if ids are per workspace) and for the user.
        tokens: The settings fields of which any shows that the platform is wanted.
        is_on: Whether all its settings are present.
        require: Raises SettingsError if some of them are missing.
        allow_list: The setting that restricts it to some places; None for a platform that is restricted in no way.
        check: The doctor's check.
        build: Creates the adapter; None for a platform that only runs by itself, as the terminal does.
    """

    name: str
    label: str
    account: str
    account_form: re.Pattern[str]
    tokens: tuple[str, ...] = ()
    is_on: Callable[[Settings], bool] = lambda settings: False
    require: Callable[[Settings], None] = lambda settings: None
    allow_list: AllowList | None = None
    check: Check | None = None
    build: Callable[[Settings, Core], Adapter] | None = None

    def is_wanted(self, settings: Settings) -> bool:
        """Whether any of its tokens is set."""
        return any(getattr(settings, name) is not None for name in self.tokens)
