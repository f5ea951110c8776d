"""Whom the bot serves, and where: the bot as a child process behind both platforms, with allow-lists."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.core.answer import FOLLOWS
from bot.core.served import ELSEWHERE
from tests.fakes import claude as fake_claude
from tests.fakes.claude import OVERLOADED, FakeClaude, Reply
from tests.fakes.discord import FakeDiscord, until
from tests.fakes.slack import BOT, FakeSlack
from tests.whole.process import BotProcess

GENERAL, SECRET = "C0GENERAL", "G0SECRET0"
#: In whatever may be written down nowhere.
CANARY = "canary"


class World:
    """The platforms and the model. Ann is `ann` on Discord and `UANN` on Slack; Ben is a stranger on Discord."""

    def __init__(self, folder: Path, claude: FakeClaude, discord: FakeDiscord, slack: FakeSlack) -> None:
        self.folder = folder
        self.claude = claude
        self.discord = discord
        self.slack = slack
        self.down = False
        claude.handler = self._answer
        self.home = discord.add_guild("home")
        self.here = discord.add_channel(self.home, "here")
        self.there = discord.add_channel(discord.add_guild("elsewhere"), "there")
        discord.join(self.home, "ann")

    def _answer(self, request: fake_claude.Request) -> Reply | str:
        if fake_claude.is_extraction(request):
            return fake_claude.default(request)
        return OVERLOADED if self.down else "Noted."

    def bot(self, **lists: str) -> BotProcess:
        """The bot with these allow-lists, not started yet."""
        settings = {"DISCORD_TOKEN": self.discord.token, "DISCORD_API_BASE": self.discord.url}
        settings |= {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": self.claude.url}
        return BotProcess(self.folder, {**settings, **self.slack.environment(), **lists})

    def restricted(self) -> BotProcess:
        """A bot that serves one server and one channel."""
        return self.bot(DISCORD_GUILDS=self.home.id, SLACK_CHANNELS=GENERAL)

    @property
    def written(self) -> list[str]:
        """The files of the data folder that hold the canary."""
        files = [path for path in (self.folder / "data").iterdir() if path.is_file()]
        return [path.name for path in files if CANARY.encode() in path.read_bytes()]

    @property
    def waiting(self) -> int:
        """How many messages wait to be answered."""
        with closing(sqlite3.connect(self.folder / "data" / "bot.db")) as connection:
            return int(connection.execute("SELECT count(*) FROM inbox").fetchone()[0])

    @property
    def asked(self) -> str:
        """All that Claude was sent."""
        return str(self.claude.requests)

    def whispers(self, channel: str) -> list[str]:
        """What Slack showed to one person alone in a channel."""
        return [str(message["text"]) for message in self.slack.ephemerals if message["channel"] == channel]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Both platforms and the model, on loopback."""
    async with FakeClaude() as claude, FakeDiscord() as discord, FakeSlack() as slack:
        yield World(tmp_path, claude, discord, slack)


async def listening(bot: BotProcess) -> None:
    """Wait until both platforms' events arrive."""
    await bot.said("discord: listening")
    await bot.said("slack: listening")


async def test_discord_serves_the_listed_server_and_its_members(world: World) -> None:
    """Elsewhere one sentence a day to each person, in whatever way they speak to the bot; nothing is written down."""
    discord = world.discord
    async with world.restricted() as bot:
        await listening(bot)
        first = await discord.say(world.there, "ann", f"{CANARY} one")
        assert await discord.answer_to(first) == ELSEWHERE
        again = await discord.say(world.there, "ann", f"{CANARY} two")
        await discord.edit(world.there, first, f"<@{discord.bot.id}> {CANARY} three")
        sentence = discord.answers(first)[0]["id"]
        reply = await discord.say(world.there, "ann", f"{CANARY} four", mention=False, reply_to=sentence)
        stranger = await discord.dm("ben", f"{CANARY} five")
        assert await discord.answer_to(stranger) == ELSEWHERE
        stranger_again = await discord.dm("ben", f"{CANARY} six")
        # Commands work everywhere, for whomever.
        assert await (await discord.slash("ben", "memories", {}, world.there)).answer()
        for message in (await discord.say(world.here, "ann", "hello"), await discord.dm("ann", "hello")):
            assert await discord.answer_to(message, within=30) == "Noted."
        assert [discord.answers(message) for message in (again, reply, stranger_again)] == [[], [], []]
        assert world.written == []
        assert CANARY not in world.asked
        assert CANARY not in "\n".join(bot.log)
        # Its person isn't shut out: elsewhere, and in one place, they have each been told what holds there.
        ben_here = await discord.say(world.here, "ben", "hello")
        assert await discord.answer_to(ben_here, within=30) == "Noted."
    assert world.written == []


async def test_slack_serves_the_listed_channel_and_direct_messages(world: World) -> None:
    """Elsewhere one sentence a day, shown to its person alone, though each mention is delivered twice."""
    slack = world.slack
    async with world.restricted() as bot:
        await listening(bot)
        ts = await slack.mention(SECRET, "UANN", f"{CANARY} one")
        await until(lambda: world.whispers(SECRET), "the sentence", 30)
        await slack.mention(SECRET, "UANN", f"{CANARY} two")
        await slack.say(SECRET, "UBEN", f"{CANARY} three", ts)
        await slack.edit(SECRET, ts, text=f"<@{BOT}> {CANARY} four")
        await slack.mention(SECRET, "UANN", "memories")
        await until(lambda: len(world.whispers(SECRET)) == 2, "the command's answer", 30)
        hello = await slack.mention(GENERAL, "UANN", "hello")
        assert await slack.answer(GENERAL, hello) == "Noted."
        await slack.dm("UANN", "hello")
        assert await slack.answer(slack.dm_channel("UANN")) == "Noted."
        assert world.whispers(SECRET)[0] == ELSEWHERE
        assert ELSEWHERE not in world.whispers(SECRET)[1:]
        assert slack.answers(SECRET) == slack.answers(SECRET, ts) == []
        assert world.written == []
        assert CANARY not in world.asked


async def test_people_are_listed_by_account(world: World) -> None:
    """A linked account isn't served for the sake of the one it is linked to; it keeps its commands."""
    discord, slack = world.discord, world.slack
    async with world.bot() as bot:
        await listening(bot)
        offered = await (await discord.slash("ann", "link")).answer()
        code = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", offered.replace("\\", ""))
        assert code is not None
        asked = await slack.command("UANN", "link", code[0])
        assert (await slack.press("UANN", asked, "Join"))["text"].startswith("Linked: ")
    async with world.bot(BOT_PEOPLE=f"discord:{discord.user('ann').id}") as bot:
        await listening(bot)
        assert await discord.answer_to(await discord.say(world.there, "ann", "hello"), within=30) == "Noted."
        await slack.dm("UANN", CANARY)
        await until(lambda: world.whispers(slack.dm_channel("UANN")), "the sentence", 30)
        ben = await discord.dm("ben", CANARY)
        assert await discord.answer_to(ben) == ELSEWHERE
        assert (await slack.command("UANN", "help"))["text"]
        assert world.written == []
        assert CANARY not in world.asked


async def test_what_waits_is_dropped_once_it_is_served_no_more(world: World) -> None:
    """An answer that was promised before its place was taken off the list isn't given, and the question is gone."""
    discord, slack = world.discord, world.slack
    world.down = True
    async with world.bot() as bot:
        await listening(bot)
        asked = await discord.say(world.there, "ann", f"{CANARY} one")
        await discord.answer_to(asked, contains=FOLLOWS, within=30)
        ts = await slack.mention(SECRET, "UANN", f"{CANARY} two")
        await slack.answer(SECRET, ts, lambda text: text.endswith(FOLLOWS))
        kept = await discord.say(world.here, "ann", "three")
        await discord.answer_to(kept, contains=FOLLOWS, within=30)
    assert world.waiting == 3
    missed = await discord.say(world.there, "ben", f"{CANARY} four")
    slack.unheard(SECRET, "UBEN", f"<@{BOT}> {CANARY} five")
    world.down = False
    before = len(world.claude.requests)
    async with world.restricted() as bot:
        await listening(bot)
        await discord.answer_to(kept, contains="Noted.", within=90)
        await until(lambda: world.waiting == 0, "the questions are gone", 30)
        await asyncio.sleep(1)
    assert all(FOLLOWS in str(answer["content"]) for answer in discord.answers(asked))
    assert [FOLLOWS in str(answer["text"]) for answer in slack.answers(SECRET, ts)] == [True]
    assert discord.answers(missed) == []
    assert world.whispers(SECRET) == []
    assert CANARY not in str(world.claude.requests[before:])
