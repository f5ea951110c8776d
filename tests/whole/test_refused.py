"""What Claude refuses, for good or until it is paid, and what becomes of the next question."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.answer import FOLLOWS
from bot.ports import ChatMisconfigured, ChatRefused, ChatTooLong
from tests.fakes.claude import TRIGGER, UNPAID, FakeClaude, Reply, Request, default, is_extraction, last_text
from tests.fakes.discord import FakeDiscord
from tests.makers import until
from tests.whole.process import BotProcess


class World:
    """A bot on Discord. Ann and Ben share a channel."""

    def __init__(self, claude: FakeClaude, discord: FakeDiscord, folder: Path) -> None:
        self.claude = claude
        self.discord = discord
        self.general = discord.add_channel(discord.add_guild("Home"), "general")
        own = {"DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        self.bot = BotProcess(folder, {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **own})

    async def says(self, text: str, person: str = "ann") -> str:
        """What somebody is answered to a direct message."""
        return await self.discord.answer_to(await self.discord.dm(person, text), within=60)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with FakeClaude() as claude, FakeDiscord() as discord:
        world = World(claude, discord, tmp_path)
        async with world.bot:
            await world.bot.said("memory is ready", 60)
            yield world


def poisonous(request: Request) -> Reply | str:
    """A service that answers 400 to whatever holds a certain word."""
    bad = any("poison" in last_text({"messages": [message]}) for message in request["messages"])
    return Reply("messages: not valid", status=400, error="invalid_request_error") if bad else default(request)


def filtered(request: Request) -> Reply | str:
    """A service whose filter objects to the answer to whatever holds a certain word."""
    bad = any("gooseberries" in last_text({"messages": [message]}) for message in request["messages"])
    return Reply("Output blocked by content filtering policy", status=400) if bad else default(request)


@pytest.mark.parametrize("kind", ["refused", "filtered", "too long", "not valid"])
async def test_the_next_question_is_answered(world: World, kind: str) -> None:
    """What is refused for good is told in a sentence; it is neither sent again nor learned."""
    assert "tea" in await world.says("I like tea.")
    told, sentence = f"{TRIGGER} gooseberries", ChatRefused.sentence
    if kind == "too long":
        world.claude.window = world.claude.sizes[-1] + 1000
        told, sentence = "gooseberries " * 140, ChatTooLong.sentence
    elif kind == "not valid":
        world.claude.handler = poisonous
        told, sentence = "poison gooseberries", ChatMisconfigured.sentence
    elif kind == "filtered":
        world.claude.triggers = set()
        world.claude.handler = filtered
        told = "gooseberries"
    assert sentence in await world.says(told)
    before = world.claude.calls
    assert "capital of France" in await world.says("What's the capital of France?")
    assert len(world.claude.chats) >= 2
    assert "gooseberries" not in str(world.claude.chats[-1])
    await until(lambda: len(world.claude.extractions) >= 1, 30)
    assert not any("gooseberries" in str(request) for request in world.claude.extractions)
    assert world.claude.calls > before
    assert not any("gooseberries" in line for line in world.bot.log)


async def test_one_person_silences_nobody_else(world: World) -> None:
    """In a channel, what one person was refused keeps nobody else from being answered."""
    channel = world.general
    first = await world.discord.say(channel, "ann", f"{TRIGGER} now")
    assert ChatRefused.sentence in await world.discord.answer_to(first, within=60)
    (shown,) = world.discord.answers(first)
    second = await world.discord.say(channel, "ben", "And what is 2 and 2?", reply_to=shown["id"])
    assert "2 and 2" in await world.discord.answer_to(second, within=60)


async def test_an_earlier_turn_that_is_refused_is_dropped(world: World) -> None:
    """A turn that was answered once and is refused now is left out, and not sent a second time."""
    assert "poppies" in await world.says("I like poppies.")
    world.claude.triggers = {"poppies"}
    assert "capital of France" in await world.says("What's the capital of France?")
    calls = len(world.claude.chats)
    assert "capital of Spain" in await world.says("What's the capital of Spain?")
    assert len(world.claude.chats) <= calls + 2
    assert "poppies" not in str(world.claude.chats[-1]["messages"])
    assert "France" in str(world.claude.chats[-1]["messages"])


async def test_an_unpaid_account_is_an_outage(world: World) -> None:
    """Without credit the person is told that the answer follows, and gets it once it is paid; the log says why."""
    world.claude.handler = lambda request: UNPAID
    message = await world.discord.dm("ann", "I like tea.")
    await until(lambda: any(FOLLOWS in part["content"] for part in world.discord.answers(message)), 30)
    world.claude.handler = default
    await until(lambda: any("You said: I like tea." in part["content"] for part in world.discord.answers(message)), 40)
    assert len(world.discord.answers(message)) == 1
    assert any("WARNING" in line and "no credit" in line for line in world.bot.log)


async def test_the_operator_is_told_that_the_credit_is_gone(tmp_path: Path) -> None:
    """In the terminal the reason stands in the answer."""
    async with FakeClaude(lambda request: UNPAID) as claude:
        settings = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url}
        bot = BotProcess(tmp_path, settings, ("chat",))
        await bot.start()
        assert await bot.talk("I like tea.\n") == 0
    assert "has no credit left" in "\n".join(bot.out)


async def test_thoughts_reach_nobody(world: World) -> None:
    """What a compatible model thinks aloud is neither shown nor learned from, nor sent back with the next question."""

    def thinking(request: Request) -> Reply | str:
        if is_extraction(request):
            return default(request)
        return Reply(f"<think>\nThe person wants gooseberries.\n</think>\n\n{default(request)}", piece=3)

    world.claude.handler = thinking
    assert await world.says("I like tea.") == "You said: I like tea."
    assert await world.says("And cake.") == "You said: And cake."
    await until(lambda: len(world.claude.extractions) >= 1, 30)
    assert "gooseberries" not in str(world.claude.requests)
