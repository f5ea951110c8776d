"""Catching up on Discord when things are in its way: deletions, outages, busy channels, and many places."""

from dataclasses import replace

import pytest

from tests.adapters.core import StubCore
from tests.adapters.discord.support import QUICK, last_seen, running
from tests.fakes.discord import Channel, FakeDiscord, until

pytestmark = pytest.mark.slow


async def known(fake: FakeDiscord, channel: Channel, core: StubCore) -> Channel:
    """Make a place known to the core by a message answered a while ago."""
    seen = await fake.post(channel, fake.user("Ana"), f"<@{fake.bot.id}> answered", hours_ago=1)
    core.seen.append(last_seen(channel, seen))
    core.recent.append(last_seen(channel, seen))
    return channel


async def test_one_deleted_before_its_turn_gets_no_answer(fake: FakeDiscord) -> None:
    """It was read in the history, and withdrawn before it was admitted: nothing of it is kept."""
    core = StubCore()
    dm = await known(fake, fake.dm_with("Ana"), core)
    missed = [await fake.dm("Ana", text) for text in ("one", "two")]
    other = await known(fake, fake.dm_with("Ben"), core)
    core.recent.append(last_seen(other, fake.snowflake(hours_ago=2)))
    fake.broken[other.id] = 2  # both histories are read: that one is gone can't be told, which the answers wait for
    async with running(fake, core):
        await until(lambda: fake.broken[other.id] < 0, "the reading")
        await fake.delete(dm, missed[0])
        assert await fake.answer_to(missed[1]) == "You said: two"
    assert [event.text for event in core.events] == ["two"]
    assert core.deleted == [f"discord:{missed[0]}"]


async def test_a_channel_that_cant_be_read_for_long_holds_nothing_up(fake: FakeDiscord) -> None:
    """What is said there now is answered at once; what was missed, when the history can be read again."""
    core = StubCore()
    dm = await known(fake, fake.dm_with("Ana"), core)
    core.recent.clear()
    missed = await fake.dm("Ana", "missed")
    fake.broken[dm.id] = 0
    async with running(fake, core, replace(QUICK, turn=0.2)):
        assert await fake.answer_to(await fake.dm("Ana", "now")) == "You said: now"
        assert [event.text for event in core.events] == ["now"]
        await until(lambda: fake.broken[dm.id] < -5, "every try")
        del fake.broken[dm.id]
        assert await fake.answer_to(missed) == "You said: missed"
        assert await fake.answer_to(await fake.dm("Ana", "again")) == "You said: again"
    assert [event.text for event in core.events] == ["now", "missed", "again"]


async def test_a_journal_that_is_away_for_a_while_loses_nothing(fake: FakeDiscord) -> None:
    """What was missed is admitted once the journal can be written, though nobody writes there meanwhile."""
    core = StubCore()
    await known(fake, fake.dm_with("Ana"), core)
    core.recent.clear()
    missed = [await fake.dm("Ana", text) for text in ("one", "two")]
    core.admit_failures = 9
    async with running(fake, core):
        for message in missed:
            await fake.answer_to(message)
    assert [event.text for event in core.events] == ["one", "two"]


async def test_many_places_are_read_a_few_at_a_time(fake: FakeDiscord) -> None:
    """Two hundred channels are caught up with four at a time, and hold up nobody who writes elsewhere."""
    core = StubCore()
    guild = fake.add_guild()
    for number in range(200):
        channel = await known(fake, fake.add_channel(guild, f"c{number}"), core)
        await fake.say(channel, "Ana", f"{number}")
    fake.slow_history = 0.05
    async with running(fake, core):
        await until(lambda: fake.reading, "the reading")
        assert await fake.answer_to(await fake.dm("Ben", "now")) == "You said: now"
        assert [event.text for event in core.events] == ["now"]
        await until(lambda: len(core.events) == 201, "all of them", within=30)
    assert fake.most_reading <= 4
    assert [event.text for event in core.events[1:]] == [str(number) for number in range(200)]


async def test_answers_dont_wait_for_every_place_to_be_read(fake: FakeDiscord) -> None:
    """Where reading takes long, what was missed in the places spoken in last is answered meanwhile."""
    core = StubCore()
    missed = []
    for number in range(24):
        await known(fake, fake.dm_with(f"P{number}"), core)
        missed.append(await fake.dm(f"P{number}", f"{number}"))
    core.recent.clear()
    fake.slow_history = 0.5
    async with running(fake, core, replace(QUICK, turn=0.7)):
        assert await fake.answer_to(missed[-1]) == "You said: 23"
        assert len(core.events) < 24
        for message in missed:
            await fake.answer_to(message)
    assert len(core.events) == 24


async def test_replies_to_the_bot_are_caught_up_with(fake: FakeDiscord) -> None:
    """Who replies to one of its answers is answered, and the reply belongs to the same chain."""
    core = StubCore()
    general = fake.add_channel(fake.add_guild(), "general")
    await known(fake, general, core)
    answer = await fake.post(general, fake.bot, "an answer")
    missed = await fake.say(general, "Ana", "and then?", mention=False, reply_to=answer)
    async with running(fake, core):
        assert await fake.answer_to(missed) == "You said: and then?"
    assert core.events[0].reply_to == f"discord:{answer}"
