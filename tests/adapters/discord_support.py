"""A core that answers what the test says, and an adapter that runs against the fake Discord."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from adapters.discord import DiscordAdapter
from adapters.discord_reply import Pace
from bot.config import Settings
from bot.events import CommandEvent, MessageEvent, PressEvent, View
from bot.ports import Respond
from tests.fakes.discord import FakeDiscord

#: Quick enough for tests, slow enough to tell one edit from the next.
QUICK = Pace(first=0.15, every=0.1, typing=5.0, retry=0.02)

Speech = Callable[[MessageEvent], AsyncIterator[str]]


async def echo(event: MessageEvent) -> AsyncIterator[str]:
    """Answer at once, in two snapshots."""
    yield "You"
    yield f"You said: {event.text}"


@dataclass
class StubCore:
    """The port `bot.ports.Core`, with a record of what it was handed."""

    speech: Speech = echo
    view: Callable[[CommandEvent | PressEvent], View] = lambda event: View("Nothing is remembered.")
    suggestions: list[str] = field(default_factory=list)
    events: list[MessageEvent] = field(default_factory=list)
    commands: list[CommandEvent] = field(default_factory=list)
    presses: list[PressEvent] = field(default_factory=list)
    sent: list[tuple[str, ...]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    async def on_message(self, event: MessageEvent, respond: Respond) -> None:
        self.events.append(event)
        try:
            async with respond.working():
                self.sent.append(await respond.stream(self.speech(event)))
        except ConnectionError as exc:
            self.failures.append(exc)

    async def on_command(self, event: CommandEvent) -> View:
        self.commands.append(event)
        return self.view(event)

    async def on_press(self, event: PressEvent) -> View:
        self.presses.append(event)
        return self.view(event)

    async def suggest(self, event: CommandEvent) -> list[str]:
        self.commands.append(event)
        return self.suggestions


def adapter_for(fake: FakeDiscord, core: StubCore, token: str | None = None, pace: Pace = QUICK) -> DiscordAdapter:
    """An adapter whose settings point at the fake."""
    settings = Settings.model_validate({"discord_token": token or fake.token, "discord_api_base": fake.url})
    return DiscordAdapter(settings, core, pace=pace, first_wait=0.05)


@asynccontextmanager
async def running(fake: FakeDiscord, core: StubCore, pace: Pace = QUICK) -> AsyncIterator[DiscordAdapter]:
    """A connected adapter, stopped at the end of the block."""
    adapter = adapter_for(fake, core, pace=pace)
    run = asyncio.create_task(adapter.run())
    ready = asyncio.create_task(adapter.ready.wait())
    try:
        done, _ = await asyncio.wait({run, ready}, timeout=15, return_when=asyncio.FIRST_COMPLETED)
        if run in done:
            run.result()
        assert ready in done, "the adapter isn't connected"
        yield adapter
    finally:
        ready.cancel()
        await adapter.stop()
        await run
