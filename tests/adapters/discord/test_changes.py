"""What changes on Discord behind the bot's back: messages deleted and edited, servers joined and left."""

from collections.abc import AsyncIterator

import pytest

from tests.adapters.core import StubCore
from tests.adapters.discord.support import last_seen, running
from tests.fakes.discord import FakeDiscord, Guild, User, until


class World:
    """A server with one channel, and the bot in it."""

    def __init__(self, fake: FakeDiscord, core: StubCore) -> None:
        self.fake = fake
        self.core = core
        self.guild = fake.add_guild("Home")
        self.general = fake.add_channel(self.guild, "general")

    async def settled(self) -> None:
        """Wait until all that was dispatched before has been handed over."""
        await self.fake.answer_to(await self.fake.dm("Marker", "still there?"))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FakeDiscord() as fake:
        built = World(fake, StubCore())
        async with running(fake, built.core):
            yield built


async def test_a_deleted_message_is_told(world: World) -> None:
    """One that this process never saw, too: its id is all that is needed."""
    old = await world.fake.post(world.general, world.fake.user("Ana"), "old", hours_ago=500)
    await world.fake.delete(world.general, old)
    said = await world.fake.dm("Ana", "hi")
    await world.fake.answer_to(said)
    await world.fake.delete(world.fake.dm_with("Ana"), said)
    await until(lambda: len(world.core.deleted) == 2, "both deletions")
    assert world.core.deleted == [f"discord:{old}", f"discord:{said}"]


async def test_many_messages_deleted_at_once_are_told(world: World) -> None:
    """A moderator's purge names each of them."""
    ids = [await world.fake.say(world.general, "Ana", f"{number}", mention=False) for number in range(5)]
    await world.fake.delete_many(world.general, ids)
    await until(lambda: world.core.deleted, "the deletions")
    assert world.core.deleted == [f"discord:{message_id}" for message_id in ids]


async def test_an_edited_message_is_told_with_its_new_text(world: World) -> None:
    """In DMs and channels, with the mention stripped; one said before this process, too."""
    old = await world.fake.post(
        world.general, world.fake.user("Ana"), f"<@{world.fake.bot.id}> I like tea", hours_ago=500
    )
    said = await world.fake.dm("Ana", "I like tea")
    await world.fake.edit(world.general, old, f"<@{world.fake.bot.id}> I like coffee")
    await world.fake.edit(world.fake.dm_with("Ana"), said, "I like cocoa")
    await until(lambda: len(world.core.edited) == 2, "both edits")
    assert [(event.id, event.text) for event in world.core.edited] == [
        (f"discord:{old}", "I like coffee"),
        (f"discord:{said}", "I like cocoa"),
    ]
    event = world.core.edited[0]
    assert (event.person.user, event.place.channel) == (world.fake.user("Ana").id, world.general.id)


async def test_a_link_preview_is_no_edit(world: World) -> None:
    """Discord adds previews to messages as they are and to edited ones: neither changes a text."""
    said = await world.fake.dm("Ana", "https://example.org")
    channel = world.fake.dm_with("Ana")
    await world.fake.unfurl(channel, said)
    await world.settled()
    assert world.core.edited == []
    await world.fake.edit(channel, said, "see https://example.org")
    await world.fake.unfurl(channel, said)
    await world.settled()
    assert [event.text for event in world.core.edited] == ["see https://example.org"]
    await world.fake.edit(channel, said, "nothing to see")
    await until(lambda: len(world.core.edited) == 2, "the second edit")
    assert world.core.deleted == []


async def test_an_edit_that_takes_the_mention_away_withdraws_what_was_said(world: World) -> None:
    """Without the mention Discord shows no text: what the message taught is forgotten as if it were deleted."""
    said = await world.fake.say(world.general, "Ana", "I like tea")
    await world.fake.answer_to(said)
    await world.fake.edit(world.general, said, "never mind")
    await until(lambda: world.core.deleted, "the withdrawal")
    assert world.core.deleted == [f"discord:{said}"]
    assert world.core.edited == []


async def test_edits_by_bots_are_no_edits(world: World) -> None:
    """The bot's own answers grow by edits, which it is told of like all others."""
    said = await world.fake.dm("Ana", "hi")
    await world.fake.answer_to(said)
    answer = world.fake.answers(said)[0]["id"]
    await world.fake.edit(world.fake.dm_with("Ana"), answer, "something else")
    robo = await world.fake.post(world.general, User("55", "Robo", bot=True), f"<@{world.fake.bot.id}> hi")
    await world.fake.edit(world.general, robo, f"<@{world.fake.bot.id}> hello")
    await world.settled()
    assert (world.core.edited, world.core.deleted) == ([], [])


async def test_a_deleted_answer_is_told(world: World) -> None:
    """The bot's own message, deleted by a moderator or its reader."""
    said = await world.fake.dm("Ana", "hi")
    await world.fake.answer_to(said)
    answer = world.fake.answers(said)[0]["id"]
    await world.fake.delete(world.fake.dm_with("Ana"), answer)
    await until(lambda: world.core.deleted == [f"discord:{answer}"], "the deletion")


async def test_servers_that_come_and_go_are_told(world: World) -> None:
    """Those there at the start, one that is joined, one that is left; an outage of Discord's is no leaving."""
    await until(lambda: world.core.returned, "the server at the start")
    assert world.core.returned == [("discord", world.guild.id)]
    joined = await world.fake.invite()
    await until(lambda: len(world.core.returned) == 2, "the new server")
    assert world.core.returned[1] == ("discord", joined.id)
    await world.fake.gateway.dispatch("GUILD_DELETE", {"id": world.guild.id, "unavailable": True})
    await world.fake.expel(joined)
    await until(lambda: world.core.removed, "the server left")
    assert world.core.removed == [("discord", joined.id)]


async def test_a_server_left_while_the_bot_was_down_is_told() -> None:
    """A place known from before is of no server in the new session: it was left."""
    core = StubCore()
    async with FakeDiscord() as fake:
        stays = fake.add_channel(fake.add_guild("Stays"), "general")
        left = fake.add_channel(Guild(fake.snowflake(), "Left"), "general")
        core.seen = [last_seen(channel, fake.snowflake()) for channel in (stays, left, fake.dm_with("Ana"))]
        async with running(fake, core):
            await until(lambda: core.removed, "the server left")
            assert left.guild is not None
            assert core.removed == [("discord", left.guild.id)]
