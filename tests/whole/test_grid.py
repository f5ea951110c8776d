"""Slack in an organisation with three workspaces, on what an earlier version has kept: the bot as a child process."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.model import Person
from tests.fakes import claude as fake_claude
from tests.fakes.claude import FakeClaude, briefing
from tests.fakes.slack import TEAM, FakeSlack
from tests.harness import opened
from tests.makers import until
from tests.whole.process import BotProcess

ORGANISATION, SISTER, THIRD = "E0FAKEORG", "T0SISTER1", "T0THIRD01"
SHARED = "C0SHARED"
BIRDS = {"UANN": "zebrafinch", "UBEN": "goldcrest", "UCAT": "hawfinch", "UDAN": "dunnock"}


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A workspace of the organisation, one channel of which all three share; its people are called by another."""
    async with FakeSlack() as slack:
        slack.enterprise = ORGANISATION
        slack.teams |= dict.fromkeys(BIRDS, SISTER)
        slack.add_channel(SHARED, "shared", is_org_shared=True, shared_team_ids=[TEAM, SISTER, THIRD])
        yield slack


def answers(request: fake_claude.Request) -> str:
    """A model that learns what it is told."""
    return fake_claude.default(request) if fake_claude.is_extraction(request) else "Noted."


async def kept_by_an_earlier_version(folder: Path) -> None:
    """Everybody has told the bot of their bird, and was called by the workspace that the message named."""
    async with opened(folder) as harness:
        for user, bird in BIRDS.items():
            await harness.tell(f"My bird is a {bird}.", Person("slack", SISTER, user))
        await harness.tell(f"The {BIRDS['UANN']} sings.", Person("slack", THIRD, "UANN"))


def on_disk(folder: Path, word: str) -> list[str]:
    """The files that hold a word."""
    return [file.name for file in sorted(folder.iterdir()) if file.is_file() and word.encode() in file.read_bytes()]


async def test_whatever_names_a_person_reaches_all_that_is_theirs(tmp_path: Path, slack: FakeSlack) -> None:
    """Whichever payload meets somebody first, what an earlier version kept is theirs, and what is forgotten is gone."""
    data = tmp_path / "data"
    await kept_by_an_earlier_version(data)
    async with FakeClaude(answers) as claude:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **slack.environment()}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("memory is ready")
            # Ann by a command, Ben by a message, Cat by the App Home, Dan by a mention where others read along.
            listed = await slack.command("UANN", "memories", channel=SHARED)
            assert (BIRDS["UANN"] in listed["text"], "sings" in listed["text"]) == (True, True)
            ts = await slack.dm("UBEN", "What is my bird?")
            await slack.answer(slack.dm_channel("UBEN"), after=ts)
            assert BIRDS["UBEN"] in briefing(claude.chats[-1])
            await slack.open_home("UCAT")
            home = await slack.home("UCAT")
            assert BIRDS["UCAT"] in json.dumps(home)
            ts = await slack.mention(SHARED, "UDAN", "What is my bird?")
            await slack.answer(SHARED, ts)
            assert BIRDS["UDAN"] not in briefing(claude.chats[-1])
            # A click in the App Home names the organisation, a command the workspace it was given in.
            assert "Memory is paused" in json.dumps(await slack.press("UCAT", {**home, "id": "V1"}, "Pause memory"))
            for user, things in (("UANN", "2 things"), ("UDAN", "1 thing")):
                slack.teams[user] = THIRD
                proposed = await slack.command(user, "forget", channel=SHARED)
                slack.teams[user] = TEAM
                done = await slack.press(user, proposed, "Forget everything", SHARED)
                assert done["text"].startswith(f"Everything is forgotten: {things}")
            await until(lambda: on_disk(data, BIRDS["UANN"]) == on_disk(data, BIRDS["UDAN"]) == [], 30)
            ts = await slack.dm("UANN", "What is my bird?")
            await slack.answer(slack.dm_channel("UANN"), after=ts)
            assert BIRDS["UANN"] not in str(claude.chats[-1])
    export = BotProcess(tmp_path, env, ["export", f"slack:{THIRD}:UBEN"])
    await export.start()
    assert await asyncio.wait_for(export.wait(), 60) == 0
    exported = json.loads("\n".join(export.out))
    assert [memory["text"] for memory in exported["memories"]] == [f"My bird is a {BIRDS['UBEN']}."]


async def test_nothing_of_one_workspace_reaches_another(tmp_path: Path, slack: FakeSlack) -> None:
    """What was told in a workspace's public channel is used in its channels alone, not where all three read along."""
    slack.teams.clear()
    slack.add_channel("C0SISTER", "sister")
    slack.add_channel("C0OTHER", "other")
    async with FakeClaude(answers) as claude:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **slack.environment()}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("memory is ready")
            told = {"C0GENERAL": TEAM, "C0SISTER": SISTER, SHARED: THIRD}
            for channel, team in told.items():
                slack.teams["UANN"] = team
                ts = await slack.mention(channel, "UANN", f"My bird is called {channel}.")
                await slack.answer(channel, ts)
            await until(lambda: len(claude.extractions) == 3, 30)
            known = {"C0OTHER": (TEAM, {"C0GENERAL"}), "C0SISTER": (SISTER, {"C0SISTER"}), SHARED: (TEAM, {SHARED})}
            for channel, (team, allowed) in known.items():
                slack.teams["UANN"] = team
                ts = await slack.mention(channel, "UANN", "What is my bird called?")
                await slack.answer(channel, ts)
                system = briefing(claude.chats[-1])
                assert {name for name in told if name in system} == allowed
            ts = await slack.dm("UANN", "What is my bird called?")
            await slack.answer(slack.dm_channel("UANN"), after=ts)
            assert all(channel in briefing(claude.chats[-1]) for channel in told)
