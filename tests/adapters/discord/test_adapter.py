"""Messages on Discord: which are for the bot, what they become, and who can read the place."""

from collections.abc import AsyncIterator

import pytest

from adapters.common.unread import HELLO, NOTHING
from adapters.discord.events import WITHHELD
from bot.model import Audience
from tests.adapters.core import StubCore
from tests.adapters.discord.support import running
from tests.fakes.discord import Channel, FakeDiscord, User
from tests.makers import names


class World:
    """A server with the usual kinds of channels, and the bot in it."""

    def __init__(self, fake: FakeDiscord, core: StubCore) -> None:
        self.fake = fake
        self.core = core
        self.guild = fake.add_guild("Home")
        self.general = fake.add_channel(self.guild, "general")
        self.staff = fake.add_channel(self.guild, "staff", private=True)
        self.thread = fake.add_channel(self.guild, "trip", parent=self.general)
        self.secret_thread = fake.add_channel(self.guild, "gift", parent=self.general, private=True)
        self.staff_thread = fake.add_channel(self.guild, "pay", parent=self.staff)

    async def silent_after(self, message_id: str) -> None:
        """Check that a message was let pass: one sent behind it is answered, it is not."""
        marker = await self.fake.dm("Marker", "still there?")
        await self.fake.answer_to(marker)
        assert self.fake.answers(message_id) == []
        assert f"discord:{message_id}" not in [event.id for event in self.core.events]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FakeDiscord() as fake:
        built = World(fake, StubCore())
        async with running(fake, built.core):
            yield built


async def test_a_direct_message_is_answered(world: World) -> None:
    """A DM needs no mention; it is private, and the answer replies to it."""
    message = await world.fake.dm("Ana", "I like tea")
    assert await world.fake.answer_to(message) == "You said: I like tea"
    event = world.core.events[0]
    assert event.id == f"discord:{message}"
    assert event.person.key == f"discord:{world.fake.user('Ana').id}"
    assert (event.place.audience, event.place.name, event.place.workspace) == (Audience.PRIVATE, "DM", "")
    assert (event.name, event.at.tzinfo is not None) == ("Ana", True)
    assert event.link.endswith(f"/{message}")
    assert world.core.sent == [(f"discord:{world.fake.answers(message)[0]['id']}",)]


async def test_a_mention_in_a_channel_is_answered_there(world: World) -> None:
    """A mention in a public channel is answered in it, with the mention stripped."""
    message = await world.fake.say(world.general, "Ana", "hello there")
    assert await world.fake.answer_to(message) == "You said: hello there"
    place = world.core.events[0].place
    assert (place.workspace, place.channel, place.thread) == (world.guild.id, world.general.id, None)
    assert place.name == "#general"


async def test_a_thread_is_its_own_place(world: World) -> None:
    """A mention in a thread is answered there; the thread's id is both channel and thread."""
    message = await world.fake.say(world.thread, "Ana", "hello")
    await world.fake.answer_to(message)
    place = world.core.events[0].place
    assert (place.channel, place.thread, place.name) == (world.thread.id, world.thread.id, "#trip")


@pytest.mark.parametrize(
    ("name", "audience"),
    [
        ("general", Audience.PUBLIC),
        ("thread", Audience.PUBLIC),
        ("staff", Audience.MEMBERS),
        ("staff_thread", Audience.MEMBERS),
        ("secret_thread", Audience.MEMBERS),
    ],
)
async def test_a_channel_is_public_where_everyone_can_read_it(world: World, name: str, audience: Audience) -> None:
    """A thread follows its parent, a private one is its members' alone."""
    channel = getattr(world, name)
    assert isinstance(channel, Channel)
    await world.fake.answer_to(await world.fake.say(channel, "Ana", "hello"))
    assert world.core.events[0].place.audience is audience


async def test_a_place_that_is_unknown_is_taken_for_the_narrowest(world: World) -> None:
    """A channel that the bot hasn't heard of is never taken for a public one."""
    later = world.fake.add_channel(world.guild, "new")
    await world.fake.answer_to(await world.fake.say(later, "Ana", "hello"))
    assert world.core.events[0].place.audience is Audience.MEMBERS


async def test_a_reply_to_the_bot_goes_on_with_the_talk(world: World) -> None:
    """A reply that pings the bot needs no written mention, and says what it replies to."""
    first = await world.fake.say(world.general, "Ana", "hello")
    await world.fake.answer_to(first)
    answer = world.fake.answers(first)[0]["id"]
    second = await world.fake.say(world.general, "Ana", "and again", mention=False, reply_to=answer)
    assert await world.fake.answer_to(second) == "You said: and again"
    assert world.core.events[1].reply_to == f"discord:{answer}"


async def test_a_reply_without_ping_arrives_empty_and_is_told_so(world: World) -> None:
    """Without the message-content intent nothing of it can be read: one sentence says how to be heard."""
    first = await world.fake.say(world.general, "Ana", "hello")
    await world.fake.answer_to(first)
    answer = world.fake.answers(first)[0]["id"]
    second = await world.fake.say(world.general, "Ana", "psst", mention=False, reply_to=answer, ping=False)
    await world.fake.answer_to(second)
    assert (world.core.events[1].text, world.core.events[1].notice) == ("", WITHHELD)


async def test_talk_among_people_is_let_pass(world: World) -> None:
    """Where nobody speaks to the bot it says nothing."""
    await world.silent_after(await world.fake.say(world.general, "Ana", "lunch?", mention=False))


async def test_a_reply_to_somebody_else_is_let_pass(world: World) -> None:
    """A reply is for whom it replies to."""
    theirs = await world.fake.say(world.general, "Ben", "lunch?", mention=False)
    await world.silent_after(await world.fake.say(world.general, "Ana", "yes", mention=False, reply_to=theirs))


@pytest.mark.parametrize(
    "fields",
    [{"mention_everyone": True}, {"mention_roles": ["77"]}],
    ids=["everyone", "role"],
)
async def test_everyone_and_roles_are_no_mention(world: World, fields: dict[str, object]) -> None:
    """A call to many is not a call to the bot."""
    await world.silent_after(
        await world.fake.say(world.general, "Ana", "@everyone <@&77> look", mention=False, **fields)
    )


async def test_bots_webhooks_and_system_messages_are_let_pass(world: World) -> None:
    """Only people are answered, and only what they wrote."""
    fake, text = world.fake, f"<@{world.fake.bot.id}> hi"
    ids = [
        await fake.post(world.general, User("55", "Robo", bot=True), text),
        await fake.post(world.general, fake.bot, text),
        await fake.post(world.general, fake.user("Hook"), text, webhook_id="9"),
        await fake.post(world.general, fake.user("Ana"), text, type=7),
    ]
    for message in ids:
        await world.silent_after(message)


async def test_mentions_read_as_names(world: World) -> None:
    """The bot's mention goes at both ends and reads as its name inside; others read as people see them."""
    me, ben = world.fake.bot.id, world.fake.user("Ben").id
    channel, role = world.general.id, world.guild.id
    text = f"<@!{me}> ask <@{ben}> of <#{channel}> <@&{role}> <:wave:123>, <@{me}> too <@{me}>"
    message = await world.fake.say(world.general, "Ana", text)
    await world.fake.answer_to(message)
    assert world.core.events[0].text == "ask @Ben of #general @everyone :wave:, @Memo too"


async def test_attachments_are_named(world: World) -> None:
    """A file alone is something to answer, known by its name."""
    message = await world.fake.dm("Ana", "", attachments=("cat.png", "dog\0.png"))
    await world.fake.answer_to(message)
    assert (world.core.events[0].text, names(world.core.events[0])) == ("", ("cat.png", "dog.png"))


@pytest.mark.parametrize(
    ("text", "notice"),
    [("", NOTHING), ("   \n\t ", NOTHING), ("<@1000000000000000001>", HELLO), ("\0", NOTHING)],
    ids=repr,
)
async def test_nothing_to_answer_is_told(world: World, text: str, notice: str) -> None:
    """A mention alone, or a direct message of which nothing can be read, gets one sentence."""
    await world.fake.answer_to(await world.fake.dm("Ana", text))
    assert [(event.text, event.notice) for event in world.core.events] == [("", notice)]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("x" * 4000, "x" * 4000),
        ("nul\0l", "null"),
        ("half \ud800 pair", "half ? pair"),
        ("\u202eright to left\u202c", "\u202eright to left\u202c"),
        ("👩‍👩‍👧 ünï", "👩‍👩‍👧 ünï"),
    ],
    ids=["long", "null", "surrogate", "rtl", "emoji"],
)
async def test_odd_text_is_answered(world: World, text: str, seen: str) -> None:
    """What people paste neither crashes the bot nor loses the connection."""
    message = await world.fake.dm("Ana", text)
    answer = await world.fake.answer_to(message)
    assert world.core.events[0].text == seen
    assert answer.replace("\n", "").endswith(seen[-100:])
    assert world.fake.gateway.identifies == 1
