"""*Ask about this* on Discord: the bot as a child process, asked about what others say, of which nothing is left."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from signal import SIGKILL

import pytest

from adapters.discord.asking import GONE, NAME
from bot.core.served import ELSEWHERE
from tests.fakes import claude as fake_claude
from tests.fakes.claude import FakeClaude, Reply
from tests.fakes.discord import Channel, FakeDiscord, Interaction, until
from tests.whole.process import BotProcess

#: In what Ben says, and in nothing that is written down.
CANARY = "canary"
SLOWLY = "slowly"


class World:
    """Discord, and a model that repeats what it is asked."""

    def __init__(self, folder: Path, claude: FakeClaude, discord: FakeDiscord) -> None:
        self.folder = folder
        self.claude = claude
        self.discord = discord
        claude.handler = self._answer
        self.guild = discord.add_guild("home")
        self.general = discord.add_channel(self.guild, "general")

    @staticmethod
    def _answer(request: fake_claude.Request) -> Reply | str:
        if fake_claude.is_extraction(request):
            return fake_claude.default(request)
        asked = fake_claude.last_text(request)
        return Reply(f"It says: {asked}", hang_after=1 if SLOWLY in asked else None)

    def bot(self, **more: str) -> BotProcess:
        """The bot, not started yet; it logs all that it can."""
        settings = {"DISCORD_TOKEN": self.discord.token, "DISCORD_API_BASE": self.discord.url}
        settings |= {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": self.claude.url, "BOT_LOG_LEVEL": "DEBUG"}
        return BotProcess(self.folder, {**settings, **more})

    async def choose(self, text: str = f"The {CANARY} sings.", channel: Channel | None = None) -> Interaction:
        """Ann chooses a message of Ben's, of which no event tells the bot."""
        where = channel or self.general
        message = self.discord.message(where, self.discord.user("ben"), text)
        return await self.discord.choose_message("ann", message, where, NAME)

    async def ask(self, question: str, channel: Channel | None = None) -> Interaction:
        """Ann asks about it."""
        return await self.discord.fill_in("ann", question, await self.choose(channel=channel))

    @property
    def written(self) -> list[str]:
        """The files of the data folder that hold the canary."""
        files = [path for path in (self.folder / "data").iterdir() if path.is_file()]
        return [path.name for path in files if CANARY.encode() in path.read_bytes()]

    def count(self, table: str) -> int:
        """How many rows a table of the journal has."""
        with closing(sqlite3.connect(self.folder / "data" / "bot.db")) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Discord and the model, on loopback."""
    async with FakeClaude() as claude, FakeDiscord() as discord:
        yield World(tmp_path, claude, discord)


async def test_what_is_asked_about_is_written_nowhere(world: World) -> None:
    """Claude is shown the message, and what Ann has said in private; neither it nor the answer is on disk or in a log.

    Nothing of the question is a turn, or learned; what it took is counted.
    """
    bot = world.bot()
    async with bot:
        await bot.said("discord: listening")
        await world.discord.answer_to(await world.discord.dm("ann", "I am afraid of birds."))
        await until(lambda: not world.count("exchanges"), "not learned", 30)
        before = {table: world.count(table) for table in ("turns", "messages", "inbox", "exchanges")}
        asked = await world.ask("Is that for me?")
        await until(lambda: CANARY in asked.content and "Is that for me?" in asked.content, "no answer", 30)
        assert asked.ephemeral
        request = world.claude.requests[-1]
        assert "afraid of birds" in fake_claude.briefing(request)
        await until(lambda: not world.count("reservations"), "still counted as in flight", 30)
        assert {table: world.count(table) for table in before} == before
        # What follows in the channel knows nothing of it.
        await world.discord.answer_to(await world.discord.say(world.general, "ann", "What did I ask?"))
        assert CANARY not in str(world.claude.requests[-1])
        assert world.written == []
    assert world.written == []
    assert not any(CANARY in line for line in (*bot.out, *bot.log))


async def test_the_form_comes_while_claude_is_slow(world: World) -> None:
    """With the model hanging, form and deferral are there: Discord gives each of them three seconds."""
    bot = world.bot()
    async with bot:
        await bot.said("discord: listening")
        slow = await world.ask(f"Tell me {SLOWLY}.")
        await asyncio.wait_for(world.claude.busy(1), 30)
        form = await world.choose()
        await until(lambda: form.form, "no form")
        second = await world.discord.fill_in("ann", f"And {SLOWLY}?", form)
        await until(lambda: second.callbacks, "not deferred")
        world.claude.release()
        await until(lambda: CANARY in slow.content and CANARY in second.content, "no answers", 30)


async def test_a_kill_in_the_middle_leaves_nothing(world: World) -> None:
    """The process dies while it answers: the next knows nothing of it, and the form has to be filled in again."""
    bot = world.bot()
    await bot.start()
    await bot.said("discord: listening")
    form = await world.choose()
    await until(lambda: form.form, "no form")
    asked = await world.ask(f"Tell me {SLOWLY}.")
    await asyncio.wait_for(world.claude.busy(1), 30)
    assert world.written == []
    await bot.end(SIGKILL)
    assert world.written == []
    world.claude.release()
    shown = asked.parts
    again = world.bot()
    async with again:
        await again.said("discord: listening")
        late = await world.discord.fill_in("ann", "And this?", form)
        assert await late.answer(30) == GONE
        requests = len(world.claude.requests)
        await world.discord.answer_to(await world.discord.dm("ann", "Hello"))
        assert len(world.claude.requests) == requests + 1
        assert asked.parts == shown
    assert world.written == []
    assert not any(CANARY in line for line in (*bot.out, *bot.log, *again.out, *again.log))


async def test_allow_lists_hold(world: World) -> None:
    """In a server that isn't listed the asker is told so, in a direct message a member is answered, a stranger not."""
    elsewhere = world.discord.add_channel(world.discord.add_guild("elsewhere"), "there")
    world.discord.join(world.guild, "ann")
    bot = world.bot(DISCORD_GUILDS=world.guild.id)
    async with bot:
        await bot.said("discord: listening")
        assert await (await world.ask("Why?", elsewhere)).answer(30) == ELSEWHERE
        group = world.discord.group_with("ann", "ben")
        assert await (await world.ask("Why?", group)).answer(30) == ELSEWHERE
        assert CANARY in await (await world.ask("Why?")).answer(30)
        assert CANARY in await (await world.ask("Why?", world.discord.dm_with("ann"))).answer(30)
        direct = world.discord.dm_with("eve")
        message = world.discord.message(direct, world.discord.bot, "Hello.")
        opened = await world.discord.choose_message("eve", message, direct, NAME)
        assert await (await world.discord.fill_in("eve", "Why?", opened)).answer(30) == ELSEWHERE
    assert len([request for request in world.claude.requests if not fake_claude.is_extraction(request)]) == 2


async def test_a_days_limit_holds(world: World) -> None:
    """With nothing left to spend, the asker is told when it goes on."""
    bot = world.bot(BOT_BUDGET_TOKENS_PER_DAY="1")
    async with bot:
        await bot.said("discord: listening")
        assert CANARY in await (await world.ask("Why?")).answer(30)
        await until(lambda: not world.count("reservations"), "still counted as in flight", 30)
        assert "limit for today" in await (await world.ask("Why?")).answer(30)
    assert len(world.claude.requests) == 1
