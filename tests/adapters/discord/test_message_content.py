"""The message-content intent: asked for only where the operator wants it, and what the bot hears by it."""

import asyncio
from dataclasses import replace

import pytest

from adapters.discord.events import WITHHELD
from bot.config import SettingsError
from tests.adapters.core import StubCore
from tests.adapters.discord.support import adapter_for, last_seen, running
from tests.fakes.discord import Channel, FakeDiscord, until
from tests.fakes.discord_gateway import MESSAGE_CONTENT


@pytest.fixture
def thread(fake: FakeDiscord) -> Channel:
    """A thread on a Discord where the portal's switch is on."""
    fake.gateway.content = True
    guild = fake.add_guild()
    return fake.add_channel(guild, "trip", parent=fake.add_channel(guild, "general"))


async def talked(fake: FakeDiscord, thread: Channel, core: StubCore) -> None:
    """Ana mentions the bot in a thread, and it answers."""
    await fake.answer_to(await fake.say(thread, "Ana", "hi"), contains="You said: hi")
    assert len(core.events) == 1


def histories(fake: FakeDiscord) -> int:
    """How many pages of histories were read."""
    return sum(method == "GET" and path.endswith("/messages") for method, path, _ in fake.requests)


async def test_the_intent_is_not_asked_for_by_default(fake: FakeDiscord, thread: Channel) -> None:
    """Without the setting no session asks for it; follow-ups in a thread then arrive empty, and are let pass."""
    core = StubCore()
    async with running(fake, core):
        await talked(fake, thread, core)
        await fake.say(thread, "Ana", "and now?", mention=False)
        await fake.answer_to(await fake.dm("Ana", "there?"))
    assert not any(session["intents"] & MESSAGE_CONTENT for session in fake.gateway.seen_identify)
    assert [event.text for event in core.events] == ["hi", "there?"]
    assert histories(fake) == 0


async def test_whoever_spoke_to_it_needs_no_mention(fake: FakeDiscord, thread: Channel) -> None:
    """What Ana writes in a thread once she has mentioned the bot there is for it; no history is read for that."""
    core = StubCore()
    async with running(fake, core, discord_message_content=True):
        await talked(fake, thread, core)
        for text in ("and now?", "and then?"):
            assert await fake.answer_to(await fake.say(thread, "Ana", text, mention=False)) == f"You said: {text}"
    assert [event.addressed for event in core.events] == [True, False, False]
    assert histories(fake) == 0


@pytest.mark.parametrize("author", ["Ben", "another bot"])
async def test_among_people_mentions_alone_count(fake: FakeDiscord, thread: Channel, author: str) -> None:
    """Once somebody else has written, another bot too, nothing unmentioned is for the bot, until it is mentioned."""
    core = StubCore()
    async with running(fake, core, discord_message_content=True):
        await talked(fake, thread, core)
        await fake.answer_to(await fake.say(thread, "Ana", "and now?", mention=False))
        await fake.post(thread, replace(fake.user(author), bot=author != "Ben"), "hello Ana")
        await fake.say(thread, "Ana", "hello", mention=False)
        await fake.answer_to(await fake.say(thread, "Ana", "you there?"))
        await fake.answer_to(await fake.say(thread, "Ana", "good", mention=False))
    assert [event.text for event in core.events] == ["hi", "and now?", "you there?", "good"]


async def test_the_last_who_spoke_to_it_is_listened_to(fake: FakeDiscord, thread: Channel) -> None:
    """Ben mentions the bot after Ana: from then on it is he who needs no mention, until she writes."""
    core = StubCore()
    async with running(fake, core, discord_message_content=True):
        await talked(fake, thread, core)
        await fake.answer_to(await fake.say(thread, "Ben", "me too"))
        await fake.answer_to(await fake.say(thread, "Ben", "and me", mention=False))
        await fake.say(thread, "Ana", "hello Ben", mention=False)
        await fake.say(thread, "Ben", "hello Ana", mention=False)
        await fake.answer_to(await fake.dm("Ana", "there?"))
    assert [event.text for event in core.events] == ["hi", "me too", "and me", "there?"]


@pytest.mark.parametrize("since", [(), ("Ben",), ("Ben", "Ana")])
async def test_after_a_restart_it_looks(fake: FakeDiscord, thread: Channel, since: tuple[str, ...]) -> None:
    """Who spoke to it last, and who has written since, is in the thread's history, which is read once."""
    core = StubCore()
    async with running(fake, core, discord_message_content=True):
        await talked(fake, thread, core)
    for author in since:
        message = fake.message(thread, fake.user(author), "hello")
        thread.messages[message["id"]] = message
    later = StubCore()
    async with running(fake, later, discord_message_content=True):
        for text in ("and now?", "and then?"):
            await fake.say(thread, "Ana", text, mention=False)
        await fake.answer_to(await fake.dm("Ana", "there?"))
        heard = ["there?"] if since else ["and now?", "and then?", "there?"]
        await until(lambda: sorted(event.text for event in later.events) == heard, "not what is for it")
    assert histories(fake) == 1


async def test_a_thread_that_was_started_from_a_mention(fake: FakeDiscord, thread: Channel) -> None:
    """The message that a thread was started from is part of it: what its author then writes there is for the bot."""
    core = StubCore()
    assert thread.parent is not None
    start = fake.message(thread.parent, fake.user("Ana"), f"<@{fake.bot.id}> Where to?")
    first = fake.message(thread, fake.user("Ana"), "") | {"type": 21, "referenced_message": start}
    first["message_reference"] = {"type": 0, "channel_id": thread.parent.id, "message_id": start["id"]}
    answer = fake.message(thread, fake.bot, "To the sea.")
    thread.messages |= {first["id"]: first, answer["id"]: answer}
    thread.joined = True
    async with running(fake, core, discord_message_content=True):
        assert await fake.answer_to(await fake.say(thread, "Ana", "When?", mention=False)) == "You said: When?"


async def test_what_speaks_to_somebody_else_is_not_for_the_bot(fake: FakeDiscord, thread: Channel) -> None:
    """A mention of Ben, though he has never written there, is for him."""
    core = StubCore()
    async with running(fake, core, discord_message_content=True):
        await talked(fake, thread, core)
        await fake.say(thread, "Ana", f"<@{fake.user('Ben').id}> look", mention=False)
        await fake.answer_to(await fake.say(thread, "Ana", "good?", mention=False))
    assert [event.text for event in core.events] == ["hi", "good?"]


async def test_threads_of_others_and_channels_are_left_alone(fake: FakeDiscord, thread: Channel) -> None:
    """At a channel's top level, and in threads that the bot isn't in, mentions alone are for it; nothing is read."""
    core = StubCore()
    assert thread.parent is not None
    async with running(fake, core, discord_message_content=True):
        await fake.say(thread, "Ana", "just us", mention=False)
        await fake.say(thread.parent, "Ana", "just me", mention=False)
        await fake.answer_to(await fake.dm("Ana", "there?"))
    assert [event.text for event in core.events] == ["there?"]
    assert histories(fake) == 0


async def test_where_the_history_is_not_told_mentions_count(fake: FakeDiscord, thread: Channel) -> None:
    """Without the thread's history it isn't known, after a restart, whom the bot listens to."""
    core = StubCore()
    fake.forbidden.add(thread.id)
    thread.joined = True
    async with running(fake, core, discord_message_content=True):
        await fake.say(thread, "Ana", "and now?", mention=False)
        await fake.answer_to(await fake.dm("Ana", "there?"))
    assert [event.text for event in core.events] == ["there?"]
    assert histories(fake) == 1


async def test_missed_follow_ups_are_answered(fake: FakeDiscord, thread: Channel) -> None:
    """What Ana wrote in her thread while the bot was down is for it; once Ben has written, it no longer is."""
    core = StubCore()
    async with running(fake, core, discord_message_content=True):
        await talked(fake, thread, core)
    seen = last_seen(thread, core.events[0].id.removeprefix("discord:"))
    missed = await fake.say(thread, "Ana", "still there?", mention=False)
    await fake.say(thread, "Ben", "hello", mention=False)
    await fake.say(thread, "Ana", "hello Ben", mention=False)
    later = StubCore(seen=[seen])
    async with running(fake, later, discord_message_content=True):
        assert await fake.answer_to(missed) == "You said: still there?"
        await fake.answer_to(await fake.dm("Ana", "there?"))
    assert [event.text for event in later.events] == ["still there?", "there?"]


async def test_an_edited_follow_up_stays_one(fake: FakeDiscord, thread: Channel) -> None:
    """An edit in the thread is told as one whoever writes there by then, and makes no message the bot's."""
    core = StubCore()
    async with running(fake, core, discord_message_content=True):
        await talked(fake, thread, core)
        follow_up = await fake.say(thread, "Ana", "tea?", mention=False)
        await fake.answer_to(follow_up)
        others = await fake.say(thread, "Ben", "coffee", mention=False)
        await fake.edit(thread, follow_up, f"cocoa, <@{fake.user('Ben').id}>?")
        await fake.edit(thread, others, "water")
        await until(lambda: len(core.edited) == 2, "no edits")
    assert [(event.id, event.addressed) for event in core.edited] == [
        (f"discord:{follow_up}", False),
        (f"discord:{others}", False),
    ]
    assert len(core.events) == 2
    assert core.deleted == []


@pytest.mark.parametrize("content", [False, True])
async def test_a_reply_without_a_ping(fake: FakeDiscord, thread: Channel, content: bool) -> None:
    """With the intent a reply is read; without it, the person is told that only mentions are."""
    core = StubCore()
    assert thread.parent is not None
    async with running(fake, core, discord_message_content=content):
        asked = await fake.say(thread.parent, "Ana", "hi")
        await fake.answer_to(asked)
        answer = fake.answers(asked)[0]["id"]
        await fake.say(thread.parent, "Ana", "why?", mention=False, reply_to=answer, ping=False)
        await until(lambda: len(core.events) == 2, "no event")
    assert (core.events[1].text, core.events[1].notice) == (("why?", "") if content else ("", WITHHELD))


async def test_a_switch_that_is_off_ends_the_start(fake: FakeDiscord) -> None:
    """Discord refuses the intent (4014): the line names the variable, and where the switch is."""
    with pytest.raises(SettingsError, match=r"DISCORD_MESSAGE_CONTENT: .*discord\.com/developers, Bot"):
        await asyncio.wait_for(adapter_for(fake, StubCore(), discord_message_content=True).run(), 10)
    assert fake.gateway.identifies == 0
