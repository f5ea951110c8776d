"""The core of the Slack tests, which answers as a test scripts it, and the adapter that runs on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

from adapters.slack.adapter import SlackAdapter
from bot.config import Settings
from bot.events import CommandEvent, MessageEvent, PressEvent, SubmitEvent
from bot.ports import ReplyHandle
from bot.views import Button, Form, Item, View
from tests.adapters.core import StubCore
from tests.fakes.slack import FakeSlack


class ScriptedCore(StubCore):
    """Answers with `reply`, after the snapshots of `pieces`; keeps whatever the adapter raises.

    With `breaks` an answer ends in the middle, as in a process that is killed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.form = Form("Edit what I remember", "What I should remember", "Likes tea", "edit:7")
        self.copies: list[str] = []
        self.opened: list[PressEvent] = []
        self.pressed: Callable[[PressEvent], View] = lambda event: View(f"Pressed {event.action}")
        self.breaks = False
        self.writing: asyncio.Event | None = None
        self.reply: Callable[[MessageEvent], str] = lambda event: f"You said: {event.text}"
        self.pieces: list[str] = []
        self.pause = 0.0
        self.gate: asyncio.Event | None = None
        self.working = False
        self.whisper = ""
        self.listing = View(
            "What I remember about you",
            (
                Item(1, "Likes tea", "3 May 2026, #general", "https://fake.slack.com/archives/C1/p1"),
                Item(2, "Is left-handed"),
            ),
            "Forget one with /forget and its number.",
            (Button("Forget", "forget:7", danger=True), Button("Cancel", "cancel:7")),
        )

    async def admit(self, event: MessageEvent) -> bool:
        self.copies.append(event.id)
        if self.writing is not None:
            await self.writing.wait()
        return await super().admit(event)

    async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
        if not admitted and not await self.admit(event):
            return
        try:
            if self.whisper:
                await reply.whisper(self.whisper)
                return
            async with reply.working() if self.working else nullcontext():
                self.sent.append(await reply.stream(self._snapshots(event)))
        except Exception as exc:  # noqa: BLE001 - tests look at what reached the core
            self.failures.append(exc)

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
        self.commands.append(event)
        return self.listing

    async def on_press(self, event: PressEvent) -> View:
        self.presses.append(event)
        return self.pressed(event)

    async def open_form(self, event: PressEvent) -> Form | View:
        self.opened.append(event)
        return self.form

    async def on_submit(self, event: SubmitEvent) -> View:
        self.submits.append(event)
        return View(f"Now it says {event.text}")


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
