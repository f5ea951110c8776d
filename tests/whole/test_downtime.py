"""Told, learned, and changed on the platform while the bot is down: at the next start forgotten, or learned anew."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import claude as fake_claude
from tests.fakes.claude import FakeClaude, briefing
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack
from tests.makers import until
from tests.whole.process import BotProcess

TOLD = "I prefer all temperatures in Celsius, never Fahrenheit."
EDITED = "I prefer all temperatures in Kelvin, whatever they say."
KEPT = "I grow tomatoes on the balcony."


def answers(request: fake_claude.Request) -> str:
    """A model that repeats nothing of what it is told."""
    return fake_claude.default(request) if fake_claude.is_extraction(request) else "Noted."


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    """A Messages API on loopback."""
    async with FakeClaude(answers) as server:
        yield server


def holding(folder: Path, words: str) -> list[str]:
    """The files of the data folder that hold these words."""
    files = (file for file in (folder / "data").iterdir() if file.is_file())
    return [file.name for file in files if words.encode() in file.read_bytes()]


def seen(request: fake_claude.Request) -> str:
    """All that a request shows the model."""
    return briefing(request) + str(request["messages"])


async def learned(claude: FakeClaude, folder: Path, *texts: str) -> None:
    """Wait until these texts are learned, and none waits to be any more."""
    await until(lambda: all(any(text in seen(request) for request in claude.extractions) for text in texts), 30)
    await until(lambda: all(holding(folder, text) for text in texts), 10)
    await asyncio.sleep(1)


async def answered(discord: FakeDiscord, text: str) -> str:
    """Ann writes to the bot, and gets an answer to that alone."""
    message = await discord.dm("ann", text)
    await discord.answer_to(message, within=30)
    return message


async def test_discord(tmp_path: Path, claude: FakeClaude) -> None:
    """In a direct message: one is deleted, one edited, one left as it is."""
    async with FakeDiscord() as discord:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url}
        env |= {"DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        dm = discord.dm_with("ann")
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            told = [await answered(discord, text) for text in (TOLD, "I was born in Porto.", KEPT)]
            await learned(claude, tmp_path, TOLD, "I was born in Porto.", KEPT)
        await discord.delete(dm, told[0])
        await discord.edit(dm, told[1], EDITED)
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("were deleted while offline")
            await until(lambda: not holding(tmp_path, TOLD), 20)
            await learned(claude, tmp_path, EDITED)
            await until(lambda: not holding(tmp_path, "I was born in Porto."), 20)
            asked = await discord.dm("ann", "What do you know of my temperatures, my birth and my balcony?")
            await discord.answer_to(asked, within=30)
    shown = seen(claude.chats[-1])
    assert TOLD not in shown
    assert "Porto" not in shown
    assert EDITED in shown
    assert KEPT in shown


async def test_slack(tmp_path: Path, claude: FakeClaude) -> None:
    """In a channel's thread and in a direct message."""
    async with FakeSlack() as slack:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **slack.environment()}
        channel, dm = slack.add_channel("CGENERAL", "general"), slack.dm_channel("UANN")
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("slack: listening")
            told = await slack.mention(channel, "UANN", TOLD)
            await slack.answer(channel, told)
            born = await slack.dm("UANN", "I was born in Porto.")
            await slack.answer(dm)
            kept = await slack.dm("UANN", KEPT)
            await slack.answer(dm, after=kept)
            await learned(claude, tmp_path, TOLD, "I was born in Porto.", KEPT)
        await slack.delete(channel, told, heard=False)
        await slack.edit(dm, born, heard=False, text=EDITED)
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("were deleted while offline")
            await until(lambda: not holding(tmp_path, TOLD), 20)
            await learned(claude, tmp_path, EDITED)
            await until(lambda: not holding(tmp_path, "I was born in Porto."), 20)
            asked = await slack.dm("UANN", "What do you know of my temperatures, my birth and my balcony?")
            await slack.answer(dm, after=asked)
    shown = seen(claude.chats[-1])
    assert TOLD not in shown
    assert "Porto" not in shown
    assert EDITED in shown
    assert KEPT in shown


async def test_two_processes_on_postgresql(tmp_path: Path, claude: FakeClaude, postgres_url: str) -> None:
    """Started at once after a downtime: each message is answered once, and what changed is followed once."""
    async with FakeDiscord() as discord:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, "DATABASE_URL": postgres_url}
        env |= {"DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        dm = discord.dm_with("ann")
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            told = [await answered(discord, text) for text in (TOLD, "I was born in Porto.", KEPT)]
            await until(lambda: "balcony" in str([seen(request) for request in claude.extractions]), 30)
            await asyncio.sleep(1)
        await discord.delete(dm, told[0])
        await discord.edit(dm, told[1], EDITED)
        missed = [await discord.dm("ann", f"Are you there? ({number})") for number in range(5)]
        async with BotProcess(tmp_path, env) as one, BotProcess(tmp_path, env) as two:
            await asyncio.gather(one.said("memory is ready"), two.said("memory is ready"))
            # One answer is to all that came before it was whole.
            await until(lambda: all(f"({number})" in str(claude.chats) for number in range(5)), 30)
            await discord.answer_to(missed[0], within=30)
            await until(lambda: any(EDITED in seen(request) for request in claude.extractions), 30)
            await asyncio.sleep(2)
        answers_to = [len(discord.answers(message)) for message in missed]
        assert answers_to[0] == 1
        assert max(answers_to) == 1
        export = BotProcess(tmp_path, env, ("export", f"discord:{discord.user('ann').id}"))
        await export.start()
        assert await export.wait() == 0
    kept = "\n".join(export.out)
    assert [sum(text in memory["text"] for memory in json.loads(kept)["memories"]) for text in (EDITED, KEPT)] == [1, 1]
    assert TOLD not in kept
    assert "Porto" not in kept
