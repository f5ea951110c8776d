"""Nobody is remembered unawares: what people are told of it, on each platform, with the bot as a child process."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.chat.notebook import UNNOTED
from bot.core.asides import INTRODUCTION, REMEMBERED, off_record, without
from tests.fakes import claude as fake_claude
from tests.fakes.claude import FakeClaude, Reply
from tests.fakes.claude_tools import Calling, answers_tools
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack
from tests.makers import until
from tests.whole.process import BotProcess


def answers(request: fake_claude.Request) -> str | Reply:
    """A model that repeats what it is told."""
    if fake_claude.is_extraction(request):
        return fake_claude.default(request)
    said = fake_claude.last_text(request)
    if "unter uns" in said and not answers_tools(request["messages"][-1]):
        return Reply(calls=(Calling("keep_off_record", {"what": "message"}),))
    return f"You said {said.rpartition(' ')[2]}"


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    """A Messages API on loopback."""
    async with FakeClaude(answers) as server:
        yield server


def settings(claude: FakeClaude) -> dict[str, str]:
    """What every run has in common."""
    return {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url}


def learned(claude: FakeClaude) -> list[str]:
    """What extractions were given as said, and as answered."""
    told = [fake_claude.new_messages(fake_claude.last_text(request)) for request in claude.extractions]
    return [text for lesson in told for _, said, answer in lesson for text in (said, answer)]


async def test_discord_tells_it_under_the_first_answer(tmp_path: Path, claude: FakeClaude) -> None:
    """In a DM, and once more in a server; not after a restart, and again after everything was forgotten."""
    async with FakeDiscord() as discord:
        env = {**settings(claude), "DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        general = discord.add_channel(discord.add_guild(), "general")

        async def told(message: str) -> bool:
            await discord.answer_to(message, within=30)
            shown = "\n".join(str(answer["content"]) for answer in discord.answers(message))
            return without(shown)[1]

        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            assert await told(await discord.dm("ann", "I like tea"))
            assert not await told(await discord.dm("ann", "and cocoa"))
            assert await told(await discord.say(general, "ann", "hello all"))
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            assert not await told(await discord.say(general, "ann", "hello again"))
            asked = await discord.slash("ann", "forget")
            await until(lambda: "Forget everything" in asked.buttons, 30)
            done = await discord.press("ann", asked.buttons["Forget everything"], asked)
            await until(lambda: "Everything is forgotten" in done.content, 30)
            assert await told(await discord.dm("ann", "who am I?"))
    assert not any("for you alone" in text for text in learned(claude))
    assert "for you alone" not in str([request["messages"] for request in claude.chats])


async def test_slack_tells_it_under_the_first_answer(tmp_path: Path, claude: FakeClaude) -> None:
    """And in the App Home; once over DMs and channels of one workspace, since memory is the same there."""
    async with FakeSlack() as slack:
        env = {**settings(claude), **slack.environment()}
        channel = slack.add_channel("CGENERAL", "general")
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("slack: listening")
            await slack.open_home("UANN")
            assert REMEMBERED in str(await slack.home("UANN"))
            thread = await slack.mention(channel, "UANN", "I like tea")
            assert await slack.answer(channel, thread) == "You said tea"
            (answer,) = slack.answers(channel, thread)
            assert answer["text"].endswith(INTRODUCTION)
            sent = await slack.dm("UANN", "and cocoa")
            assert await slack.answer(slack.dm_channel("UANN"), after=sent) == "You said cocoa"
            assert [message["text"] for message in slack.answers(slack.dm_channel("UANN"))] == ["You said cocoa"]


async def test_the_terminal_tells_it_under_the_first_answer(tmp_path: Path, claude: FakeClaude) -> None:
    """Whoever talks there, and once; not where memory is off."""
    for name, env, told in (
        ("ann", {"BOT_MEMORY": "false"}, False),
        ("ann", {}, True),
        ("ann", {}, False),
        ("bob", {}, True),
    ):
        bot = BotProcess(tmp_path, {**settings(claude), **env}, ("chat", "--as", name))
        await bot.start()
        assert await bot.talk("I like tea\nquit\n") == 0
        assert (INTRODUCTION in bot.out) == told


SECRET = "I am looking for a zebrafinch"


async def test_discord_keeps_off_the_record(tmp_path: Path, claude: FakeClaude) -> None:
    """By a message's first words, by `/private` and by Claude's tool; nothing of it is learned, across a restart."""
    async with FakeDiscord() as discord:
        env = {**settings(claude), "DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            first = await discord.dm("ann", f"Off the record: {SECRET}")
            assert off_record(24) in await discord.answer_to(first, within=30)
            understood = await discord.dm("ann", f"Das bleibt unter uns: {SECRET}")
            assert off_record(24) in await discord.answer_to(understood, contains="Off the record", within=30)
            await discord.edit(discord.dm_with("ann"), understood, f"Trotzdem: {SECRET}")
            asked = await discord.slash("ann", "private")
            assert "Off the record" in await asked.answer(30)
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            await discord.answer_to(await discord.dm("ann", SECRET), within=30)
            listed = await discord.slash("ann", "memories")
            assert "Off the record" in await listed.answer(30)
            ended = await discord.slash("ann", "private", {"state": "off"})
            assert "On the record" in await ended.answer(30)
            await discord.answer_to(await discord.dm("ann", "I like tea"), within=30)
            await until(lambda: "I like tea" in learned(claude), 30)
    assert "zebrafinch" not in str(claude.extractions)
    # It was said in this conversation, and is part of it.
    assert "zebrafinch" in str(claude.chats[-1]["messages"])


async def test_slack_keeps_off_the_record(tmp_path: Path, claude: FakeClaude) -> None:
    """A channel with its threads, for one person; a thread by a word said there; nobody else's."""
    async with FakeSlack() as slack:
        channel = slack.add_channel("CGENERAL", "general")
        async with BotProcess(tmp_path, {**settings(claude), **slack.environment()}) as bot:
            await bot.said("slack: listening")
            shown = await slack.command("UANN", "private", "", channel)
            assert "Off the record: I learn nothing from what you tell me in this channel" in str(shown["blocks"])
            thread = await slack.mention(channel, "UANN", SECRET)
            await slack.answer(channel, thread)
            other = await slack.mention(channel, "UBEN", "I like cocoa")
            await slack.answer(channel, other)
            again = await slack.press("UANN", shown, "Learn again", channel)
            assert "On the record" in str(again["blocks"])
            third = await slack.mention(channel, "UANN", "I like tea")
            await slack.answer(channel, third)
            await until(lambda: {"I like tea", "I like cocoa"} <= set(learned(claude)), 30)
    assert "zebrafinch" not in str(claude.extractions)


@pytest.mark.parametrize("key", [True, False])
async def test_the_terminal_keeps_off_the_record(tmp_path: Path, claude: FakeClaude, key: bool) -> None:
    """In notebook mode as well, which claims to have noted nothing of it."""
    env = settings(claude) if key else {}
    lines = [f"Off the record: {SECRET}", "/private", SECRET, "private off", "I like tea."]
    bot = BotProcess(tmp_path, env, ("chat", "--as", "ann"))
    await bot.start()
    assert await bot.talk("\n".join([*lines, "quit", ""])) == 0
    assert off_record(24) in bot.out
    assert (UNNOTED in bot.out) is not key
    bot = BotProcess(tmp_path, env, ("export", "terminal:ann"))
    await bot.start()
    assert await bot.wait(60) == 0
    memories = json.loads("\n".join(bot.out))["memories"]
    assert [memory["text"] for memory in memories] == ["I like tea."]


async def test_a_crash_after_the_answer_tells_it_once(tmp_path: Path, claude: FakeClaude) -> None:
    """What an earlier process showed and couldn't write down counts as told."""
    async with FakeDiscord() as discord:
        env = {**settings(claude), "DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            first = await discord.dm("ann", "I like tea")
            await discord.first_answer(first, 30)
            bot.process.kill()
            await bot.process.wait()
            bot.log.clear()
            await bot.start()
            await bot.said("discord: listening")
            assert await discord.answer_to(first, contains="You said", within=60) == "You said tea"
            second = await discord.dm("ann", "and cocoa")
            await discord.answer_to(second, within=30)
            await until(lambda: bool(claude.extractions), 30)
            shown = [str(message["content"]) for each in (first, second) for message in discord.answers(each)]
    assert [without(text)[1] for text in shown] == [True, False]
    assert set(learned(claude)) <= {"I like tea", "You said tea", "and cocoa", "You said cocoa"}
