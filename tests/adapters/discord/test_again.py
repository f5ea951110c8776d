"""What a crash leaves of an answer on Discord: taken for whole only where it is, and finished in place."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.discord.adapter import DiscordAdapter
from adapters.discord.answer import CURSOR, growing, grows
from bot.events import MessageEvent
from tests.adapters.core import StubCore, text_snapshots
from tests.adapters.discord.support import running
from tests.fakes.discord import Channel, FakeDiscord, until


class Question:
    """A message of Ana's, that the core has been handed but not answered."""

    def __init__(self, fake: FakeDiscord, adapter: DiscordAdapter, event: MessageEvent) -> None:
        self.fake = fake
        self.adapter = adapter
        self.event = event
        self.id = event.id.rpartition(":")[2]
        self.channel: Channel = fake.dm_with("Ana")

    def left_behind(self, *texts: str) -> list[str]:
        """What an earlier process had shown before it died; return the messages' ids."""
        reference = {"message_reference": {"message_id": self.id, "channel_id": self.channel.id}}
        shown = [self.fake.store(self.channel, {"content": text} | reference) for text in texts]
        return [str(message["id"]) for message in shown]

    @property
    def shown(self) -> list[str]:
        """What people see of the answer."""
        return [str(answer["content"]) for answer in self.fake.answers(self.id)]


@pytest.fixture
async def question() -> AsyncIterator[Question]:
    async def never(event: MessageEvent) -> AsyncIterator[str]:
        return
        yield

    core = StubCore(never)
    async with FakeDiscord() as fake, running(fake, core) as adapter:
        await fake.dm("Ana", "hi")
        await until(lambda: core.sent, "the question")
        yield Question(fake, adapter, core.events[0])


async def test_a_whole_answer_is_found(question: Question) -> None:
    """After a crash behind the last send the answer is there, with all its messages, and nothing is sent."""
    ids = question.left_behind("One.", "Two.")
    found = await question.adapter.reply_handle(question.event).found()
    assert found == ("One.\nTwo.", tuple(f"discord:{message_id}" for message_id in ids))


async def test_no_answer_is_found_where_there_is_none(question: Question) -> None:
    """What the bot replied to others, what others said, and a word in passing are no answer."""
    fake, reply = question.fake, question.adapter.reply_handle(question.event)
    other = await fake.post(question.channel, fake.user("Ana"), "another question")
    await fake.post(question.channel, fake.user("Ana"), "you there?", reply_to=question.id)
    await fake.post(question.channel, fake.bot, "Another answer.", reply_to=other)
    await reply.whisper("Please wait.")
    assert question.shown == ["Please wait."]
    assert await reply.found() is None
    await reply.stream(text_snapshots("The answer."))
    assert question.shown == ["Please wait.", "The answer."]


@pytest.mark.parametrize("left", [["Half an ▌"], ["Half an ▌", "answer, "], ["Half an", "```\nanswer\n```\n▌"]])
async def test_a_partial_answer_is_finished_in_place(question: Question, left: list[str]) -> None:
    """A message that ends with the cursor isn't whole: the new text takes its place, in the same messages."""
    ids = question.left_behind(*left)
    reply = question.adapter.reply_handle(question.event)
    assert await reply.found() is None
    sent = await reply.stream(text_snapshots("A whole answer."))
    assert question.shown == ["A whole answer."]
    assert sent == (f"discord:{ids[0]}",)
    assert not [path for method, path, _ in question.fake.requests if method == "POST" and "/messages" in path]


async def test_what_was_shown_stays_until_it_is_overtaken(question: Question) -> None:
    """While the answer is made anew, people see what they have seen; then it goes on."""
    question.left_behind("Once upon a time there was ▌")
    go_on = asyncio.Event()
    seen: list[list[str]] = []

    async def anew() -> AsyncIterator[str]:
        yield "Long ago"
        await asyncio.sleep(0.4)
        seen.append(question.shown)
        yield "Long ago there lived a king who had"
        await until(lambda: question.shown == ["Long ago there lived a king who had ▌"], "the new text")
        go_on.set()
        yield "Long ago there lived a king who had two daughters."

    reply = question.adapter.reply_handle(question.event)
    await reply.stream(anew())
    assert go_on.is_set()
    assert seen == [["Once upon a time there was ▌"]]
    assert question.shown == ["Long ago there lived a king who had two daughters."]


async def test_a_send_of_unknown_effect_is_looked_up(question: Question) -> None:
    """A message that arrived though Discord reported a failure isn't sent again, even when its nonce is forgotten."""
    reply = question.adapter.reply_handle(question.event)
    question.fake.lost_answers = 5  # every try of the first call
    with pytest.raises(ConnectionError):
        await reply.stream(text_snapshots("The answer."))
    question.fake.lost_answers = 0
    question.fake.knows_nonces = False
    await reply.stream(text_snapshots("The answer."))
    assert question.shown == ["The answer."]


async def test_an_answer_that_could_not_be_shown_is_shown_later(question: Question) -> None:
    """After an outage of sending alone the answer that was made is shown: Claude isn't asked for another."""
    reply = question.adapter.reply_handle(question.event)
    question.fake.refuses["send"] = (503, 0)
    with pytest.raises(ConnectionError):
        await reply.stream(text_snapshots("The answer."))
    question.fake.refuses.clear()
    found = await reply.found()
    assert found is not None
    assert found[0] == "The answer."
    assert question.shown == ["The answer."]


async def test_an_answer_is_found_where_the_history_is_long(question: Question) -> None:
    """Talk between the question and its answer, and between the answer's messages, is looked through."""
    for part in ("One.", "Two. ▌"):
        for number in range(110):
            await question.fake.post(question.channel, question.fake.user("Ana"), f"{number}", webhook_id="1")
        (last,) = question.left_behind(part)
    assert await question.adapter.reply_handle(question.event).found() is None
    question.channel.messages[last]["content"] = "Two."
    found = await question.adapter.reply_handle(question.event).found()
    assert found is not None
    assert found[0] == "One.\nTwo."


async def test_without_the_right_to_read_the_history_an_answer_is_sent(question: Question) -> None:
    """Where nothing can be looked up the answer isn't held back."""
    question.fake.forbidden.add(question.channel.id)
    reply = question.adapter.reply_handle(question.event)
    assert await reply.found() is None
    question.fake.forbidden.clear()
    await reply.stream(text_snapshots("The answer."))
    assert question.shown == ["The answer."]


@pytest.mark.parametrize("grown", [True, False], ids=["streamed", "at once"])
async def test_a_long_answer_shows_at_every_instant_that_it_isnt_whole(question: Question, grown: bool) -> None:
    """Whatever request a crash follows, an unfinished answer holds a cursor, and a finished one none."""
    words = [f"word{number} " * 40 for number in range(20)]
    whole = "\n\n".join(words).strip()
    states: list[list[str]] = []

    async def growing_text() -> AsyncIterator[str]:
        for count in range(1, len(words)):
            yield "\n\n".join(words[:count])
            await asyncio.sleep(0.03)
        yield whole

    async def watch() -> None:
        while True:
            changed = question.fake.change_of(question.id)
            changed.clear()
            states.append(question.shown)
            await changed.wait()

    watching = asyncio.create_task(watch())
    await question.adapter.reply_handle(question.event).stream(growing_text() if grown else text_snapshots(whole))
    watching.cancel()
    text = "".join("".join(question.shown).split())
    assert text == "".join(whole.split())
    assert len(question.shown) > 2
    assert all(len(part) <= 2000 for state in states for part in state)
    for state in states:
        if state and state != question.shown:
            assert any(grows(part) for part in state), state
    assert not any(grows(part) for part in question.shown)


def test_a_cursor_spoils_no_code_block() -> None:
    """Behind a code block it stands on a line of its own; twice is once."""
    assert growing("text") == f"text {CURSOR}"
    assert growing("```\ncode\n```") == f"```\ncode\n```\n{CURSOR}"
    assert growing(growing("text")) == growing("text")
