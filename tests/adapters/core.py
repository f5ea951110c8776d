"""A core that answers what the test says, and keeps what an adapter handed it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.events import CommandEvent, MessageEvent, PressEvent, SubmitEvent
from bot.model import Person
from bot.ports import ClaimLost, JournalUnavailable, PlatformRefused, ReplyHandle
from bot.views import Foot, Form, View
from tests.adapters.roles import AllRoles

Speech = Callable[[MessageEvent], AsyncIterator[str]]


def text_snapshots(*texts: str) -> AsyncIterator[str]:
    """An answer whose snapshots are there at once."""

    async def snapshots() -> AsyncIterator[str]:
        for text in texts:
            yield text

    return snapshots()


def saying(*texts: str, pause: float = 0.4) -> Speech:
    """An answer that grows: the next text comes after a pause."""

    async def speech(event: MessageEvent) -> AsyncIterator[str]:
        for number, text in enumerate(texts):
            if number:
                await asyncio.sleep(pause)
            yield text

    return speech


async def echo(event: MessageEvent) -> AsyncIterator[str]:
    """Answer at once, in two snapshots."""
    yield "You"
    yield f"You said: {event.text}"


@dataclass
class StubCore(AllRoles):
    """The port `bot.ports.Core`, with a record of what it was handed; a message handed over again is let pass.

    `foot` is put below each answer. `seen` is what `last_seen` tells, `recent` what `recently_seen` does; `form` what
    `open_form` does; another process has `taken` these events over. Of its next looks into the journal, so many fail:
    `journal_failures`; of its next admissions, `admit_failures`.
    """

    speech: Speech = echo
    view: Callable[[CommandEvent | PressEvent | SubmitEvent], View] = lambda event: View("Nothing is remembered.")
    foot: Foot | None = None
    form: Form | View = field(default_factory=lambda: View("Not now."))
    seen: list[tuple[str, str, datetime]] = field(default_factory=list)
    recent: list[tuple[str, str, datetime]] = field(default_factory=list)
    journal_failures: int = 0
    taken: set[str] = field(default_factory=set)
    admit_failures: int = 0
    suggestions: list[str] = field(default_factory=list)
    events: list[MessageEvent] = field(default_factory=list)
    commands: list[CommandEvent] = field(default_factory=list)
    presses: list[PressEvent] = field(default_factory=list)
    submits: list[SubmitEvent] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    edited: list[MessageEvent] = field(default_factory=list)
    removed: list[tuple[str, str]] = field(default_factory=list)
    returned: list[tuple[str, str]] = field(default_factory=list)
    stopped: list[tuple[str, str]] = field(default_factory=list)
    sent: list[tuple[str, ...]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    async def admit(self, event: MessageEvent) -> bool:
        if self.journal_failures:
            self.journal_failures -= 1
            raise JournalUnavailable("no journal")
        if self.admit_failures:
            self.admit_failures -= 1
            raise JournalUnavailable("no journal")
        if event.id in [known.id for known in self.events]:
            return False
        self.events.append(event)
        return True

    async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
        if not admitted and not await self.admit(event):
            return
        try:
            async with reply.working():
                ids = await reply.stream(self.speech(event))
            if self.foot is not None:
                await reply.below(ids, self.foot)
            self.sent.append(ids)
        except (ConnectionError, ClaimLost) as exc:
            self.failures.append(exc)
        except PlatformRefused as refusal:
            self.failures.append(refusal)
            try:
                await reply.whisper(refusal.sentence)
            except PlatformRefused as exc:
                self.failures.append(exc)

    async def on_command(self, event: CommandEvent) -> View:
        self.commands.append(event)
        return self.view(event)

    async def on_press(self, event: PressEvent) -> View:
        self.presses.append(event)
        return self.view(event)

    async def open_form(self, event: PressEvent) -> Form | View:
        self.presses.append(event)
        return self.form

    async def on_submit(self, event: SubmitEvent) -> View:
        self.submits.append(event)
        return self.view(event)

    async def on_deleted(self, event_ids: Sequence[str]) -> None:
        self.deleted.extend(event_ids)

    async def on_edited(self, event: MessageEvent) -> None:
        self.edited.append(event)

    async def on_removed(self, platform: str, workspace: str, person: Person | None = None) -> None:
        self.removed.append((platform, workspace))

    async def on_returned(self, platform: str, workspace: str, person: Person | None = None) -> None:
        self.returned.append((platform, workspace))

    async def on_stop(self, event_id: str, person: Person) -> bool:
        self.stopped.append((event_id, person.key))
        return True

    async def confirm(self, event_id: str) -> None:
        if event_id in self.taken:
            raise ClaimLost(event_id)

    async def last_seen(self, platform: str) -> list[tuple[str, str, datetime]]:
        if self.journal_failures:
            self.journal_failures -= 1
            raise JournalUnavailable("no journal")
        return self.seen

    async def recently_seen(self, platform: str, hours: float) -> list[tuple[str, str, datetime]]:
        return self.recent

    async def suggest(self, event: CommandEvent) -> list[str]:
        self.commands.append(event)
        return self.suggestions
