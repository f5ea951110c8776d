"""Discord's listed servers: who may write directly, which Discord is asked, and what catch-up leaves alone."""

from tests.adapters.core import StubCore
from tests.adapters.discord.support import last_seen, running
from tests.fakes.discord import FakeDiscord, Guild, until


def questions(fake: FakeDiscord) -> list[str]:
    """The servers whose members Discord was asked for, in order."""
    return [path.split("/")[4] for method, path, _ in fake.requests if "/members/" in path and method == "GET"]


def two_guilds(fake: FakeDiscord) -> tuple[Guild, Guild]:
    """Two servers, in the order of their ids."""
    return fake.add_guild("first"), fake.add_guild("second")


async def told_apart(fake: FakeDiscord, core: StubCore, *names: str) -> list[bool]:
    """Let people write directly, one after the other; whether each is handed over as a stranger."""
    for name in names:
        count = len(core.events)
        await fake.dm(name, "hi")
        await until(lambda count=count: len(core.events) > count, "the message")  # type: ignore[misc]
    return [event.stranger for event in core.events[-len(names) :]]


async def test_members_of_any_listed_server_are_no_strangers(fake: FakeDiscord) -> None:
    """Discord is asked server by server, and once for each person; other servers' members are strangers."""
    core = StubCore()
    first, second = two_guilds(fake)
    other = fake.add_guild("other")
    fake.join(first, "Ana")
    fake.join(second, "Ben")
    fake.join(other, "Cat")
    async with running(fake, core, discord_guilds=f"{second.id}, {first.id}"):
        assert await told_apart(fake, core, "Ana", "Ben", "Cat") == [False, False, True]
        assert questions(fake) == [first.id, first.id, second.id, first.id, second.id]
        assert await told_apart(fake, core, "Ana", "Ben", "Cat") == [False, False, True]
        assert len(questions(fake)) == 5


async def test_nobody_is_asked_about_without_a_list_or_in_a_server(fake: FakeDiscord) -> None:
    """A message in a server says by itself which one it is in."""
    core = StubCore()
    guild = fake.add_guild()
    general = fake.add_channel(guild, "general")
    async with running(fake, core):
        assert await told_apart(fake, core, "Ana") == [False]
    async with running(fake, core, discord_guilds=guild.id):
        await fake.answer_to(await fake.say(general, "Ana", "hello"))
    assert questions(fake) == []
    assert not any(event.stranger for event in core.events)
    assert all(event.addressed for event in core.events)


async def test_passing_trouble_is_outlived(fake: FakeDiscord) -> None:
    """One failure is no reason to take a member for a stranger."""
    core = StubCore()
    guild = fake.add_guild()
    fake.join(guild, "Ana")
    async with running(fake, core, discord_guilds=guild.id):
        fake.member_failures = [408, 408]
        assert await told_apart(fake, core, "Ana") == [False]


async def test_who_cannot_be_told_is_a_stranger_for_now(fake: FakeDiscord) -> None:
    """It isn't remembered: the next message asks again."""
    core = StubCore()
    guild = fake.add_guild()
    fake.join(guild, "Ana")
    async with running(fake, core, discord_guilds=guild.id):
        fake.member_failures = [408] * 3
        assert await told_apart(fake, core, "Ana") == [True]
        assert await told_apart(fake, core, "Ana") == [False]


async def test_a_failure_at_one_server_leaves_the_others(fake: FakeDiscord) -> None:
    """A member of the second is one, whatever the first says."""
    core = StubCore()
    first, second = two_guilds(fake)
    fake.join(second, "Ana")
    async with running(fake, core, discord_guilds=f"{first.id} {second.id}"):
        fake.member_failures = [408] * 3
        assert await told_apart(fake, core, "Ana") == [False]


async def test_a_server_without_the_bot_is_asked_once(fake: FakeDiscord) -> None:
    """Each refusal counts toward those that shut a bot out; nobody is served by way of that server."""
    core = StubCore()
    guild, elsewhere = fake.add_guild(), "123456789012345678"
    fake.join(guild, "Ana")
    async with running(fake, core, discord_guilds=f"{elsewhere},{guild.id}"):
        assert await told_apart(fake, core, "Ana", "Ben", "Cat") == [False, True, True]
    assert questions(fake).count(elsewhere) == 1


async def test_what_a_person_writes_stays_in_order(fake: FakeDiscord) -> None:
    """What comes while Discord is still being asked waits for what came before."""
    core = StubCore()
    guild = fake.add_guild()
    fake.join(guild, "Ana")
    async with running(fake, core, discord_guilds=guild.id):
        fake.member_failures = [408, 408]
        for text in ("one", "two", "three"):
            await fake.dm("Ana", text)
        await until(lambda: len(core.events) == 3, "all of them")
    assert [event.text for event in core.events] == ["one", "two", "three"]
    assert not any(event.stranger for event in core.events)


async def test_an_edit_of_whom_nobody_can_tell_is_ignored(fake: FakeDiscord) -> None:
    """Neither learned, as a member's is, nor taken for a withdrawal, as a stranger's is."""
    core = StubCore()
    guild = fake.add_guild()
    fake.join(guild, "Ana")
    channel = fake.dm_with("Ana")
    said = await fake.post(channel, fake.user("Ana"), "I like tea")
    async with running(fake, core, discord_guilds=guild.id):
        fake.member_failures = [408] * 3
        await fake.edit(channel, said, "I like gin")
        await until(lambda: len(questions(fake)) == 3, "the questions")
        await fake.edit(channel, said, "I like cocoa")
        await until(lambda: core.edited or core.events, "the next edit")
    texts = [event.text for event in (*core.events, *core.edited)]
    assert set(texts) == {"I like cocoa"}
    assert core.deleted == []


async def test_what_is_resumed_is_asked_about_again(fake: FakeDiscord) -> None:
    """Who has left meanwhile is a stranger; where Discord doesn't tell, it is as when the message was admitted."""
    core = StubCore()
    guild = fake.add_guild()
    fake.join(guild, "Ana")
    async with running(fake, core, discord_guilds=guild.id):
        assert await told_apart(fake, core, "Ana") == [False]
    guild.members.clear()
    async with running(fake, StubCore(), discord_guilds=guild.id) as adapter:
        fake.member_failures = [408] * 3
        assert not (await adapter.renewed(core.events[0])).stranger
        assert (await adapter.renewed(core.events[0])).stranger


async def test_catch_up_tells_strangers_apart(fake: FakeDiscord) -> None:
    """What was missed in direct messages is asked about before it is admitted, and waits until Discord tells."""
    core = StubCore()
    guild = fake.add_guild()
    fake.join(guild, "Ana")
    for name in ("Ana", "Ben"):
        channel = fake.dm_with(name)
        core.seen.append(last_seen(channel, await fake.post(channel, fake.user(name), "answered", hours_ago=1)))
        await fake.dm(name, f"missed by {name}")
    fake.member_failures = [408] * 3
    async with running(fake, core, discord_guilds=guild.id):
        await until(lambda: len(core.events) == 2, "both")
    assert {event.text: event.stranger for event in core.events} == {"missed by Ana": False, "missed by Ben": True}


async def test_catch_up_reads_listed_servers_and_follows_changes_everywhere(fake: FakeDiscord) -> None:
    """What was missed elsewhere is never read for answers; what was deleted there is told all the same."""
    core = StubCore()
    guild, other = two_guilds(fake)
    here, there = fake.add_channel(guild, "here"), fake.add_channel(other, "there")
    for channel in (here, there):
        said = [await fake.post(channel, fake.user("Ana"), f"<@{fake.bot.id}> {text}") for text in ("one", "two")]
        core.recent += [last_seen(channel, message) for message in said]
        core.seen.append(last_seen(channel, said[1]))
        await fake.delete(channel, said[0])
        await fake.say(channel, "Ana", f"missed {channel.name}")
    async with running(fake, core, discord_guilds=guild.id):
        await until(lambda: len(core.deleted) == 2 and len(core.sent) == 1, "both deletions and the answer")
    assert [event.text for event in core.events] == ["missed here"]


async def test_a_server_that_is_left_is_told_though_it_is_not_listed(fake: FakeDiscord) -> None:
    """What was learned there before it was taken off the list is erased as well."""
    core = StubCore()
    guild = fake.add_guild()
    gone = fake.add_guild("gone")
    channel = fake.add_channel(gone, "general")
    core.seen.append(last_seen(channel, await fake.post(channel, fake.user("Ana"), "hello", hours_ago=1)))
    del fake.guilds[gone.id]
    async with running(fake, core, discord_guilds=guild.id):
        await until(lambda: core.removed, "the removal")
    assert core.removed == [("discord", gone.id)]
