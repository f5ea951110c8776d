"""Told on Monday, restarted, used on Tuesday: the bot as a child process, on each of its platforms."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.asides import INTRODUCTION
from tests.fakes import claude as fake_claude
from tests.fakes.claude import FakeClaude, briefing, turns_of
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack
from tests.makers import until
from tests.whole.process import BotProcess

TOLD = "I prefer all temperatures in Celsius, never Fahrenheit."
ASKED = "What's a comfortable room temperature?"


def answers(request: fake_claude.Request) -> str:
    """A model that knows what it is told: it answers in Celsius where the system prompt says so."""
    if fake_claude.is_extraction(request):
        return fake_claude.default(request)
    said = fake_claude.last_text(request)
    if "room temperature" in said:
        return "About 21 °C." if "Celsius" in briefing(request) else "About 70 °F."
    return f"Noted: {said}"


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    """A Messages API on loopback."""
    async with FakeClaude(answers) as server:
        yield server


def settings(claude: FakeClaude) -> dict[str, str]:
    """What every run has in common."""
    return {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url}


async def test_discord_remembers(tmp_path: Path, claude: FakeClaude) -> None:
    """A preference told in a DM is used in a DM after a restart, and its memory stands in the request."""
    async with FakeDiscord() as discord:
        env = {**settings(claude), "DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            told = await discord.dm("ann", TOLD)
            assert await discord.answer_to(told, within=30) == f"Noted: {TOLD}"
            await until(lambda: bool(claude.extractions), 20)
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            asked = await discord.dm("ann", ASKED)
            assert await discord.answer_to(asked, within=30) == "About 21 °C."
            stranger = await discord.dm("bob", ASKED)
            assert await discord.answer_to(stranger, within=30) == "About 70 °F."
    assert TOLD in briefing(claude.chats[1])


async def test_slack_remembers(tmp_path: Path, claude: FakeClaude) -> None:
    """A preference told in a public channel is used in a thread there and in a DM after a restart, one answer each."""
    async with FakeSlack() as slack:
        env = {**settings(claude), **slack.environment()}
        channel = slack.add_channel("CGENERAL", "general")
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("slack: listening")
            told = await slack.mention(channel, "UANN", TOLD)
            assert await slack.answer(channel, told) == f"Noted: {TOLD}"
            await until(lambda: bool(claude.extractions), 20)
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("slack: listening")
            asked = await slack.mention(channel, "UANN", ASKED)
            assert await slack.answer(channel, asked) == "About 21 °C."
            await slack.dm("UANN", ASKED)
            assert await slack.answer(slack.dm_channel("UANN")) == "About 21 °C."
        assert len(slack.answers(channel, told)) == 1
        assert len(slack.answers(channel, asked)) == 1


async def test_the_terminal_remembers(tmp_path: Path, claude: FakeClaude) -> None:
    """A preference told in one terminal chat is used in the next; another name knows nothing of it."""
    seen = []
    for name, line in (("ann", TOLD), ("ann", ASKED), ("bob", ASKED)):
        bot = BotProcess(tmp_path, settings(claude), ("chat", "--as", name))
        await bot.start()
        assert await bot.talk(f"{line}\nquit\n") == 0
        seen.append(bot.out)
        assert bot.log == []
    assert seen[0] == ["(recalled 0 memories)", f"Noted: {TOLD}", "", INTRODUCTION, "(memory updated: 1 new fact)"]
    assert seen[1][:2] == ["(recalled 1 memory)", "About 21 °C."]
    assert seen[2][:2] == ["(recalled 0 memories)", "About 70 °F."]


async def test_the_notebook_remembers(tmp_path: Path) -> None:
    """Without a key the terminal keeps what it is told, says so in one line, and reads it back after a restart."""
    for line, shown in ((TOLD, "Noted."), ("What do I prefer?", f"- {TOLD}")):
        bot = BotProcess(tmp_path, {}, ("chat", "--as", "ann"))
        await bot.start()
        assert await bot.talk(f"{line}\n") == 0
        assert bot.out[0].startswith("Notebook mode: no ANTHROPIC_API_KEY")
        assert any(said.startswith(shown) for said in bot.out)
        assert bot.log == []


async def test_a_private_fact_stays_private(tmp_path: Path, claude: FakeClaude) -> None:
    """What was told in a DM reaches no channel's prompt, neither the answer's nor the extraction's."""
    async with FakeSlack() as slack:
        channel = slack.add_channel("CGENERAL", "general")
        async with BotProcess(tmp_path, {**settings(claude), **slack.environment()}) as bot:
            await bot.said("slack: listening")
            await slack.dm("UANN", "My salary is 4,711 euros.")
            await until(lambda: bool(claude.extractions), 30)
            await bot.said("memory is ready")
            thread = await slack.mention(channel, "UANN", "What is my salary?")
            await slack.answer(channel, thread)
            await until(lambda: len(claude.extractions) == 2, 30)
            await slack.dm("UANN", "And what is my salary?")
            await until(lambda: len(claude.chats) == 3, 30)
    assert "4,711" not in str(claude.chats[1])
    assert "4,711" not in str(claude.extractions[1])
    assert "4,711" in briefing(claude.chats[2])


async def test_double_it(tmp_path: Path, claude: FakeClaude) -> None:
    """The conversation's recent turns go before the message, across a restart."""
    async with FakeDiscord() as discord:
        env = {**settings(claude), "DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        for text in ("What is 21 + 21?", "Double it."):
            async with BotProcess(tmp_path, env) as bot:
                await bot.said("discord: listening")
                message = await discord.dm("ann", text)
                await discord.answer_to(message, within=30)
    assert turns_of(claude.chats[1]) == [
        ("user", "What is 21 + 21?"),
        ("assistant", "Noted: What is 21 + 21?"),
        ("user", "Double it."),
    ]


async def test_sigterm_finishes_what_is_in_flight(tmp_path: Path) -> None:
    """After SIGTERM the answer under way still arrives, nothing new is taken in, and the exit code is 0."""
    async with FakeClaude(answers, chat_delay=2) as claude, FakeDiscord() as discord:
        env = {**settings(claude), "DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("memory is ready")
            message = await discord.dm("ann", "hello")
            await claude.busy(1)
            ending = asyncio.create_task(bot.end())
            assert await discord.answer_to(message, within=20) == "Noted: hello"
            assert await ending == 0
        again = await discord.dm("ann", "too late")
        assert discord.answers(again) == []
        async with BotProcess(tmp_path, env):
            await until(lambda: bool(claude.extractions), 30)
    assert "hello" in str(claude.extractions[0]["messages"]), "what was said before the stop is learned after it"


async def test_the_first_minute(tmp_path: Path) -> None:
    """A newcomer without a key tells one thing and asks at once what is known: it is; asking for help is no fact."""
    async with BotProcess(tmp_path, {}, ["chat", "--as", "ann"]) as bot:
        assert await bot.talk("help\n?\nI live in Lisbon\nwhat do you know about me?\nmemories\n") == 0
    assert any(line.startswith("- I live in Lisbon (") for line in bot.out), bot.out
    assert "I remember 1 thing about you, newest first:" in bot.out
