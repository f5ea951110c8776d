"""Discord's limits, kept: of all requests, of a channel's, and of invalid ones."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from discord.http import Route

from adapters.discord.rates import Rates
from bot.events import MessageEvent
from bot.views import View
from tests.adapters.core import Speech, StubCore
from tests.adapters.discord.support import QUICK, running
from tests.fakes.discord import FakeDiscord, Limits, until

pytestmark = pytest.mark.slow


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord() as server:
        server.limits = Limits()
        yield server


def growing_until(end: asyncio.Event) -> Speech:
    """Answers that all grow, a word at a time, until they end together."""

    async def speech(event: MessageEvent) -> AsyncIterator[str]:
        count = 0
        while not end.is_set():
            count += 1
            yield "word " * count
            await asyncio.sleep(0.1)
        yield "word " * count + "at last"

    return speech


def limited(fake: FakeDiscord) -> list[tuple[str, str, bool]]:
    assert fake.limits
    return fake.limits.refused


async def test_many_answers_grow_within_the_limit_of_all(fake: FakeDiscord) -> None:
    """Eighty answers that grow at once draw no 429; they end within seconds, and a command meanwhile waits for none."""
    end = asyncio.Event()
    core = StubCore(growing_until(end), view=lambda event: View("Nothing."))
    async with running(fake, core, discord_requests_per_second=50):
        asked = [await fake.dm(f"person{number}", "hi") for number in range(80)]
        await until(lambda: all(fake.answers(message) for message in asked), "the first words of all", 30)
        await (await fake.slash("person0", "memories")).answer(within=5)
        began = time.monotonic()
        end.set()
        await asyncio.gather(*(fake.answer_to(message, contains="at last", within=30) for message in asked))
        took = time.monotonic() - began
    assert limited(fake) == []
    assert took < 15  # 80 ends at 45 a second, on a busy machine
    assert core.failures == []


@pytest.mark.parametrize("answers", [1, 4])
async def test_answers_in_one_channel_leave_room_for_their_ends(fake: FakeDiscord, answers: int) -> None:
    """Those that grow in a channel take turns, and leave one of its edits to whichever ends: none waits in a queue.

    (Of edits that end together discord.py may send one too many, where their answers come in another order.)
    """
    assert fake.limits
    fake.limits.window = 2.0
    end = asyncio.Event()
    general = fake.add_channel(fake.add_guild(), "general")
    core = StubCore(growing_until(end))
    async with running(fake, core, replace(QUICK, channel=2.0)):
        asked = [await fake.say(general, "Ana", "hi") for _ in range(answers)]
        await asyncio.sleep(5)
        edits = sum(method == "PATCH" for method, _, _ in fake.requests)
        began = time.monotonic()
        end.set()
        await asyncio.gather(*(fake.answer_to(message, contains="at last", within=30) for message in asked))
        took = time.monotonic() - began
    assert len(limited(fake)) <= (answers > 1)
    assert edits >= 6
    assert took < 10


async def test_a_limit_that_others_use_too_is_found(fake: FakeDiscord) -> None:
    """Where less is left than thought, the pace is halved with each refusal: few are refused, and all are answered."""
    assert fake.limits
    fake.limits.per_second = 10
    end = asyncio.Event()
    core = StubCore(growing_until(end))
    async with running(fake, core, discord_requests_per_second=50):
        asked = [await fake.dm(f"person{number}", "hi") for number in range(40)]
        await asyncio.sleep(6)
        early = len(limited(fake))
        end.set()
        await asyncio.gather(*(fake.answer_to(message, contains="at last", within=60) for message in asked))
    assert 0 < len(limited(fake)) < 150
    assert len(limited(fake)) - early < 60


async def test_invalid_requests_slow_the_bot_down(fake: FakeDiscord, caplog: pytest.LogCaptureFixture) -> None:
    """Past so many refusals within ten minutes, five requests a second are sent, and an error says so once."""
    general = fake.add_channel(fake.add_guild(), "general")
    fake.forbidden.add(general.id)
    fake.limits = None
    Route.BASE = fake.url
    rates = Rates(1000, brake=20)
    headers = {"Authorization": f"Bot {fake.token}"}
    async with aiohttp.ClientSession(trace_configs=[rates.trace()], headers=headers) as session:

        async def ask(count: int) -> float:
            began = time.monotonic()
            for _ in range(count):
                async with session.get(f"{fake.url}/channels/{general.id}/messages") as response:
                    assert response.status == 403
            return time.monotonic() - began

        await ask(20)
        assert await ask(16) > 2
    assert len(rates.invalid) == 36
    assert sum("invalid requests" in record.getMessage() for record in caplog.records) == 1


async def test_a_request_that_is_given_up_holds_no_place(fake: FakeDiscord) -> None:
    """Cancelled while it waits, while it is under way, or failed: its place comes back."""
    fake.limits = None
    fake.slow_history = 5.0
    general = fake.add_channel(fake.add_guild(), "general")
    Route.BASE = fake.url
    rates = Rates(4)  # three at a time
    headers = {"Authorization": f"Bot {fake.token}"}
    async with aiohttp.ClientSession(trace_configs=[rates.trace()], headers=headers) as session:

        async def ask(path: str) -> None:
            async with session.get(f"{fake.url}/{path}"):
                pass

        slow = [asyncio.create_task(ask(f"channels/{general.id}/messages")) for _ in range(6)]
        await asyncio.sleep(0.3)
        for task in slow:
            task.cancel()
        await asyncio.wait(slow)
        await asyncio.wait_for(asyncio.gather(*(ask("users/@me") for _ in range(6))), 5)


async def test_typing_is_left_out_where_there_is_no_room(fake: FakeDiscord) -> None:
    """A crowd's answers come before signs that they are on their way."""
    core = StubCore()
    async with running(fake, core, discord_requests_per_second=20):
        asked = [await fake.dm(f"person{number}", "hi") for number in range(40)]
        await asyncio.gather(*(fake.answer_to(message, within=30) for message in asked))
    assert limited(fake) == []
    assert len(fake.typing) < 20
