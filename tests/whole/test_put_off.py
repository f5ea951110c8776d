"""An answer that was put off, in a place whose readers have changed meanwhile: the bot as a child process."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.core.answer import FOLLOWS
from bot.model import Audience, Place
from tests.fakes import claude as fake_claude
from tests.fakes.claude import OVERLOADED, FakeClaude, Reply, briefing
from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack, Fault
from tests.makers import DM, GENERAL, SECRET, message, until
from tests.whole.process import BotProcess

OPEN, CLOSED = "I like tea.", "I like gin."
QUESTION = "What do I like?"


class Model:
    """Claude, which is overloaded while it is `down`."""

    def __init__(self) -> None:
        self.down = False

    def __call__(self, request: fake_claude.Request) -> Reply | str:
        if fake_claude.is_extraction(request):
            return fake_claude.default(request)
        return OVERLOADED if self.down else "Noted."


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    """A Messages API on loopback."""
    async with FakeClaude(Model()) as server:
        yield server


def down(claude: FakeClaude, *, is_down: bool) -> None:
    """Let Claude be overloaded, or no longer."""
    assert isinstance(claude.handler, Model)
    claude.handler.down = is_down


def settings(claude: FakeClaude) -> dict[str, str]:
    """What every run has in common."""
    return {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url}


def with_answer(claude: FakeClaude) -> str:
    """What was known for the last answer, and the conversation it was shown."""
    return f"{briefing(claude.chats[-1])} {claude.chats[-1]['messages'][:-1]}"


async def test_slack(tmp_path: Path, claude: FakeClaude) -> None:
    """A closed channel that was opened meanwhile, and a public one that another organisation reads by now."""
    async with FakeSlack() as slack, BotProcess(tmp_path, {**settings(claude), **slack.environment()}) as bot:
        await bot.said("slack: listening")
        for channel, text in (("C0GENERAL", OPEN), ("G0SECRET0", CLOSED)):
            ts = await slack.mention(channel, "UANN", text)
            assert await slack.answer(channel, ts) == "Noted."
        await until(lambda: len(claude.extractions) == 2, 30)
        for channel, change, known, unknown in (
            ("G0SECRET0", {"is_private": False}, [OPEN], [CLOSED]),
            ("C0GENERAL", {"is_ext_shared": True}, [], [OPEN, CLOSED]),
        ):
            down(claude, is_down=True)
            ts = await slack.mention(channel, "UANN", QUESTION)
            await slack.answer(channel, ts, lambda text: text.endswith(FOLLOWS))
            slack.channels[channel] |= change
            down(claude, is_down=False)
            await slack.answer(channel, ts, lambda text: text == "Noted.")
            used = with_answer(claude)
            assert [text for text in known if text not in used] == []
            assert [text for text in unknown if text in used] == []


async def test_an_answer_that_slack_could_not_take(tmp_path: Path, claude: FakeClaude) -> None:
    """It is shown once Slack takes it, and Claude isn't asked again; unless others read along by then."""
    async with FakeSlack() as slack, BotProcess(tmp_path, {**settings(claude), **slack.environment()}) as bot:
        await bot.said("slack: listening")
        for change, asked in (({}, 1), ({"is_ext_shared": True}, 3)):
            slack.fail("chat.postMessage", *[Fault(error="internal_error")] * 4)
            ts = await slack.mention("C0GENERAL", "UANN", QUESTION)
            await bot.said("failed: ConnectionError", 30)
            bot.log.clear()
            slack.channels["C0GENERAL"] |= change
            assert await slack.answer("C0GENERAL", ts) == "Noted."
            assert len(slack.answers("C0GENERAL", ts)) == 1
            assert len(claude.chats) == asked


async def test_discord(tmp_path: Path, claude: FakeClaude) -> None:
    """A closed channel that was opened meanwhile."""
    async with FakeDiscord() as discord:
        env = {**settings(claude), "DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        guild = discord.add_guild()
        general, secret = discord.add_channel(guild, "general"), discord.add_channel(guild, "secret", private=True)
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            for channel, text in ((general, OPEN), (secret, CLOSED)):
                told = await discord.say(channel, "ann", text)
                assert await discord.answer_to(told, within=30) == "Noted."
            await until(lambda: len(claude.extractions) == 2, 30)
            down(claude, is_down=True)
            asked = await discord.say(secret, "ann", QUESTION)
            await discord.answer_to(asked, contains=FOLLOWS, within=30)
            secret.private = False
            await discord.gateway.dispatch("CHANNEL_UPDATE", secret.payload())
            down(claude, is_down=False)
            await discord.answer_to(asked, contains="Noted.", within=60)
            assert OPEN in with_answer(claude)
            assert CLOSED not in with_answer(claude)


CONNECT = Place("slack", "T1", "C1", "100.1", Audience.MEMBERS, "#general", external=True)
CLOSED_GENERAL = Place("slack", "T1", "C1", "100.1", Audience.MEMBERS, "#general")
OPEN_SECRET = Place("slack", "T1", "C2", "200.1", Audience.PUBLIC, "#secret")


@pytest.mark.parametrize(
    ("asked", "given", "recalled", "learned", "opened"),
    [
        (GENERAL, GENERAL, {"public:slack:T1", "shared"}, "public:slack:T1", False),
        (GENERAL, CLOSED_GENERAL, {"public:slack:T1", "shared"}, "members:slack:T1:C1", False),
        (GENERAL, CONNECT, {"shared"}, "members:slack:T1:C1", True),
        (CONNECT, GENERAL, {"shared"}, "members:slack:T1:C1", True),
        (CLOSED_GENERAL, CONNECT, {"members:slack:T1:C1", "shared"}, "members:slack:T1:C1", True),
        (SECRET, OPEN_SECRET, {"public:slack:T1", "shared"}, "members:slack:T1:C2", True),
        (DM, DM, None, "private", False),
        (GENERAL, GENERAL.narrowest, {"shared"}, "members:slack:T1:C1", True),
        (DM, DM.narrowest, None, "private", False),
    ],
)
def test_the_narrower_of_both(
    asked: Place, given: Place, recalled: set[str] | None, learned: str, opened: bool
) -> None:
    """What may be recalled where it was asked and where it is given, and what is learned for the narrower of both."""
    event = replace(message("hi", place=asked), given=given)
    assert (event.recallable, event.scope, event.opened) == (recalled, learned, opened)
