"""It says what it learned: through the whole bot, on both platforms, across restarts, refusals and a kill."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.common.foot import NOT_YOURS
from bot.commands.learned_lines import LABEL, LINE
from bot.commands.wording import UNTAUGHT
from tests.fakes import claude as fake_claude
from tests.fakes.claude import FakeClaude
from tests.fakes.discord import Channel, FakeDiscord, Interaction
from tests.fakes.slack import FakeSlack, Fault, Json
from tests.makers import alone, until
from tests.whole.process import BotProcess

TOLD = "My locker is number 4711."
CHAT = "How are you?"


def answers(request: fake_claude.Request) -> str:
    """A model that learns what it is told, and nothing of small talk."""
    if fake_claude.is_extraction(request):
        found = fake_claude.new_messages(fake_claude.last_text(request))
        told = [{"text": text, "source": number} for number, text, _ in found if "locker" in text or "cat" in text]
        return fake_claude.facts(*told)
    return "I see."


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    """A Messages API on loopback."""
    async with FakeClaude(answers) as server:
        yield server


def settings(claude: FakeClaude, *platforms: FakeDiscord | FakeSlack, **more: str) -> dict[str, str]:
    """What a run needs."""
    env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, "BOT_LOG_LEVEL": "DEBUG"}
    for platform in platforms:
        if isinstance(platform, FakeDiscord):
            env |= {"DISCORD_TOKEN": platform.token, "DISCORD_API_BASE": platform.url}
        else:
            env |= platform.environment()
    return env | more


class OnDiscord:
    """A server's channel, and what stands below the bot's answers there."""

    def __init__(self, fake: FakeDiscord) -> None:
        self.fake = fake
        self.general = fake.add_channel(fake.add_guild(), "general")

    def answer(self, message: str) -> dict[str, Any]:
        return self.fake.answers(message)[-1]

    def keys(self, message: str) -> list[dict[str, Any]]:
        if not self.fake.answers(message):
            return []
        return [item for row in self.answer(message).get("components") or () for item in row["components"]]

    async def noticed(self, message: str) -> None:
        await until(lambda: [key["label"] for key in self.keys(message)] == [LABEL], 30)

    async def press(self, user: str, message: str, channel: Channel) -> Interaction:
        (key,) = self.keys(message)
        data = {"custom_id": key["custom_id"], "component_type": 2}
        pressed = await self.fake.interact(3, user, channel, data, message=self.answer(message))
        await pressed.answer(30)
        return pressed


@pytest.fixture
async def discord() -> AsyncIterator[OnDiscord]:
    """A Discord on loopback."""
    async with FakeDiscord() as fake:
        yield OnDiscord(fake)


async def test_on_discord(tmp_path: Path, claude: FakeClaude, discord: OnDiscord) -> None:
    """In a channel the line says nothing of what was learned; its owner sees that alone, also after a restart.

    Small talk taught nothing and gets none. A stranger is told, alone, that it isn't theirs.
    """
    fake, env = discord.fake, settings(claude, discord.fake)
    async with BotProcess(tmp_path, env) as bot:
        await bot.said("discord: listening")
        chat = await fake.say(discord.general, "ann", CHAT)
        await fake.answer_to(chat, within=30)
        await until(lambda: bool(claude.extractions), 30)
        told = await fake.say(discord.general, "ann", TOLD)
        await discord.noticed(told)
        assert discord.answer(told)["content"] == f"I see.\n-# {LINE}"
        assert "4711" not in str(discord.answer(told)["components"])
        assert discord.keys(chat) == []
        stranger = await discord.press("bob", told, discord.general)
        assert (stranger.content, stranger.ephemeral) == (NOT_YOURS, True)
    async with BotProcess(tmp_path, env) as bot:
        await bot.said("memory is ready")
        own = await discord.press("ann", told, discord.general)
        assert own.ephemeral
        assert "4711" in own.content
        assert {"Edit", "Forget"} <= set(own.buttons)
        assert discord.answer(told)["content"] == f"I see.\n-# {LINE}"
        gone = await fake.press("ann", own.buttons["Forget"], own)
        assert "Forgotten" in await gone.answer()
        again = await discord.press("ann", told, discord.general)
        assert again.content.replace("\\", "") == UNTAUGHT.title
    assert not any("4711" in line for line in bot.log)


async def test_on_slack(tmp_path: Path, claude: FakeClaude) -> None:
    """In a thread of a channel as well, by one edit of the answer; what it opens is ephemeral."""
    async with FakeSlack() as slack:
        env = settings(claude, slack)
        channel = slack.add_channel("CGENERAL", "general")
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("slack: listening")
            told = await slack.mention(channel, "UANN", TOLD)

            def below() -> Json | None:
                shown = slack.answers(channel, told)
                return shown[-1] if shown and len(shown[-1]["blocks"]) == 3 else None

            message = await slack.wait(below)
            assert [block["type"] for block in message["blocks"]] == ["markdown", "context", "actions"]
            assert (alone(message["text"]), message["blocks"][1]["elements"][0]["text"]) == ("I see.", LINE)
            assert "4711" not in str(message)
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("memory is ready")
            await slack.press_on("UBOB", {**message, "channel": channel}, LABEL)
            stranger = await slack.whispered("UBOB")
            assert (stranger["text"], stranger["thread_ts"]) == (NOT_YOURS, told)
            await slack.press_on("UANN", {**message, "channel": channel}, LABEL)
            own = await slack.whispered("UANN")
            assert "4711" in str(own["blocks"])
            forgotten = await slack.press("UANN", own, "Forget", channel)
            assert "Forgotten" in forgotten["text"]
            await slack.press_on("UANN", {**message, "channel": channel}, LABEL)
            assert (await slack.whispered("UANN", 2))["text"] == UNTAUGHT.title
        assert len(slack.answers(channel, told)) == 1


async def test_two_messages_learned_together(tmp_path: Path, claude: FakeClaude, discord: OnDiscord) -> None:
    """Each answer that taught something gets its own, and opens only what its message taught."""
    fake = discord.fake
    async with BotProcess(tmp_path, settings(claude, fake)) as bot:
        await bot.said("memory is ready")
        first = await fake.dm("ann", TOLD)
        await fake.answer_to(first, within=30)
        second = await fake.dm("ann", "I have a cat named Mog.")
        await discord.noticed(first)
        await discord.noticed(second)
        shown = await discord.press("ann", second, fake.dm_with("ann"))
        assert "Mog" in shown.content
        assert "4711" not in shown.content


async def test_switched_off(tmp_path: Path, claude: FakeClaude, discord: OnDiscord) -> None:
    """By its operator for all, and by a person for themselves, from the view that it opens."""
    fake = discord.fake
    async with BotProcess(tmp_path, settings(claude, fake, BOT_MEMORY_NOTICE="off")) as bot:
        await bot.said("memory is ready")
        told = await fake.dm("ann", TOLD)
        await fake.answer_to(told, within=30)
        await until(lambda: len(claude.extractions) == 1, 30)
    assert discord.keys(told) == []
    async with BotProcess(tmp_path, settings(claude, fake)) as bot:
        await bot.said("memory is ready")
        second = await fake.dm("ann", "I have a cat named Mog.")
        await discord.noticed(second)
        opened = await discord.press("ann", second, fake.dm_with("ann"))
        hushed = await fake.press("ann", opened.buttons["Hide “Memory updated”"], opened)
        assert "no longer" in await hushed.answer()
        third = await fake.dm("ann", "My other locker is 17.")
        await fake.answer_to(third, within=30)
        await until(lambda: len(claude.extractions) == 3, 30)
        fourth = await fake.dm("bob", "My locker is 18.")
        await discord.noticed(fourth)
    assert discord.keys(third) == []


async def test_rate_limited_and_refused(tmp_path: Path, claude: FakeClaude) -> None:
    """A rate limit is waited out; a refusal leaves the answer as it was, and only the debug log speaks of it."""
    async with FakeSlack() as slack:
        channel = slack.add_channel("CGENERAL", "general")
        async with BotProcess(tmp_path, settings(claude, slack)) as bot:
            await bot.said("memory is ready")
            slack.fail("chat.update", Fault(status=429, retry_after=2))
            told = await slack.mention(channel, "UANN", TOLD)
            await slack.wait(lambda: [m for m in slack.answers(channel, told) if len(m["blocks"]) == 3])
            slack.fail("chat.update", Fault("edit_window_closed"))
            other = await slack.mention(channel, "UANN", "I have a cat named Mog.")
            await bot.said("no line below its answer")
            (answer,) = slack.answers(channel, other)
            assert [block["type"] for block in answer["blocks"]] == ["markdown"]
        assert not [line for line in bot.log if "no line below" in line and "DEBUG" not in line]


async def test_learned_by_another_process(tmp_path: Path, claude: FakeClaude, discord: OnDiscord) -> None:
    """What is answered before a restart and learned after it gets its line then."""
    fake, env = discord.fake, settings(claude, discord.fake)
    async with BotProcess(tmp_path, env) as bot:
        await bot.said("memory is ready")
        told = await fake.dm("ann", TOLD)
        await fake.answer_to(told, within=30)
        await bot.end(signal.SIGKILL)
        assert claude.extractions == []
        await bot.start()
        await discord.noticed(told)


@pytest.mark.slow
async def test_killed_between_lesson_and_line(tmp_path: Path, discord: OnDiscord) -> None:
    """`kill -9` while the line is being added: it is there once or not at all, and nothing is learned twice."""
    async with FakeClaude(answers) as claude:
        fake, env = discord.fake, settings(claude, discord.fake)
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("memory is ready")
            told = await fake.dm("ann", TOLD)
            await fake.answer_to(told, within=30)
            fake.refuses["edit"] = (503, 0)  # the edit is tried, and never succeeds
            await until(lambda: any(method == "PATCH" for method, _, _ in fake.requests), 30)
            assert await bot.end(signal.SIGKILL) == -signal.SIGKILL
            await bot.start()
            fake.refuses.clear()
            await bot.said("memory is ready")
            second = await fake.dm("ann", "I have a cat named Mog.")
            await discord.noticed(second)
            await asyncio.sleep(1)
        assert len(discord.keys(told)) <= 1
        assert str(discord.answer(told)["content"]).count(LINE) <= 1
        assert len([request for request in claude.extractions if "4711" in str(request["messages"][-1])]) <= 2
