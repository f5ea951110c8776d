"""What was said on Discord while the bot was down: answered once, oldest first, and before what is said now."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.events import MessageEvent
from bot.model import Audience
from tests.adapters.core import StubCore
from tests.adapters.discord.support import last_seen, running
from tests.fakes.discord import Channel, FakeDiscord, until


async def known(fake: FakeDiscord, channel: Channel, core: StubCore) -> Channel:
    """Make a place known to the core by a message long answered."""
    seen = await fake.post(channel, fake.user("Ana"), f"<@{fake.bot.id}> long answered", hours_ago=48)
    core.seen.append(last_seen(channel, seen))
    return channel


async def test_what_was_missed_is_answered_oldest_first(fake: FakeDiscord) -> None:
    """DMs, channels and threads spoken in before are read; what is for the bot is answered in order of time, once."""
    core = StubCore()
    guild = fake.add_guild()
    general = await known(fake, fake.add_channel(guild, "general"), core)
    thread = await known(fake, fake.add_channel(guild, "trip", parent=general), core)
    staff = await known(fake, fake.add_channel(guild, "staff", private=True), core)
    await known(fake, fake.dm_with("Ana"), core)
    said = [
        await fake.say(general, "Ana", "one"),
        await fake.dm("Ana", "two"),
        await fake.say(thread, "Ben", "three"),
        await fake.say(staff, "Ana", "four"),
        await fake.dm("Ana", "five"),
    ]
    await fake.say(general, "Ana", "lunch?", mention=False)
    async with running(fake, core):
        for message, word in zip(said, ["one", "two", "three", "four", "five"], strict=True):
            assert await fake.answer_to(message) == f"You said: {word}"
            assert len(fake.answers(message)) == 1
    assert [event.id for event in core.events] == [f"discord:{message}" for message in said]
    places = [(event.place.audience, event.place.name) for event in core.events]
    assert places == [
        (Audience.PUBLIC, "#general"),
        (Audience.PRIVATE, "DM"),
        (Audience.PUBLIC, "#trip"),
        (Audience.MEMBERS, "#staff"),
        (Audience.PRIVATE, "DM"),
    ]


async def test_many_pages_are_read_in_order(fake: FakeDiscord) -> None:
    """More messages than a page of the history holds."""
    core = StubCore()
    channel = await known(fake, fake.dm_with("Ana"), core)
    said = [await fake.post(channel, fake.user("Ana"), f"{number}") for number in range(130)]
    async with running(fake, core):
        await until(lambda: len(core.events) == 130, "all of them")
    assert [event.id for event in core.events] == [f"discord:{message}" for message in said]


async def test_what_is_said_now_comes_after_what_was_missed(fake: FakeDiscord) -> None:
    """A message that arrives at once is admitted behind those before it, though the journal is slow to tell of them."""
    core = StubCore(journal_failures=2)
    channel = await known(fake, fake.dm_with("Ana"), core)
    missed = [await fake.post(channel, fake.user("Ana"), f"missed {number}") for number in range(3)]
    async with running(fake, core):
        now = await fake.dm("Ana", "now")
        await fake.answer_to(now)
        await until(lambda: len(core.sent) == 4, "every answer")
    assert [event.id for event in core.events] == [f"discord:{message}" for message in [*missed, now]]


async def test_one_that_waits_for_its_answer_holds_up_no_other(fake: FakeDiscord) -> None:
    """Who writes now doesn't wait for the answers to what was missed."""
    go_on = asyncio.Event()

    async def slow(event: MessageEvent) -> AsyncIterator[str]:
        if event.text == "missed":
            await go_on.wait()
        yield f"You said: {event.text}"

    core = StubCore(slow)
    channel = await known(fake, fake.dm_with("Ana"), core)
    missed = await fake.post(channel, fake.user("Ana"), "missed")
    async with running(fake, core):
        assert await fake.answer_to(await fake.dm("Ana", "now")) == "You said: now"
        go_on.set()
        assert await fake.answer_to(missed) == "You said: missed"


async def test_it_looks_back_only_so_far(fake: FakeDiscord) -> None:
    """What is older than BOT_CATCH_UP_HOURS is past, and 0 is not to look back at all."""
    core = StubCore()
    channel = await known(fake, fake.dm_with("Ana"), core)
    await fake.post(channel, fake.user("Ana"), "too old", hours_ago=3)
    late = await fake.post(channel, fake.user("Ana"), "in time", hours_ago=1)
    async with running(fake, core, bot_catch_up_hours=0):
        await fake.answer_to(await fake.dm("Ben", "hi"))
    assert [event.text for event in core.events] == ["hi"]
    async with running(fake, core, bot_catch_up_hours=2):
        await fake.answer_to(late)
    assert [event.text for event in core.events] == ["hi", "in time"]


@pytest.mark.slow
async def test_a_session_that_can_be_resumed_needs_no_look_back(fake: FakeDiscord) -> None:
    """Histories are read after a new session only; the gateway replays the rest by itself."""
    core = StubCore()
    await known(fake, fake.dm_with("Ana"), core)

    def looks() -> int:
        return sum(method == "GET" and path.endswith("/messages") for method, path, _ in fake.requests)

    async with running(fake, core):
        await until(lambda: looks() == 1, "the first look")
        await fake.gateway.drop()
        await fake.answer_to(await fake.dm("Ana", "are you there?"))
        assert (fake.gateway.resumes, looks()) == (1, 1)
        await fake.gateway.invalidate()
        await until(lambda: looks() == 2, "a look after the new session")


async def test_a_channel_that_cant_be_read_stops_no_other(fake: FakeDiscord) -> None:
    """Channels that are gone or forbidden are let pass; trouble that passes is waited out."""
    core = StubCore()
    guild = fake.add_guild()
    forbidden = await known(fake, fake.add_channel(guild, "forbidden"), core)
    gone = await known(fake, fake.add_channel(guild, "gone"), core)
    general = await known(fake, fake.add_channel(guild, "general"), core)
    for channel in (forbidden, gone, general):
        await fake.say(channel, "Ana", channel.name)
    fake.forbidden.add(forbidden.id)
    guild.channels.remove(gone)
    del fake.channels[gone.id]
    fake.rest_failures = [503, 429]
    async with running(fake, core):
        await until(lambda: core.events, "the readable one")
    assert [event.text for event in core.events] == ["general"]


async def test_an_archived_thread_is_read_too(fake: FakeDiscord) -> None:
    """A thread that the session doesn't list is asked for, and has its parent's audience."""
    core = StubCore()
    guild = fake.add_guild()
    general = fake.add_channel(guild, "general")
    thread = await known(fake, fake.add_channel(guild, "trip", parent=general), core)
    guild.channels.remove(thread)
    missed = await fake.say(thread, "Ana", "hi")
    async with running(fake, core):
        await fake.answer_to(missed)
    assert core.events[0].place.audience is Audience.PUBLIC


async def test_quiet_channels_cost_no_request(fake: FakeDiscord) -> None:
    """Where the session itself tells that nothing was said, no history is asked for."""
    core = StubCore()
    guild = fake.add_guild()
    for number in range(20):
        await known(fake, fake.add_channel(guild, f"quiet-{number}"), core)
    async with running(fake, core):
        await fake.answer_to(await fake.say(guild.channels[0], "Ana", "hi"))
    reads = [path for method, path, _ in fake.requests if method == "GET" and path.endswith("/messages")]
    assert len(reads) <= 1


async def test_a_stop_leaves_what_is_missed_for_the_next_start(fake: FakeDiscord) -> None:
    """Stopped amid the reading, the bot ends at once and has answered nothing by halves."""
    core = StubCore()
    channel = await known(fake, fake.dm_with("Ana"), core)
    missed = await fake.post(channel, fake.user("Ana"), "missed")
    fake.rest_failures = [503] * 100
    async with running(fake, core):
        pass
    assert core.events == []
    fake.rest_failures = []
    async with running(fake, core):
        assert await fake.answer_to(missed) == "You said: missed"
