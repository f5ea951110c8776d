"""People say "forget that …" and expect it done: through the whole bot, on each platform, and without a key."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.common.foot import NOT_YOURS
from bot.commands.offers import REVIEW_LABEL
from tests.fakes import claude as fake_claude
from tests.fakes.claude import FakeClaude, Reply
from tests.fakes.claude_tools import Calling, results
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack, Json
from tests.makers import until
from tests.whole.process import BotProcess

TOLD = "I live in Porto with my axolotl."
WISH = "Forget that I live in Porto, please."


def answers(request: fake_claude.Request) -> Reply | str:
    """A model that has a wish looked up, and then says what the tool told it to say."""
    if fake_claude.is_extraction(request):
        return fake_claude.default(request)
    if results(request):
        return "You can confirm it there."
    if fake_claude.last_text(request).casefold().startswith("forget"):
        return Reply("", calls=(Calling("forget", {"what": "Porto"}),))
    return "I see."


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    """A Messages API on loopback."""
    async with FakeClaude(answers) as server:
        yield server


def settings(claude: FakeClaude, **more: str) -> dict[str, str]:
    """What a run needs; without the line that says what was learned."""
    return {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, "BOT_MEMORY_NOTICE": "off", **more}


def holding(folder: Path, words: str) -> list[str]:
    """The files of the data folder that hold these words."""
    return [path.name for path in (folder / "data").iterdir() if path.is_file() and words.encode() in path.read_bytes()]


async def test_on_discord(tmp_path: Path, claude: FakeClaude) -> None:
    """A button below the answer, for whoever asked alone, also after a restart; what it confirms is gone for good."""
    async with FakeDiscord() as discord:
        general = discord.add_channel(discord.add_guild(), "general")
        env = settings(claude, DISCORD_TOKEN=discord.token, DISCORD_API_BASE=discord.url)
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("memory is ready")
            told = await discord.say(general, "ann", TOLD)
            await discord.answer_to(told, within=30)
            await until(lambda: len(claude.extractions) == 1, 30)
            wish = await discord.say(general, "ann", WISH)
            await discord.answer_to(wish, contains="confirm", within=30)

            def keys() -> list[Json]:
                shown = discord.answers(wish)[-1]
                return [item for row in shown.get("components") or () for item in row["components"]]

            await until(lambda: [key["label"] for key in keys()] == [REVIEW_LABEL], 30)
            assert "Porto" not in str(keys())
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("memory is ready")
            data = {"custom_id": keys()[0]["custom_id"], "component_type": 2}
            answer = discord.answers(wish)[-1]
            stranger = await discord.interact(3, "bob", general, data, message=answer)
            assert await stranger.answer() == NOT_YOURS
            own = await discord.interact(3, "ann", general, data, message=answer)
            assert "Porto" in await own.answer()
            assert own.ephemeral
            done = await discord.press("ann", own.buttons["Forget"], own)
            assert "Forgotten: 1 thing" in (await done.answer()).replace("\\", "")
            assert len(claude.extractions) == 1
        assert holding(tmp_path, "Porto") == []


async def test_on_slack(tmp_path: Path, claude: FakeClaude) -> None:
    """In a channel a button; in a direct message what would be forgotten stands there at once."""
    async with FakeSlack() as slack:
        env = settings(claude, **slack.environment())
        channel = slack.add_channel("CGENERAL", "general")
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("memory is ready")
            told = await slack.mention(channel, "UANN", TOLD)
            await slack.answer(channel, told)
            await until(lambda: len(claude.extractions) == 1, 30)
            wish = await slack.mention(channel, "UANN", WISH)

            def below() -> Json | None:
                shown = slack.answers(channel, wish)
                return shown[-1] if shown and len(shown[-1]["blocks"]) == 2 else None

            message = await slack.wait(below)
            assert [block["type"] for block in message["blocks"]] == ["markdown", "actions"]
            assert "Porto" not in str(message["blocks"][1])
            await slack.press_on("UANN", {**message, "channel": channel}, REVIEW_LABEL)
            assert "Porto" in (await slack.whispered("UANN"))["text"]
            await slack.dm("UANN", WISH)
            shown = await slack.whispered("UANN", 2)
            assert "Porto" in shown["text"]
            done = await slack.press("UANN", shown, "Forget")
            assert done["text"].startswith("Forgotten: 1 thing")
        assert holding(tmp_path, "Porto") == []


async def test_in_the_terminal(tmp_path: Path, claude: FakeClaude) -> None:
    """What would be forgotten is printed below the answer, to be chosen on the next line."""
    bot = BotProcess(tmp_path, settings(claude), ("chat", "--as", "ann"))
    await bot.start()
    assert await bot.talk(f"{TOLD}\nquit\n") == 0
    bot = BotProcess(tmp_path, settings(claude), ("chat", "--as", "ann"))
    await bot.start()
    assert await bot.talk(f"{WISH}\nForget\nquit\n") == 0
    assert "You can confirm it there." in bot.out
    assert any(TOLD in line for line in bot.out)
    assert any(line.startswith("Forgotten: 1 thing") for line in bot.out)
    assert holding(tmp_path, "Porto") == []


async def test_without_a_key(tmp_path: Path) -> None:
    """The notebook does the same; other sentences that begin so are no commands, and forget nothing by themselves."""
    bot = BotProcess(tmp_path, {}, ("chat", "--as", "ann"))
    await bot.start()
    assert (
        await bot.talk(f"{TOLD}\nforget that I live in Porto\nCancel\nplease forget about Porto.\nForget\nquit\n") == 0
    )
    assert bot.out.count("Nothing is forgotten before you confirm it.") == 2
    assert "Nothing was forgotten." in bot.out
    assert any(line.startswith("Forgotten: 1 thing") for line in bot.out)
    assert holding(tmp_path, "Porto") == []
    assert bot.log == []
