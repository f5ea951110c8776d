"""What was said around a question: read from the platform when the bot is called, and then nowhere."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes.claude import FakeClaude, last_text
from tests.fakes.discord import FakeDiscord, until
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_api import Fault
from tests.whole.process import BotProcess

GENERAL, SECRET = "C0GENERAL", "G0SECRET0"
#: In the words of others, and in the answers that repeat them.
CANARY = "zebrafinch"


class World:
    """Slack and a model that repeats all that it is shown."""

    def __init__(self, folder: Path, claude: FakeClaude, slack: FakeSlack) -> None:
        self.folder, self.claude, self.slack = folder, claude, slack
        slack.users |= {"UANN": "Ann", "UBEN": "Ben", "UCID": "Cid"}

    def bot(self, **settings: str) -> BotProcess:
        """The bot, not started yet."""
        keys = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": self.claude.url}
        return BotProcess(self.folder, {**keys, **self.slack.environment(), **settings})

    async def ask(self, text: str, thread: str | None = None, channel: str = GENERAL) -> str:
        """Mention the bot; return what Claude was asked, once that is answered."""
        before = len(self.claude.chats)
        ts = await self.slack.mention(channel, "UANN", text, thread)
        await self.slack.answer(channel, thread or ts, lambda shown: shown.startswith("You said") and text in shown)
        assert len(self.claude.chats) == before + 1
        return last_text(self.claude.chats[-1])

    @property
    def written(self) -> list[str]:
        """The files of the data folder that hold the canary."""
        files = [path for path in (self.folder / "data").iterdir() if path.is_file()]
        return [path.name for path in files if CANARY.encode() in path.read_bytes()]

    @property
    def turns(self) -> int:
        """How many turns are kept."""
        with closing(sqlite3.connect(self.folder / "data" / "bot.db")) as connection:
            return int(connection.execute("SELECT count(*) FROM turns").fetchone()[0])

    @property
    def learned(self) -> str:
        """All that the memory model was shown."""
        return "\n".join(last_text(request) for request in self.claude.extractions)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with FakeClaude() as claude, FakeSlack() as slack:
        yield World(tmp_path, claude, slack)


async def test_a_thread_that_it_is_called_into(world: World) -> None:
    """The thread above comes along with names, once, in each question anew; nothing of it is on disk or learned."""
    slack = world.slack
    async with world.bot() as bot:
        await bot.said("slack: listening")
        root = await slack.say(GENERAL, "UBEN", f"The launch {CANARY} is on Friday.")
        await slack.say(GENERAL, "UCID", f"<@UBEN> really? {CANARY}", root)
        asked = await world.ask("is that right?", root)
        assert f"Ben: The launch {CANARY} is on Friday." in asked
        assert f"Cid: @Ben really? {CANARY}" in asked
        assert asked.index("Ben: The") < asked.index("Cid: @Ben")
        assert asked.endswith("\n\nis that right?")
        await slack.say(GENERAL, "UCID", f"<@UBEN> Monday, then: {CANARY}", root)
        again = await world.ask("so when?", root)
        lines = [line.partition("UTC] ")[2] for line in again.splitlines() if line.startswith("> [")]
        assert lines == [
            f"Ben: The launch {CANARY} is on Friday.",
            f"Cid: @Ben really? {CANARY}",
            "you: You said: (Said around this, for context:)",
            f"Cid: @Ben Monday, then: {CANARY}",
        ]
        assert again.count("is that right?") == 1, "quoted in the bot's own answer, and asked as a turn"
        await until(lambda: "so when?" in world.learned, "it is learned", 30)
        assert CANARY not in world.learned
        assert world.written == []
        assert CANARY not in "\n".join(bot.log)
    assert world.written == []


async def test_the_channel_before_a_mention(world: World) -> None:
    """At a channel's top level the last messages before it come along: of that channel, as many as are allowed."""
    slack = world.slack
    async with world.bot(BOT_CONTEXT_MESSAGES="3") as bot:
        await bot.said("slack: listening")
        await slack.say(SECRET, "UBEN", f"elsewhere {CANARY}")
        for number in range(5):
            await slack.say(GENERAL, "UBEN", f"line {number}")
        asked = await world.ask("sum that up")
        assert [f"Ben: line {number}" in asked for number in range(5)] == [False, False, True, True, True]
        assert CANARY not in asked


async def test_a_bare_mention_means_what_stands_above(world: World) -> None:
    """Without a word of their own it is about the thread; it gets an answer, and not a hint."""
    slack = world.slack
    async with world.bot() as bot:
        await bot.said("slack: listening")
        root = await slack.say(GENERAL, "UBEN", "Does it fly?")
        await slack.mention(GENERAL, "UANN", "", root)
        await slack.answer(GENERAL, root, lambda shown: "Ben: Does it fly?" in shown)


async def test_a_deleted_message_takes_the_turn_along(world: World) -> None:
    """What the bot said with it in view is not asked with again."""
    slack = world.slack
    async with world.bot() as bot:
        await bot.said("slack: listening")
        root = await slack.say(GENERAL, "UCID", "Hello.")
        doomed = await slack.say(GENERAL, "UBEN", f"<@UCID> I quit {CANARY}.", root)
        await world.ask("what did Ben say?", root)
        await until(lambda: world.turns == 1, "the question is a turn", 30)
        await slack.delete(GENERAL, doomed)
        await until(lambda: world.turns == 0, "the turn is dropped", 30)
        asked = await world.ask("and now?", root)
        turns = [message["content"] for message in world.claude.chats[-1]["messages"][:-1]]
        assert turns == []
        assert "Ben: @Cid I quit" not in asked.split("you: You said")[0]


async def test_where_slack_gives_nothing_the_question_is_answered(world: World) -> None:
    """A rate limit, or a missing scope: without what stands around it, and without waiting."""
    slack = world.slack
    async with world.bot() as bot:
        await bot.said("slack: listening")
        root = await slack.say(GENERAL, "UBEN", "Does it fly?")
        for fault in (Fault(error="missing_scope"), Fault(status=429, retry_after=30)):
            await asyncio.sleep(0.5)  # whose thread it is has been asked for as well
            slack.fail("conversations.replies", fault)
            assert "Ben" not in await world.ask(f"what of {fault.status}?", root)


async def test_nothing_is_read_where_that_is_switched_off(world: World) -> None:
    """BOT_CONTEXT_MESSAGES=0."""
    slack = world.slack
    async with world.bot(BOT_CONTEXT_MESSAGES="0") as bot:
        await bot.said("slack: listening")
        root = await slack.say(GENERAL, "UBEN", "Does it fly?")
        assert await world.ask("hm?", root) == "hm?"


class DiscordWorld:
    """Discord with one channel, and a model that repeats all that it is shown."""

    def __init__(self, folder: Path, claude: FakeClaude, discord: FakeDiscord) -> None:
        self.folder, self.claude, self.discord = folder, claude, discord
        discord.gateway.content = True
        self.guild = discord.add_guild()
        self.general = discord.add_channel(self.guild, "general")

    def bot(self, **settings: str) -> BotProcess:
        """The bot, not started yet."""
        keys = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": self.claude.url}
        keys |= {"DISCORD_TOKEN": self.discord.token, "DISCORD_API_BASE": self.discord.url}
        return BotProcess(self.folder, {**keys, **settings})

    async def ask(self, text: str, reply_to: str | None = None) -> str:
        """Mention the bot; return what Claude was asked, once that is answered."""
        asked = await self.discord.say(self.general, "ann", text, reply_to=reply_to)
        await self.discord.answer_to(asked, contains="You said", within=30)
        return last_text(self.claude.chats[-1])


@pytest.fixture
async def discord_world(tmp_path: Path) -> AsyncIterator[DiscordWorld]:
    async with FakeClaude() as claude, FakeDiscord() as discord:
        yield DiscordWorld(tmp_path, claude, discord)


async def test_the_message_that_is_replied_to(discord_world: DiscordWorld) -> None:
    """Whoever wrote it, with what it replies to in turn, and what was written right before; on no disk."""
    world, discord = discord_world, discord_world.discord
    async with world.bot(DISCORD_MESSAGE_CONTENT="true", BOT_CONTEXT_MESSAGES="4") as bot:
        await bot.said("discord: listening")
        first = await discord.say(world.general, "cid", f"Which day? {CANARY}", mention=False)
        target = await discord.say(world.general, "ben", f"Friday. {CANARY}", mention=False, reply_to=first)
        for number in range(6):
            await discord.say(world.general, "cid", f"chatter {number}", mention=False)
        asked = await world.ask("is that right?", reply_to=target)
        assert "(In reply to this message:)\n> [" in asked
        assert asked.split("(In reply to this message:)")[1].count(f"ben: Friday. {CANARY}") == 1
        assert f"cid: Which day? {CANARY}" in asked
        assert [f"chatter {number}" in asked for number in range(6)] == [False, False, False, False, True, True]
        assert asked.endswith("is that right?")
        files = [path for path in (world.folder / "data").iterdir() if path.is_file()]
        assert [path.name for path in files if CANARY.encode() in path.read_bytes()] == []


async def test_a_bare_mention_in_reply_means_that_message(discord_world: DiscordWorld) -> None:
    """Without a word of one's own, the message replied to is the question."""
    world, discord = discord_world, discord_world.discord
    async with world.bot(DISCORD_MESSAGE_CONTENT="true") as bot:
        await bot.said("discord: listening")
        target = await discord.say(world.general, "ben", "Can it fly?", mention=False)
        assert "ben: Can it fly?" in await world.ask("", reply_to=target)


async def test_without_the_intent_discord_shows_nothing_of_others(discord_world: DiscordWorld) -> None:
    """The default: nothing is read, and a mention without words gets the hint."""
    world, discord = discord_world, discord_world.discord
    async with world.bot() as bot:
        await bot.said("discord: listening")
        target = await discord.say(world.general, "ben", "Can it fly?", mention=False)
        assert await world.ask("hm?", reply_to=target) == "hm?"
        bare = await discord.say(world.general, "ann", "", reply_to=target)
        await discord.answer_to(bare, contains="Hi!", within=30)


async def test_a_thread_on_discord(discord_world: DiscordWorld) -> None:
    """What was written in it, and nothing of its channel."""
    world, discord = discord_world, discord_world.discord
    thread = discord.add_channel(world.guild, "launch", parent=world.general)
    async with world.bot(DISCORD_MESSAGE_CONTENT="true") as bot:
        await bot.said("discord: listening")
        await discord.say(world.general, "ben", "Elsewhere.", mention=False)
        await discord.say(thread, "cid", "It doesn't fly.", mention=False)
        world.general = thread
        asked = await world.ask("who is right?")
        assert "cid: It doesn't fly." in asked
        assert "Elsewhere" not in asked
