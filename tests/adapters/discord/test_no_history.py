"""Where Discord takes no replies, the history being closed: answers in plain messages that say whose they are."""

import pytest

from adapters.discord.answer import CURSOR
from tests.adapters.core import StubCore, saying, text_snapshots
from tests.adapters.discord.support import running, shown
from tests.fakes.discord import Channel, FakeDiscord, until


@pytest.fixture
def general(fake: FakeDiscord) -> Channel:
    """A channel in which the bot may write, and not read the history."""
    channel = fake.add_channel(fake.add_guild(), "general")
    fake.unhistoried.add(channel.id)
    return channel


def mark(fake: FakeDiscord, channel: Channel, message: str) -> str:
    """The line that names the asker and the question."""
    assert channel.guild is not None
    link = f"https://discord.com/channels/{channel.guild.id}/{channel.id}/{message}"
    return f"-# <@{fake.user('Ana').id}> · {link}\n"


async def test_an_answer_says_whose_question_it_answers(fake: FakeDiscord, general: Channel) -> None:
    """It grows and ends in one message that names the asker, and links the question, without pinging anybody."""
    core = StubCore(saying("First", "First and last."))
    async with running(fake, core):
        message = await fake.say(general, "Ana", "hi")
        await until(lambda: core.sent, "the answer")
        assert shown(fake, general) == [mark(fake, general, message) + "First and last."]
        assert core.failures == []
        for method, path, body in fake.requests:
            if method in ("POST", "PATCH") and "/messages" in path:
                assert body["allowed_mentions"]["parse"] == []


async def test_a_long_answer_is_marked_in_each_message(fake: FakeDiscord, general: Channel) -> None:
    """Each of its messages says whose it is, and keeps to Discord's length."""
    whole = "\n\n".join(f"word{number} " * 60 for number in range(12))
    core = StubCore(saying(whole))
    async with running(fake, core):
        message = await fake.say(general, "Ana", "hi")
        await until(lambda: core.sent, "the answer")
        parts = shown(fake, general)
        assert len(parts) == len(core.sent[0]) > 2
        assert all(part.startswith(mark(fake, general, message)) and len(part) <= 2000 for part in parts)
        said = "".join(part.removeprefix(mark(fake, general, message)) for part in parts)
        assert "".join(said.split()) == "".join(whole.split())


@pytest.mark.parametrize("code", [160002, 160009, 160010])
async def test_each_reason_to_refuse_a_reply_is_answered_plainly(fake: FakeDiscord, code: int) -> None:
    """Whatever Discord has against the reply, the answer comes without it."""
    fake.refuses["reply"] = (403, code)
    general = fake.add_channel(fake.add_guild(), "general")
    core = StubCore(saying("The answer."))
    async with running(fake, core):
        message = await fake.say(general, "Ana", "hi")
        await until(lambda: core.sent, "the answer")
        assert shown(fake, general) == [mark(fake, general, message) + "The answer."]


async def test_replies_are_not_tried_again_and_again(fake: FakeDiscord, general: Channel) -> None:
    """A refused reply counts towards Discord's ban: it is known of a channel for an hour."""
    core = StubCore(saying("The answer."))
    async with running(fake, core):
        for count in range(1, 4):
            await fake.say(general, "Ana", "hi")
            await until(lambda count=count: len(core.sent) == count, "the answer")  # type: ignore[misc]
        assert sum("message_reference" in (body or {}) for _, _, body in fake.requests) == 1


async def test_a_sentence_is_said_plainly_too(fake: FakeDiscord, general: Channel) -> None:
    """What is said instead of an answer reaches the asker in the same way."""
    core = StubCore(saying("The answer."))
    fake.filters["The answer"] = (400, 200000)
    async with running(fake, core):
        message = await fake.say(general, "Ana", "hi")
        await until(lambda: shown(fake, general), "the sentence")
        assert shown(fake, general) == [mark(fake, general, message) + "This server's AutoMod blocked my answer."]


@pytest.mark.parametrize("left", ["The answer.", f"Half an {CURSOR}"], ids=["whole", "half"])
async def test_after_a_crash_it_is_not_given_twice(fake: FakeDiscord, general: Channel, left: str) -> None:
    """Nothing can be looked up there: for minutes the nonce gives the message back, and it is finished in place."""
    core = StubCore(saying("The answer."))
    async with running(fake, core) as adapter:
        message = await fake.say(general, "Ana", "hi")
        await until(lambda: core.sent, "the answer")
        general.messages[core.sent[0][0].removeprefix("discord:")]["content"] = mark(fake, general, message) + left
        reply = adapter.reply_handle(core.events[0])
        assert await reply.found() is None
        assert await reply.stream(text_snapshots("The answer, made anew.")) == core.sent[0]
        assert shown(fake, general) == [mark(fake, general, message) + "The answer, made anew."]


async def test_it_is_found_once_the_history_may_be_read(fake: FakeDiscord, general: Channel) -> None:
    """A plain answer is known by its first line, as a reply is by its reference; others' aren't."""
    core = StubCore(saying("One.\n\n" + "Two. " * 450))
    async with running(fake, core) as adapter:
        await fake.say(general, "Ana", "hi")
        await until(lambda: core.sent, "the answer")
        await fake.say(general, "Ben", "hello")
        await until(lambda: len(core.sent) == 2, "the other answer")
        fake.unhistoried.clear()
        fake.knows_nonces = False
        found = await adapter.reply_handle(core.events[0]).found()
        assert found is not None
        assert found[0].startswith("One.\n\nTwo. Two.")
        assert found[0].count("Two.") == 450
        assert found[1] == core.sent[0]
