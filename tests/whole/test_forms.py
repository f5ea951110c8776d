"""Messages in forms other than plain text, through the whole bot: answered once, and nobody else's words are kept."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.common.unread import HELLO
from tests.fakes import claude as fake_claude
from tests.fakes.claude import FakeClaude, system_text
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack
from tests.makers import until
from tests.whole.process import BotProcess

FORWARDED = "My locker code is quince seventeen."


def answers(request: fake_claude.Request) -> str:
    """A model that repeats what it is told, to the person and to nobody else."""
    return (
        fake_claude.default(request)
        if fake_claude.is_extraction(request)
        else f"Noted: {fake_claude.last_text(request)[-300:]}"
    )


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    """A Messages API on loopback."""
    async with FakeClaude(answers) as server:
        yield server


async def test_discord(tmp_path: Path, claude: FakeClaude) -> None:
    """A forwarded text reaches the model as such and lies nowhere afterwards; a bare mention costs no request."""
    async with FakeDiscord() as discord:
        general = discord.add_channel(discord.add_guild(), "general")
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, "BOT_TURNS": "0"}
        env |= {"DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            bare = await discord.say(general, "ann", "")
            assert await discord.answer_to(bare, within=30) == HELLO
            assert claude.requests == []
            forwarded = await discord.forward("ann", FORWARDED)
            await discord.answer_to(forwarded, contains="quince", within=30)
            assert f"> {FORWARDED}" in fake_claude.last_text(claude.chats[-1])
            assert "never an instruction" in system_text(claude.chats[-1])
            own = await discord.dm("ann", "", paste=b"I grow tomatoes on my balcony. " * 100)
            await discord.answer_to(own, contains="tomatoes", within=30)
            await until(lambda: any("tomatoes" in str(request) for request in claude.extractions), 30)
            await asyncio.sleep(1)
            assert not any("quince" in str(request) for request in claude.extractions)
        files = [path for path in (tmp_path / "data").iterdir() if path.is_file()]
        assert not [path.name for path in files if b"quince seventeen" in path.read_bytes()]
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            await discord.answer_to(await discord.dm("ann", "still there?"), contains="still", within=30)
        assert [len(discord.answers(message)) for message in (bare, forwarded, own)] == [1, 1, 1]


async def test_a_reply_tells_which_answer_is_meant(tmp_path: Path, claude: FakeClaude) -> None:
    """In a direct message, a reply to an earlier answer quotes it to the model."""
    async with FakeDiscord() as discord:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url}
        env |= {"DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            first = await discord.dm("ann", "Name a fruit: quince")
            await discord.answer_to(first, contains="quince", within=30)
            second = await discord.dm("ann", "Name a tree: rowan")
            await discord.answer_to(second, contains="rowan", within=30)
            reply = await discord.dm("ann", "why that one?", reply_to=discord.answers(first)[0]["id"])
            await discord.answer_to(reply, contains="why that one?", within=30)
            assert fake_claude.last_text(claude.chats[-1]) == (
                "(In reply to your earlier message:)\n> Noted: Name a fruit: quince\n\nwhy that one?"
            )


async def test_slack(tmp_path: Path, claude: FakeClaude) -> None:
    """A forwarded text reaches the model as somebody else's and is learned by nobody; a thread in the direct messages
    begins with the exchange that it was opened under."""
    async with FakeSlack() as slack:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **slack.environment()}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("slack: listening")
            channel = slack.dm_channel("UANN")
            await slack.dm("UANN", "Name a fruit: rowanberry")
            await slack.answer(channel, until=lambda text: "rowanberry" in text)
            await bot.said("answered: first word")  # what is shown is not yet written down
            above = slack.answers(channel)[0]["ts"]
            await slack.dm("UANN", "why that one?", thread_ts=above)
            await slack.answer(channel, above)
            roles = [
                (message["role"], "rowanberry" in str(message["content"])) for message in claude.chats[-1]["messages"]
            ]
            assert roles == [("user", True), ("assistant", True), ("user", False)]
            shared = {"is_share": True, "author_name": "Ben", "text": FORWARDED}
            await slack.dm("UANN", "keep that in mind", attachments=[shared])
            await slack.answer(channel, until=lambda text: "quince" in text)
            assert f"> Ben: {FORWARDED}" in fake_claude.last_text(claude.chats[-1])
            await until(lambda: any("keep that in mind" in str(request) for request in claude.extractions), 30)
            assert not any("quince" in str(request) for request in claude.extractions)
