"""Two messages that are one thought get one answer: the bot as a child process, at the wire."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.claude import FakeClaude, Reply, Request, last_text
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack
from tests.whole.process import BotProcess
from tests.whole.test_in_progress import (
    GENERAL,
    DiscordSide,
    Side,
    SlackSide,
    bot,
    claude,
    growing,
    grown,
    kept,
    side,
    soon,
)

__all__ = ["bot", "claude", "side"]


def think(request: Request) -> Reply:
    """Say a few words about badgers, and then no more; repeat anything else."""
    text = last_text(request)
    if "badgers" in text and "otters" not in text:
        return Reply("About badgers: " + "one two three four five six seven. " * 3, hang_after=4)
    return Reply(f"You said: {' & '.join(text.split())}")


@pytest.fixture(autouse=True)
def thinking(claude: FakeClaude) -> None:
    """The model falls silent until there is more to say."""
    claude.handler = think


async def more(side: Side, asked: str, text: str) -> str:
    """Ann writes again where she asked."""
    if isinstance(side, DiscordSide) and side._channel.guild is not None:
        asked_again: str = await side._discord.say(side._channel, "ann", text, reply_to=asked)
        return asked_again
    if isinstance(side, SlackSide) and not side._direct:
        return await side._slack.mention(GENERAL, "UANN", text, thread_ts=asked)
    return await side.ask(text)


def answers(side: Side, *asked: str) -> list[str]:
    """What is shown in answer to any of these messages."""
    return list(dict.fromkeys(text for each in asked for text in side.shown(each)))


def both(text: str) -> bool:
    """Whether a text is the answer to both messages."""
    return text.startswith("You said:") and all(word in text for word in ("badgers", "otters"))


async def asked_twice(side: Side) -> tuple[str, str]:
    """Ask, and ask again while the first answer grows."""
    first = await side.ask("Tell me about badgers")
    await growing(side, first)
    return first, await more(side, first, "and otters")


async def once_both(side: Side, first: str, second: str, whole: Callable[[str], bool] = both) -> None:
    """Wait until one message shows the answer to both, and there is no other."""
    await soon(lambda: len(shown := answers(side, first, second)) == 1 and whole(shown[0]))


async def test_one_answer_to_both(tmp_path: Path, claude: FakeClaude, side: Side, bot: BotProcess) -> None:
    """The growing answer begins again in place; each message is kept and learned from, and the answer once."""
    first, second = await asked_twice(side)
    await once_both(side, first, second)
    await soon(lambda: len(kept(tmp_path, "SELECT text FROM turns")) == 3)
    texts = [text for (text,) in kept(tmp_path, "SELECT text FROM turns ORDER BY id")]
    assert texts[:2] == ["Tell me about badgers", "and otters"]
    assert both(texts[2])
    assert kept(tmp_path, "SELECT event_id FROM inbox") == []
    await soon(lambda: claude.open == 0)
    assert len(claude.chats) == 2
    await soon(lambda: any("otters" in last_text(request) for request in claude.extractions))
    told = "\n".join(last_text(request) for request in claude.extractions)
    assert told.count("You said:") == 1
    assert "user: Tell me about badgers" in told
    assert len(answers(side, first, second)) == 1


async def test_two_mentions_at_once(tmp_path: Path, claude: FakeClaude) -> None:
    """At the top of a Discord channel each is a conversation of its own; within five seconds they are one thought."""
    async with FakeDiscord() as discord:
        side = DiscordSide(discord, direct=False)
        keys = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **side.env}
        async with BotProcess(tmp_path, keys) as process:
            await process.said("discord: listening")
            first, second = await side.ask("Tell me about badgers"), await side.ask("and otters")
            await once_both(side, first, second)
            await soon(lambda: len(kept(tmp_path, "SELECT text FROM turns")) == 3)
            assert answers(side, second) == []


async def test_what_was_whole_stays(tmp_path: Path, claude: FakeClaude, side: Side, bot: BotProcess) -> None:
    """A message after a whole answer gets one of its own."""
    first = await side.ask("Tell me about otters")
    await grown(side, first, lambda text: text.startswith("You said:"))
    await soon(lambda: len(kept(tmp_path, "SELECT text FROM turns")) == 2)
    second = await more(side, first, "and voles")
    await soon(lambda: any("voles" in text for text in answers(side, first, second)))
    await soon(lambda: len(kept(tmp_path, "SELECT text FROM turns")) == 4)
    assert len(answers(side, first, second)) == 2


async def test_deleting_one_leaves_the_other(tmp_path: Path, claude: FakeClaude, side: Side, bot: BotProcess) -> None:
    """The answer to both goes; what is left is answered, and nothing is kept of what was deleted."""
    claude.handler = lambda request: (
        Reply("one two " * 20, hang_after=4)
        if "badgers" in last_text(request)
        else Reply(f"You said: {last_text(request)}")
    )
    first = await side.ask("Tell me about badgers")
    await growing(side, first)
    second = await more(side, first, "and otters")
    await soon(lambda: len(claude.chats) == 2)
    await side.delete(first)
    await soon(lambda: any(text.endswith("and otters") for text in answers(side, first, second)))
    await soon(lambda: len(kept(tmp_path, "SELECT text FROM turns")) == 2)
    assert not any("one two" in text for text in answers(side, first, second))
    for table in ("turns", "exchanges"):
        assert not any("badgers" in text for (text,) in kept(tmp_path, f"SELECT text FROM {table}"))


async def test_a_killed_process_answers_both_once(tmp_path: Path, claude: FakeClaude, side: Side) -> None:
    """The next process finishes what is shown, to both."""
    claude.handler = lambda request: Reply("one two " * 20, hang_after=4)
    keys = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **side.env}
    process = BotProcess(tmp_path, keys)
    await process.start()
    await process.said(f"{side.name}: listening")
    first = await side.ask("Tell me about badgers")
    await growing(side, first)
    second = await more(side, first, "and otters")
    await soon(lambda: len(claude.chats) == 2)
    await process.end(signal.SIGKILL)
    claude.handler = think
    async with BotProcess(tmp_path, keys) as process:
        await once_both(side, first, second)
        await soon(lambda: len(kept(tmp_path, "SELECT text FROM turns")) == 3)
        assert kept(tmp_path, "SELECT event_id FROM inbox") == []


async def test_two_processes_give_one_answer(tmp_path: Path, claude: FakeClaude, postgres_url: str) -> None:
    """On PostgreSQL, whichever of two the second message reaches, the one that answers the first answers both."""

    async with FakeSlack() as slack:
        side = SlackSide(slack, direct=True)
        keys = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **side.env}
        keys |= {"DATABASE_URL": postgres_url}
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
        async with BotProcess(tmp_path / "a", keys) as one, BotProcess(tmp_path / "b", keys) as two:
            for process in (one, two):
                await process.said("slack: listening")
            first, second = await asked_twice(side)
            await once_both(side, first, second)
