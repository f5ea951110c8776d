"""A question that is edited, deleted or stopped while its answer grows: the bot as a child process, at the wire."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest

from tests.fakes.claude import FakeClaude, Reply, Request, last_text
from tests.fakes.discord import FakeDiscord
from tests.fakes.discord_model import Channel
from tests.fakes.slack import FakeSlack
from tests.makers import alone
from tests.makers import until as eventually
from tests.whole.process import BotProcess

GENERAL = "C0GENERAL"
#: Seconds that anything may take: the bot may still be importing what it needs when it is asked.
PATIENCE = 60.0


async def soon(holds: Callable[[], bool]) -> None:
    """Wait until `holds()`."""
    await eventually(holds, PATIENCE)


def think(request: Request) -> Reply:
    """Say a few words about anything slow, and then no more; repeat the rest."""
    text = last_text(request)
    if "slowly" in text:
        return Reply(f"About {text.split()[-1]}: " + "one two three four five six seven. " * 3, hang_after=4)
    return Reply(f"You said: {text}")


class Side(Protocol):
    """A platform on which Ann asks."""

    name: str

    @property
    def env(self) -> dict[str, str]: ...
    async def ask(self, text: str) -> str: ...
    async def edit(self, asked: str, text: str) -> None: ...
    async def delete(self, asked: str) -> None: ...
    async def stop(self, asked: str) -> None: ...
    def shown(self, asked: str) -> list[str]: ...


class DiscordSide:
    """Discord, in a channel or a DM."""

    name = "discord"

    def __init__(self, discord: FakeDiscord, *, direct: bool) -> None:
        self._discord = discord
        self._channel: Channel = (
            discord.dm_with("ann") if direct else discord.add_channel(discord.add_guild(), "general")
        )

    @property
    def env(self) -> dict[str, str]:
        return {"DISCORD_TOKEN": self._discord.token, "DISCORD_API_BASE": self._discord.url}

    async def ask(self, text: str) -> str:
        return await self._discord.say(self._channel, "ann", text)

    async def edit(self, asked: str, text: str) -> None:
        mention = "" if self._channel.guild is None else f"<@{self._discord.bot.id}> "
        await self._discord.edit(self._channel, asked, mention + text)

    async def delete(self, asked: str) -> None:
        await self._discord.delete(self._channel, asked)

    async def stop(self, asked: str) -> None:
        (button,) = self.buttons(asked)
        await self.press(button, "ann")

    def buttons(self, asked: str) -> list[str]:
        """The custom ids of the buttons under an answer."""
        rows = [row for answer in self._discord.answers(asked) for row in answer.get("components") or []]
        return [button["custom_id"] for row in rows for button in row["components"]]

    async def press(self, custom_id: str, who: str) -> None:
        """Click a button under an answer."""
        shown = next(iter(self._channel.messages.values()))
        data = {"custom_id": custom_id, "component_type": 2}
        self.pressed = await self._discord.interact(3, who, self._channel, data, message=shown)

    def shown(self, asked: str) -> list[str]:
        return [alone(str(answer["content"])) for answer in self._discord.answers(asked)]


class SlackSide:
    """Slack, in a channel's thread or a DM."""

    name = "slack"

    def __init__(self, slack: FakeSlack, *, direct: bool) -> None:
        self._slack = slack
        self._direct = direct
        self._channel = slack.dm_channel("UANN") if direct else GENERAL

    @property
    def env(self) -> dict[str, str]:
        return self._slack.environment()

    async def ask(self, text: str) -> str:
        if self._direct:
            return await self._slack.dm("UANN", text)
        return await self._slack.mention(GENERAL, "UANN", text)

    async def edit(self, asked: str, text: str) -> None:
        message = next(message for message in self._slack.messages[self._channel] if message["ts"] == asked)
        mention = message["text"].split("> ")[0] + "> " if "> " in message["text"] else ""
        await self._slack.edit(self._channel, asked, text=mention + text)

    async def delete(self, asked: str) -> None:
        await self._slack.delete(self._channel, asked)

    async def stop(self, asked: str) -> None:
        await self._slack.say(self._channel, "UANN", "Stop.", None if self._direct else asked)

    def shown(self, asked: str) -> list[str]:
        answers = self._slack.answers(self._channel, None if self._direct else asked)
        return [alone(str(answer["text"])) for answer in answers if answer["ts"] > asked]


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    """A model that falls silent in the middle of some answers."""
    async with FakeClaude(think) as server:
        yield server


@pytest.fixture(params=["discord", "discord dm", "slack", "slack dm"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    """Each platform, where several people read and where one does."""
    name, direct = request.param.split()[0], request.param.endswith("dm")
    if name == "discord":
        async with FakeDiscord() as discord:
            yield DiscordSide(discord, direct=direct)
    else:
        async with FakeSlack() as slack:
            yield SlackSide(slack, direct=direct)


@pytest.fixture
async def bot(tmp_path: Path, claude: FakeClaude, side: Side) -> AsyncIterator[BotProcess]:
    """The bot, listening."""
    keys = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **side.env}
    async with BotProcess(tmp_path, keys) as process:
        await process.said(f"{side.name}: listening")
        yield process


def kept(folder: Path, select: str) -> list[tuple[str, ...]]:
    """Rows of the bot's own file."""
    with sqlite3.connect(f"file:{next((folder / 'data').glob('*.db'))}?mode=ro", uri=True) as file:
        return file.execute(select).fetchall()


async def growing(side: Side, asked: str) -> None:
    """Wait until some of the answer is shown."""
    await soon(lambda: any("one two" in text for text in side.shown(asked)))


async def grown(side: Side, asked: str, whole: Callable[[str], bool]) -> None:
    """Wait until one message shows the whole answer."""
    await soon(lambda: len(shown := side.shown(asked)) == 1 and whole(shown[0]))


async def test_an_edited_question_is_answered_anew(
    tmp_path: Path, claude: FakeClaude, side: Side, bot: BotProcess
) -> None:
    """In place, to the new text alone, which is what is kept and learned; the former request ends at once."""
    asked = await side.ask("Tell me slowly about badgers")
    await growing(side, asked)
    await side.edit(asked, "I meant otters")
    await grown(side, asked, lambda text: text == "You said: I meant otters")
    await soon(lambda: claude.open == 0)
    await soon(lambda: len(kept(tmp_path, "SELECT text FROM turns")) == 2)
    assert [text for (text,) in kept(tmp_path, "SELECT text FROM turns ORDER BY id")] == [
        "I meant otters",
        "You said: I meant otters",
    ]
    await soon(lambda: any("otters" in last_text(request) for request in claude.extractions))
    assert not any("badgers" in last_text(request) for request in claude.extractions)
    await side.ask("and now?")
    await soon(lambda: "and now?" in last_text(claude.chats[-1]))
    assert not any("badgers" in str(message["content"]) for message in claude.chats[-1]["messages"])


async def test_a_deleted_question_takes_its_answer_along(
    tmp_path: Path, claude: FakeClaude, side: Side, bot: BotProcess
) -> None:
    """What was shown is gone, nothing is kept, and the request ends at once; the next question is answered."""
    asked = await side.ask("Tell me slowly about badgers")
    await growing(side, asked)
    await side.delete(asked)
    await soon(lambda: side.shown(asked) == [] and claude.open == 0)
    following = await side.ask("Still there?")
    await grown(side, following, lambda text: text == "You said: Still there?")
    await soon(lambda: len(kept(tmp_path, "SELECT text FROM turns")) == 2)
    assert kept(tmp_path, "SELECT event_id FROM inbox") == []
    for table in ("turns", "exchanges"):
        assert not any("badgers" in text for (text,) in kept(tmp_path, f"SELECT text FROM {table}"))


async def test_an_answer_is_stopped_by_its_asker(
    tmp_path: Path, claude: FakeClaude, side: Side, bot: BotProcess
) -> None:
    """What is shown stays, marked; the question is learned from, and the answer isn't."""
    asked = await side.ask("Tell me slowly about badgers")
    await growing(side, asked)
    await side.stop(asked)
    await grown(side, asked, lambda text: text.endswith("… (stopped)"))
    if isinstance(side, DiscordSide):
        assert side.buttons(asked) == []
    (shown,) = side.shown(asked)
    assert shown.startswith("About badgers: one two")
    await soon(lambda: claude.open == 0)
    await soon(lambda: len(kept(tmp_path, "SELECT text FROM turns")) == 1)
    await soon(lambda: any("badgers" in last_text(request) for request in claude.extractions))
    assert not any("one two" in last_text(request) for request in claude.extractions)
    assert len(claude.chats) == 1
    assert kept(tmp_path, "SELECT event_id FROM inbox") == []


async def test_nobody_else_can_stop_an_answer(tmp_path: Path, claude: FakeClaude) -> None:
    """On Discord whoever else clicks the button is told so, alone; it goes once the answer is whole."""
    claude.handler = lambda request: Reply("one two three four five six seven eight. " * 3, hang_after=4)
    async with FakeDiscord() as discord:
        side = DiscordSide(discord, direct=False)
        keys = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **side.env}
        async with BotProcess(tmp_path, keys) as bot:
            await bot.said("discord: listening")
            asked = await side.ask("Tell me about badgers")
            await growing(side, asked)
            (button,) = side.buttons(asked)
            await side.press(button, "ben")
            await soon(lambda: bool(side.pressed.callbacks))
            assert side.pressed.ephemeral
            assert "Only whoever asked" in side.pressed.callbacks[0]["data"]["content"]
            claude.release()
            await grown(side, asked, lambda text: text.endswith("eight."))
            assert side.buttons(asked) == []
            await side.press(button, "ann")  # from a client that still shows it
            await soon(lambda: bool(side.pressed.callbacks))
            assert side.pressed.callbacks[0]["type"] == 6
            assert side.shown(asked)[0].endswith("eight.")
