"""What was deleted and edited on Discord while the bot was down is told as if it were now; and nothing else is."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.adapters.core import StubCore
from tests.adapters.discord.support import last_seen, running
from tests.fakes.discord import Channel, FakeDiscord, until


def heard(core: StubCore, channel: Channel, *message_ids: str, at: datetime | None = None) -> None:
    """Let the journal know these messages of a channel, the last of them as the newest."""
    at = at or datetime.now(UTC)
    key, newest, _ = last_seen(channel, message_ids[-1])
    core.seen.append((key, newest, at))
    core.recent += [(key, f"discord:{message_id}", at) for message_id in message_ids]


async def told(fake: FakeDiscord, core: StubCore, channel: Channel, *, count: int = 3) -> list[str]:
    """So many messages that the journal knows."""
    ids = [await fake.say(channel, "Ana", f"{channel.name} {number}") for number in range(count)]
    heard(core, channel, *ids)
    return ids


def asked_for(fake: FakeDiscord, channel: Channel) -> list[str]:
    """The ids of the messages that Discord was asked for one by one."""
    start = f"/api/v10/channels/{channel.id}/messages/"
    return [path.removeprefix(start) for method, path, _ in fake.requests if method == "GET" and path.startswith(start)]


def key(message_id: str) -> str:
    """The message's identity."""
    return f"discord:{message_id}"


async def test_what_was_deleted_meanwhile_is_told(fake: FakeDiscord) -> None:
    """In DMs, channels and threads, archived ones too; and an answer of the bot's own. What is still there isn't."""
    core = StubCore()
    guild = fake.add_guild()
    general = fake.add_channel(guild, "general")
    archived = fake.add_channel(guild, "old trip", parent=general)
    places = [general, fake.add_channel(guild, "trip", parent=general), archived, fake.dm_with("Ana")]
    known = {place.id: await told(fake, core, place) for place in places}
    guild.channels.remove(archived)
    answer = await fake.post(places[3], fake.bot, "an answer")
    heard(core, places[3], answer)
    for place in places:
        await fake.delete(place, known[place.id][1])
    await fake.delete(places[3], answer)
    gone = {key(known[place.id][1]) for place in places} | {key(answer)}
    async with running(fake, core):
        await until(lambda: set(core.deleted) >= gone, "the deletions")
    assert sorted(core.deleted) == sorted(gone)
    assert core.edited == []
    for place in places:
        assert set(asked_for(fake, place)) <= {message_id.removeprefix("discord:") for message_id in gone}


async def test_what_was_edited_meanwhile_is_told(fake: FakeDiscord) -> None:
    """With its new text, as the message it was; a preview is no edit, nor is one that was told before."""
    core = StubCore()
    guild = fake.add_guild()
    general = fake.add_channel(guild, "general")
    dm = fake.dm_with("Ana")
    one, two, preview, early = [
        await fake.dm("Ana", text) for text in ("I like tea", "and milk", "https://x.y", "early")
    ]
    mention = await fake.say(general, "Ana", "I like tea")
    now = datetime.now(UTC)
    await fake.edit(dm, early, "told before")
    dm.messages[early]["edited_timestamp"] = (now - timedelta(hours=2)).isoformat()
    heard(core, dm, one, two, preview, early, at=now)
    heard(core, general, mention, at=now)
    await fake.edit(dm, two, "and cream")
    await fake.edit(general, mention, f"<@{fake.bot.id}> I like cocoa")
    await fake.unfurl(dm, preview)
    async with running(fake, core):
        await until(lambda: len(core.edited) == 2, "both edits")
    assert {event.id: event.text for event in core.edited} == {key(two): "and cream", key(mention): "I like cocoa"}
    assert {event.place.name for event in core.edited} == {"DM", "#general"}
    assert (core.deleted, core.events) == ([], [])


async def test_a_mention_edited_away_meanwhile_withdraws_what_was_said(fake: FakeDiscord) -> None:
    """As when it is told at once: nothing of the message may be read any more."""
    core = StubCore()
    general = fake.add_channel(fake.add_guild(), "general")
    ids = await told(fake, core, general)
    await fake.edit(general, ids[0], "never mind")
    async with running(fake, core):
        await until(lambda: core.deleted, "the withdrawal")
    assert (core.deleted, core.edited) == ([key(ids[0])], [])


@pytest.mark.parametrize(
    "trouble", ["no history", "forbidden", "channel gone", "guild left", "first page", "second page", "asked for alone"]
)
async def test_what_cant_be_told_is_not_taken_for_deleted(fake: FakeDiscord, trouble: str) -> None:
    """A history that is closed, gone, or read in part says nothing of what is missing in it."""
    core = StubCore()
    guild = fake.add_guild()
    general = fake.add_channel(guild, "general")
    ids = await told(fake, core, general, count=150)
    marker = await told(fake, core, fake.dm_with("Zoe"))
    await fake.delete(fake.dm_with("Zoe"), marker[0])
    match trouble:
        case "no history":
            fake.unhistoried.add(general.id)
        case "forbidden":
            fake.forbidden.add(general.id)
        case "channel gone":
            guild.channels.remove(general)
            del fake.channels[general.id]
        case "guild left":
            del fake.guilds[guild.id]
        case "first page" | "second page" | "asked for alone":
            await fake.delete(general, ids[0])
            fake.broken[general.id] = {"first page": 0, "second page": 1, "asked for alone": 2}[trouble]
    async with running(fake, core):
        await until(lambda: core.deleted, "the marker")
        await until(lambda: all(left <= -5 for left in fake.broken.values()), "every try")
        await fake.answer_to(await fake.dm("Zoe", "still there?"))
    assert core.deleted == [key(marker[0])]


async def test_a_channel_that_closes_is_no_proof(fake: FakeDiscord) -> None:
    """One that its history leaves out is asked for, and by then its channel may have been closed."""
    core = StubCore()
    dm = fake.dm_with("Ana")
    ids = await told(fake, core, dm)
    await fake.delete(dm, ids[1])
    fake.rest_failures = [0, 0, 404]  # what was missed, what is known, and that one
    async with running(fake, core):
        await until(lambda: len(fake.requests) and not fake.rest_failures, "every request")
        await until(lambda: any(path.endswith(f"/messages/{ids[1]}") for _, path, _ in fake.requests), "the question")
        await fake.answer_to(await fake.dm("Ana", "still there?"))
    assert core.deleted == []


async def test_only_what_was_read_is_compared(fake: FakeDiscord) -> None:
    """In a busy channel the reading ends somewhere: what lies behind is let be, though it is gone."""
    core = StubCore()
    general = fake.add_channel(fake.add_guild(), "general")
    first = await fake.say(general, "Ana", "first")
    for number in range(1100):
        await fake.say(general, "Ben", str(number), mention=False)
    last = [await fake.say(general, "Ana", text) for text in ("last but one", "last")]
    heard(core, general, first, *last)
    await fake.delete(general, first)
    await fake.delete(general, last[0])
    async with running(fake, core):
        await until(lambda: core.deleted, "the deletion")
    assert core.deleted == [key(last[0])]
    assert asked_for(fake, general) == [last[0]]


@pytest.mark.slow
async def test_after_a_lost_session_it_is_compared_again(fake: FakeDiscord) -> None:
    """What is resumed is replayed; in a new session it is looked for, and what is told already is not told again."""
    core = StubCore()
    dm = fake.dm_with("Ana")
    ids = await told(fake, core, dm)
    await fake.delete(dm, ids[0])
    async with running(fake, core):
        await until(lambda: core.deleted == [key(ids[0])], "the first")
        await fake.gateway.drop()
        await fake.delete(dm, ids[1])
        await until(lambda: core.deleted == [key(ids[0]), key(ids[1])], "the second, replayed")
        await fake.gateway.drop(resumable=False)
        await fake.delete(dm, ids[2])
        await until(lambda: len(core.deleted) == 3, "the third, in a new session")
        assert core.deleted[2] == key(ids[2])
        assert asked_for(fake, dm) == [ids[0], ids[2]]


async def test_nothing_is_compared_where_nothing_is_looked_back_for(fake: FakeDiscord) -> None:
    """BOT_CATCH_UP_HOURS=0 asks Discord for no history."""
    core = StubCore()
    ids = await told(fake, core, fake.dm_with("Ana"))
    await fake.delete(fake.dm_with("Ana"), ids[0])
    async with running(fake, core, bot_catch_up_hours=0):
        await fake.answer_to(await fake.dm("Ben", "hi"))
    assert core.deleted == []
    assert not any(method == "GET" and "/messages" in path for method, path, _ in fake.requests)


@pytest.mark.slow
async def test_what_is_certain_is_told_though_the_rest_cant_be(fake: FakeDiscord) -> None:
    """Discord fails amid the questions: those that it has answered count, and the others are asked in a new session."""
    core = StubCore()
    dm = fake.dm_with("Ana")
    ids = await told(fake, core, dm, count=4)
    for message_id in ids[:3]:
        await fake.delete(dm, message_id)
    fake.broken[dm.id] = 4  # what was missed, what is known, and two that are gone
    async with running(fake, core):
        await until(lambda: len(core.deleted) == 2, "the first two")
        assert core.deleted == [key(message_id) for message_id in ids[:2]]
        fake.broken.clear()
        await fake.gateway.drop(resumable=False)
        await until(lambda: len(core.deleted) == 3, "the third")
        assert core.deleted[2] == key(ids[2])
