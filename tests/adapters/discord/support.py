"""An adapter that runs against the fake Discord, and what people see there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from adapters.discord.adapter import DiscordAdapter
from adapters.discord.messages import Pace
from bot.config import Settings
from tests.adapters.core import StubCore
from tests.fakes.discord import Channel, FakeDiscord

#: Quick enough for tests, slow enough to tell one edit from the next.
QUICK = Pace(first=0.15, every=0.1, typing=5.0, retry=0.02, channel=0.0)


def shown(fake: FakeDiscord, channel: Channel) -> list[str]:
    """What the bot has written in a channel, as it is there now."""
    messages = [channel.messages[key] for key in sorted(channel.messages, key=int)]
    return [str(message["content"]) for message in messages if message["author"]["id"] == fake.bot.id]


def last_seen(channel: Channel, message_id: str) -> tuple[str, str, datetime]:
    """What the journal tells of a channel, thread or DM whose newest known message is that one."""
    guild = channel.guild.id if channel.guild else ""
    thread = channel.id if channel.parent else ""
    return f"discord:{guild}:{channel.id}:{thread}", f"discord:{message_id}", datetime.now(UTC)


def adapter_for(
    fake: FakeDiscord, core: StubCore, token: str | None = None, pace: Pace = QUICK, **settings: Any
) -> DiscordAdapter:
    """An adapter whose settings point at the fake."""
    written = {"discord_token": token or fake.token, "discord_api_base": fake.url, "discord_requests_per_second": 1000}
    written |= settings
    return DiscordAdapter(Settings.model_validate(written), core, pace=pace, first_wait=0.05)


@asynccontextmanager
async def running(
    fake: FakeDiscord, core: StubCore, pace: Pace = QUICK, **settings: Any
) -> AsyncIterator[DiscordAdapter]:
    """A connected adapter, stopped at the end of the block."""
    adapter = adapter_for(fake, core, pace=pace, **settings)
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
