"""Answers on Discord: how they appear, grow, split, and outlive trouble."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from adapters.discord.messages import Pace
from adapters.discord.reply import Reply
from bot.events import MessageEvent
from bot.ports import ClaimLost
from tests.adapters.core import StubCore
from tests.adapters.discord.support import QUICK, running
from tests.fakes.discord import FakeDiscord, until


def posts(fake: FakeDiscord, method: str = "POST") -> list[dict[str, object]]:
    """The bodies of the bot's requests to channels' messages."""
    return [body for used, path, body in fake.requests if used == method and "/messages" in path]


async def test_a_quick_answer_is_one_request(fake: FakeDiscord) -> None:
    """An answer that is whole within a second is sent once, never edited."""
    async with running(fake, StubCore(), Pace()):
        await fake.answer_to(await fake.dm("Ana", "hi"))
        assert (len(posts(fake)), posts(fake, "PATCH")) == (1, [])


async def test_a_slow_answer_grows_by_edits(fake: FakeDiscord) -> None:
    """The first words show before the answer is whole, and the rest comes into the same message."""
    go_on = asyncio.Event()

    async def slow(event: MessageEvent) -> AsyncIterator[str]:
        yield "First"
        await go_on.wait()
        yield "First and last"

    async with running(fake, StubCore(slow)):
        message = await fake.dm("Ana", "hi")
        assert (await fake.first_answer(message))["content"] == "First ▌"
        go_on.set()
        assert await fake.answer_to(message, contains="last") == "First and last"
        assert len(fake.answers(message)) == 1


async def test_an_answer_may_end_amid_a_step(fake: FakeDiscord) -> None:
    """An answer that is whole while its first words are still being sent is brought up to date behind them, once."""
    fake.slow_messages = 0.5

    async def quick(event: MessageEvent) -> AsyncIterator[str]:
        yield "First"
        await until(lambda: posts(fake), "the first words under way")
        yield "First and last"

    core = StubCore(quick)
    async with running(fake, core):
        message = await fake.dm("Ana", "hi")
        assert await fake.answer_to(message, contains="last") == "First and last"
        await until(lambda: core.sent, "the end", 2)


async def test_edits_are_paced(fake: FakeDiscord) -> None:
    """A hundred snapshots in a moment are no hundred edits."""

    async def chatty(event: MessageEvent) -> AsyncIterator[str]:
        for count in range(100):
            yield "word " * (count + 1)
            await asyncio.sleep(0.005)

    async with running(fake, StubCore(chatty)):
        message = await fake.dm("Ana", "hi")
        text = await fake.answer_to(message, contains=("word " * 100).strip())
        assert text.count("word") == 100
        assert len(posts(fake, "PATCH")) < 20


async def test_a_later_snapshot_may_take_back(fake: FakeDiscord) -> None:
    """Where a shorter text replaces a long one, messages too many are deleted."""
    shown = asyncio.Event()

    async def regretful(event: MessageEvent) -> AsyncIterator[str]:
        yield "word " * 900
        await shown.wait()
        yield "Sorry, something else."

    core = StubCore(regretful)
    async with running(fake, core):
        message = await fake.dm("Ana", "hi")
        await until(lambda: len(fake.answers(message)) == 3, "three messages")
        shown.set()
        assert await fake.answer_to(message, contains="Sorry") == "Sorry, something else."
        assert core.sent == [(f"discord:{fake.answers(message)[0]['id']}",)]


async def test_a_long_answer_is_split_with_its_code_whole(fake: FakeDiscord) -> None:
    """Each message has at most 2,000 characters, and a code block goes on in the next in its language."""
    code = "\n".join(f"value_{number} = {number}" for number in range(400))

    async def long(event: MessageEvent) -> AsyncIterator[str]:
        yield f"Here:\n```python\n{code}\n```\nThat's all."

    core = StubCore(long)
    async with running(fake, core):
        message = await fake.dm("Ana", "hi")
        await fake.answer_to(message, contains="That's all.")
        parts = [str(answer["content"]) for answer in fake.answers(message)]
    assert len(parts) > 2
    assert all(len(part) <= 2000 and part.count("```") == 2 for part in parts)
    assert all("```python\n" in part for part in parts)
    assert len(core.sent[0]) == len(parts)


async def test_no_request_pings_anybody(fake: FakeDiscord) -> None:
    """Whatever an answer says, no payload allows a mention, and replies don't ping."""

    async def loud(event: MessageEvent) -> AsyncIterator[str]:
        yield "@everyone <@&1> <@2>"
        await asyncio.sleep(0.3)
        yield "@everyone <@&1> <@2> @here"

    async with running(fake, StubCore(loud)):
        await fake.answer_to(await fake.dm("Ana", "hi"), contains="@here")
        bodies = posts(fake) + posts(fake, "PATCH")
    assert len(bodies) > 1
    for body in bodies:
        allowed = body["allowed_mentions"]
        assert isinstance(allowed, dict)
        assert (allowed["parse"], allowed.get("replied_user", False)) == ([], False)


async def test_typing_shows_beside_the_answer(fake: FakeDiscord) -> None:
    """The person sees typing, and a slow typing request delays no answer."""
    fake.slow_typing = 60
    async with running(fake, StubCore()):
        message = await fake.dm("Ana", "hi")
        await fake.answer_to(message)
        assert fake.typing in ([], [fake.dm_with("Ana").id])

    thinking = asyncio.Event()
    fake.slow_typing = 0

    async def thoughtful(event: MessageEvent) -> AsyncIterator[str]:
        await thinking.wait()
        yield "Well."

    async with running(fake, StubCore(thoughtful)):
        message = await fake.dm("Ben", "hi")
        await until(lambda: fake.dm_with("Ben").id in fake.typing, "typing")
        thinking.set()
        await fake.answer_to(message)


async def test_signs_and_first_words_come_before_the_last(fake: FakeDiscord) -> None:
    """In a thread too, typing shows before Claude's first word, and the first words before its last.

    Code that isn't closed yet is closed for the time being.
    """
    guild = fake.add_guild()
    thread = fake.add_channel(guild, "about code", parent=fake.add_channel(guild, "general"))
    thinking, whole = asyncio.Event(), asyncio.Event()

    async def slow(event: MessageEvent) -> AsyncIterator[str]:
        await thinking.wait()
        yield "```py\nx = 1\ny"
        await whole.wait()
        yield "```py\nx = 1\ny = 2\n```"

    async with running(fake, StubCore(slow), Pace()):
        message = await fake.say(thread, "Ana", "hi")
        await until(lambda: thread.id in fake.typing, "typing")
        thinking.set()
        first = await fake.first_answer(message)
        assert first["content"] == "```py\nx = 1\ny\n```\n▌"
        whole.set()
        assert await fake.answer_to(message, contains="2") == "```py\nx = 1\ny = 2\n```"


async def test_sending_twice_is_answering_once(fake: FakeDiscord) -> None:
    """A message handled again by another process gets no second answer, and the first is brought up to date."""

    async def elaborate(event: MessageEvent) -> AsyncIterator[str]:
        yield "The better answer."

    async with running(fake, StubCore()), running(fake, StubCore(elaborate)):
        message = await fake.dm("Ana", "hi")
        await fake.answer_to(message)
        await until(lambda: len([p for p in posts(fake) if p.get("nonce")]) == 2, "both processes answer")
        assert len(fake.answers(message)) == 1
        nonces = {str(body["nonce"]) for body in posts(fake)}
        assert len(nonces) == 1
        assert len(nonces.pop()) <= 25


@pytest.mark.parametrize("failures", [[429], [503, 503], [500]], ids=["rate limit", "unavailable", "error"])
async def test_passing_trouble_delays_an_answer(fake: FakeDiscord, failures: list[int]) -> None:
    """Rate limits and failing servers are waited out: the answer comes, once."""
    fake.rest_failures = list(failures)
    async with running(fake, StubCore()):
        message = await fake.dm("Ana", "hi")
        assert await fake.answer_to(message) == "You said: hi"
        assert len(fake.answers(message)) == 1


async def test_trouble_that_stays_is_an_error(fake: FakeDiscord) -> None:
    """Where Discord fails for good the core is told by a ConnectionError."""
    fake.rest_failures = [503] * 50
    core = StubCore()
    async with running(fake, core):
        await fake.dm("Ana", "hi")
        await until(lambda: core.failures, "the failure")


async def test_a_whisper_is_a_reply(fake: FakeDiscord) -> None:
    """One sentence to a person, cut to a message's length, without a ping."""
    core = StubCore()
    async with running(fake, core) as adapter:
        channel = fake.dm_with("Ana")
        message = await fake.post(channel, fake.bot, "x")
        reply = Reply(adapter.online, int(channel.id), int(message), QUICK, partial(core.confirm, message))
        await reply.whisper("Please wait. " * 300)
        assert len(await fake.answer_to(message)) <= 2000


async def test_nothing_more_of_what_another_process_answers(fake: FakeDiscord) -> None:
    """An answer that another process has taken over is edited no more, and its end is not shown."""
    go_on = asyncio.Event()

    async def slow(event: MessageEvent) -> AsyncIterator[str]:
        yield "So far"
        await go_on.wait()
        yield "So far, so good."

    core = StubCore(slow)
    async with running(fake, core):
        message = await fake.dm("Ana", "hi")
        await until(lambda: fake.answers(message), "the begin of the answer")
        core.taken.add(core.events[0].id)
        requests = len(fake.requests)
        go_on.set()
        await until(lambda: core.failures, "the end of the try")
        assert isinstance(core.failures[0], ClaimLost)
        assert [(method, path) for method, path, _ in fake.requests[requests:] if method != "GET"] == []


async def test_markdown_is_what_discord_shows(fake: FakeDiscord) -> None:
    """Bold is not underlined, a table is aligned text, and what has grown by edits is what is sent at once."""
    written = "__Ages__\n\n| Name | Age |\n|:--|--:|\n| Ann | 5 |\n\n---\nDone, <@1>."
    shown = f"**Ages**\n\n```\nName │ Age\n─────┼────\nAnn  │   5\n```\n\n{'─' * 12}\nDone, \\<@1>."

    async def growing(event: MessageEvent) -> AsyncIterator[str]:
        for end in range(1, len(written), 5):
            yield written[:end]
            await asyncio.sleep(0.01)
        yield written

    async with running(fake, StubCore(growing)):
        assert await fake.answer_to(await fake.dm("Ana", "ages?"), contains="Done, \\<@1>.") == shown


async def test_a_table_grows_by_whole_rows(fake: FakeDiscord) -> None:
    """A table that grows is aligned text with whole rows; no bars are shown before it is a table."""
    written = "Ages:\n\n| Name | Age |\n|:--|--:|\n| Ann | 5 |\n| 猫 | 10 |\n\nDone."
    rows = {"Name │ Age", "─────┼────", "Ann  │   5", "猫   │  10"}

    async def growing(event: MessageEvent) -> AsyncIterator[str]:
        for end in range(1, len(written), 3):
            yield written[:end]
            await asyncio.sleep(0.05)
        yield written

    async with running(fake, StubCore(growing)):
        await fake.answer_to(await fake.dm("Ana", "ages?"), contains="Done.")
    shown = [str(body["content"]) for method in ("POST", "PATCH") for body in posts(fake, method) if "content" in body]
    assert len(shown) > 2
    assert not any("|" in text for text in shown)
    assert {line for text in shown for line in text.split("\n") if "│" in line or "─" in line} <= rows


async def test_parts_before_the_last_are_not_edited_again(fake: FakeDiscord) -> None:
    """While a long answer with lists, code and tables grows, a message that is full stays as it is."""
    block = "## Part\n\n- one\n    - two\n\n```py\nx = 1\n```\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\n"
    written = block * 60

    async def growing(event: MessageEvent) -> AsyncIterator[str]:
        for end in range(500, len(written), 500):
            yield written[:end]
            await asyncio.sleep(0.03)
        yield written

    async with running(fake, StubCore(growing)):
        message = await fake.dm("Ana", "go on")
        await until(lambda: len(fake.answers(message)) == 3 and "▌" not in str(fake.answers(message)), "the whole")
    first = [body["content"] for body in posts(fake, "PATCH")]
    full = fake.answers(message)[0]["content"]
    assert first.count(full) <= 1
    assert all(str(body).count("```") % 2 == 0 for body in first)
