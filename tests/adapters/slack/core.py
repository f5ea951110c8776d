"""A core by hand for the Slack tests: it writes down what it is handed, and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from adapters.slack.adapter import SlackAdapter
from bot.config import Settings
from bot.events import CommandEvent, MessageEvent, PressEvent, SubmitEvent
from bot.model import Person
from bot.ports import ClaimLost, JournalUnavailable, ReplyHandle
from bot.views import Button, Form, Item, View
from tests.adapters.roles import AllRoles
from tests.fakes.slack import FakeSlack


class StubCore(AllRoles):
    """Answers each event id once. `reply` makes the answer, `pieces` the snapshots before the last.

    With `breaks` an answer ends in the middle, as in a process that is killed.
    """

    def __init__(self) -> None:
        self.events: list[MessageEvent] = []
        self.copies: list[str] = []
        self.commands: list[CommandEvent] = []
        self.presses: list[PressEvent] = []
        self.asked: list[PressEvent] = []
        self.submits: list[SubmitEvent] = []
        self.deleted: list[str] = []
        self.edited: list[MessageEvent] = []
        self.removed: list[str] = []
        self.returned: list[str] = []
        self.places: list[tuple[str, str, datetime]] = []
        self.recent: list[tuple[str, str, datetime]] = []
        self.form: Form | View = Form("Edit what I remember", "What I should remember", "Likes tea", "edit:7")
        self.pressed: Callable[[PressEvent], View] = lambda event: View(f"Pressed {event.action}")
        self.full = 0
        self.taken: set[str] = set()
        self.breaks = False
        self.writing: asyncio.Event | None = None
        self.ids: list[tuple[str, ...]] = []
        self.errors: list[Exception] = []
        self.reply: Callable[[MessageEvent], str] = lambda event: f"You said: {event.text}"
        self.pieces: list[str] = []
        self.pause = 0.0
        self.gate: asyncio.Event | None = None
        self.working = False
        self.whisper = ""
        self.view = View(
            "What I remember about you",
            (
                Item(1, "Likes tea", "3 May 2026, #general", "https://fake.slack.com/archives/C1/p1"),
                Item(2, "Is left-handed"),
            ),
            "Forget one with /forget and its number.",
            (Button("Forget", "forget:7", danger=True), Button("Cancel", "cancel:7")),
        )

    async def admit(self, event: MessageEvent) -> bool:
        """Write it down, once; the next `full` times there is no room."""
        self.copies.append(event.id)
        if self.writing is not None:
            await self.writing.wait()
        if self.full:
            self.full -= 1
            raise JournalUnavailable("the disk is full")
        if any(event.id == known.id for known in self.events):
            return False
        self.events.append(event)
        return True

    async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
        """Answer once."""
        if not admitted and not await self.admit(event):
            return
        try:
            if self.whisper:
                await reply.whisper(self.whisper)
                return
            if self.working:
                async with reply.working():
                    self.ids.append(await reply.stream(self._snapshots(event)))
            else:
                self.ids.append(await reply.stream(self._snapshots(event)))
        except Exception as exc:  # noqa: BLE001 - tests look at what reached the core
            self.errors.append(exc)

    async def _snapshots(self, event: MessageEvent) -> AsyncIterator[str]:
        for piece in self.pieces:
            yield piece
            await asyncio.sleep(self.pause)
        if self.gate is not None:
            await self.gate.wait()
        if self.breaks:
            raise ConnectionError
        yield self.reply(event)

    async def on_command(self, event: CommandEvent) -> View:
        """Note it."""
        self.commands.append(event)
        return self.view

    async def on_press(self, event: PressEvent) -> View:
        """Note it."""
        self.presses.append(event)
        return self.pressed(event)

    async def open_form(self, event: PressEvent) -> Form | View:
        """Open the form."""
        self.asked.append(event)
        return self.form

    async def on_submit(self, event: SubmitEvent) -> View:
        """Note it."""
        self.submits.append(event)
        return View(f"Now it says {event.text}")

    async def on_deleted(self, event_ids: Sequence[str]) -> None:
        """Note it."""
        self.deleted += event_ids

    async def on_edited(self, event: MessageEvent) -> None:
        """Note it."""
        self.edited.append(event)

    async def on_removed(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """Note it."""
        self.removed.append(workspace)

    async def on_returned(self, platform: str, workspace: str, person: Person | None = None) -> None:
        """Note it."""
        self.returned.append(workspace)

    async def confirm(self, event_id: str) -> None:
        """Refuse what another process has taken over."""
        if event_id in self.taken:
            raise ClaimLost(event_id)

    async def last_seen(self, platform: str) -> list[tuple[str, str, datetime]]:
        """What the test says."""
        return self.places

    async def recently_seen(self, platform: str, hours: float) -> list[tuple[str, str, datetime]]:
        """What the test says."""
        return self.recent

    async def suggest(self, event: CommandEvent) -> list[str]:
        """Nothing."""
        return []


def settings(slack: FakeSlack, **changed: object) -> Settings:
    """Settings for that Slack over Socket Mode, unless changed; the machine's own .env is left out."""
    values = {
        "slack_bot_token": slack.bot_token,
        "slack_app_token": slack.app_token,
        "slack_signing_secret": None,
        "slack_api_base": slack.api_base,
    } | changed
    return Settings(_env_file=None, **values)  # type: ignore[arg-type,call-arg]


@asynccontextmanager
async def running(adapter: SlackAdapter) -> AsyncIterator[SlackAdapter]:
    """An adapter that listens, and is stopped at the end."""
    run = asyncio.create_task(adapter.run())
    ready = asyncio.create_task(adapter.ready.wait())
    await asyncio.wait({run, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    try:
        assert adapter.ready.is_set(), "the adapter did not get ready"
        yield adapter
    finally:
        ready.cancel()
        await adapter.stop()
        await run
