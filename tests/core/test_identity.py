"""One person on Slack, whom earlier versions called by several workspaces: journal and memory, all of them real."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.identity import FIRST_LOOK, Identities
from bot.model import Person
from bot.ports import MemoryUnavailable
from bot.privacy.operator import PersonCommands
from tests.fakes.mem0 import FakeMem0
from tests.harness import ANN_ON_DISCORD, DISCORD_DM, DM, GENERAL, SECRET, BotHarness, Clock, opened
from tests.makers import ANN, BOB
from tests.memory.hosted import world as hosted_world
from tests.parts import make_privacy

CANARY = "zebrafinch"
FORMER, OTHER = Person("slack", "T2", ANN.user), Person("slack", "T3", ANN.user)


@pytest.fixture(params=["sqlite", "postgres"])
async def before(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BotHarness]:
    """The version before, on each store of ours: Ann has told something by each of three keys, Bob by his."""
    url = str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else None
    async with opened(tmp_path / "data", url=url) as harness:
        await harness.tell("I like tea.", ANN)
        await harness.tell(f"My bird is a {CANARY}.", FORMER)
        await harness.tell("I live in Porto.", OTHER, GENERAL)
        await harness.tell("I like coffee.", Person("slack", "T2", BOB.user))
        yield harness


async def upgraded(harness: BotHarness) -> BotHarness:
    """The next version, on what the one before has left."""
    identities = Identities(harness.journal.accounts, harness.memory)
    harness.bind(make_privacy(harness.journal, harness.memory, identities, harness.learner, grace=0))
    await harness.identities.look()
    return harness


def left(harness: BotHarness) -> list[str]:
    """The files of a data folder that hold the canary; on PostgreSQL that is looked at elsewhere."""
    return harness.holding(CANARY) if harness.settings.database_url is None else []


ALL = ["I like tea.", "I live in Porto.", f"My bird is a {CANARY}."]


async def test_what_lies_under_former_keys_is_the_persons(before: BotHarness) -> None:
    """What was told by whatever key is recalled, each where it may be, and nothing of anybody else's."""
    harness = await upgraded(before)
    assert await harness.recalled("What do you know?") == ALL
    assert await harness.recalled("What do you know?", place=GENERAL) == ["I live in Porto."]
    assert await harness.known() == ALL
    assert await harness.known(BOB) == ["I like coffee."]
    await harness.tell("I play chess.", ANN)
    assert await harness.known() == sorted([*ALL, "I play chess."])


async def test_forgetting_everything_reaches_all_keys(before: BotHarness) -> None:
    """A command by one key forgets what messages by others have taught, and what waits to be learned of them."""
    await before.hear(f"The {CANARY} sings.", FORMER)
    harness = await upgraded(before)
    view = await harness.run("forget")
    # What waits may have been learned by now, or not: it goes either way.
    assert "3 things" in view.title or "4 things" in view.title
    assert "linked" not in view.title
    done = await harness.press(view, "Forget everything")
    assert "Everything is forgotten" in done.title
    await harness.learn()
    assert await harness.known() == []
    assert await harness.known(FORMER) == []
    assert left(harness) == []
    assert await harness.known(BOB) == ["I like coffee."]


async def test_what_waits_goes_along(before: BotHarness) -> None:
    """What was said by a former key and not learned yet is learned as the person's own."""
    event = await before.hear("I play the cello.", FORMER, SECRET)
    harness = await upgraded(before)
    await harness.identities.account(ANN)
    turns = await harness.journal.turns.recent(f"{event.place.key}#members")
    assert [turn.person_key for turn in turns] == [ANN.key, ""]
    await harness.learn()
    assert "I play the cello." in await harness.known()


async def test_killed_in_between(tmp_path: Path) -> None:
    """A process that dies once the keys are joined, before the memories have moved, loses none."""
    clock = Clock()
    async with opened(tmp_path / "data", clock) as harness:
        await harness.tell(f"My bird is a {CANARY}.", FORMER)
        assert await harness.journal.accounts.unite(FORMER.key, ANN.key) is not None
        assert await harness.journal.accounts.unite(FORMER.key, ANN.key) is None
    clock.now += 120
    async with opened(tmp_path / "data", clock) as harness:
        await upgraded(harness)
        await harness.eraser.tick()
        assert await harness.known() == [f"My bird is a {CANARY}."]


async def test_met_by_two_at_once(before: BotHarness) -> None:
    """Messages and commands at the same moment, in two processes, join a person's keys once."""
    harness = await upgraded(before)
    other = Identities(harness.journal.accounts, harness.memory)
    make_privacy(harness.journal, harness.memory, other)
    await other.look()
    found = await asyncio.gather(
        *(identities.user_id(ANN) for identities in (harness.identities, other) for _ in range(5))
    )
    assert set(found) == {ANN.key}
    assert sorted(await harness.journal.accounts.linked_to(ANN.key)) == [FORMER.key, OTHER.key]
    assert await harness.known() == ALL


async def test_linked_and_unlinked(before: BotHarness) -> None:
    """Former keys are no accounts that anybody sees linked, and go with their own when that is parted."""
    harness = await upgraded(before)
    assert "isn't linked" in (await harness.run("unlink")).title
    code = (await harness.run("link")).title.removeprefix("Your code is ")
    await harness.tell("I like gin.", ANN_ON_DISCORD, DISCORD_DM)
    asked = await harness.run("link", code, ANN_ON_DISCORD, DISCORD_DM)
    joined = await harness.press(asked, "Join", ANN_ON_DISCORD)
    assert [item.text for item in joined.items] == ["Linked with your Slack account"]
    assert await harness.known(ANN_ON_DISCORD) == sorted([*ALL, "I like gin."])
    assert "all 2 of your linked accounts" in (await harness.run("forget")).title
    await harness.run("unlink")
    assert (await harness.known(), await harness.known(ANN_ON_DISCORD)) == (ALL, ["I like gin."])
    assert sorted(await harness.journal.accounts.linked_to(ANN.key)) == [FORMER.key, OTHER.key]


@pytest.mark.parametrize("first", [ANN, ANN_ON_DISCORD])
async def test_linked_before(tmp_path: Path, first: Person) -> None:
    """An account that was linked by a former key is linked with the person, and can be parted from them."""
    async with opened(tmp_path / "data") as harness:
        code = (await harness.run("link", person=FORMER)).title.removeprefix("Your code is ")
        await harness.tell("I like tea.", FORMER)
        await harness.tell("I like gin.", ANN_ON_DISCORD, DISCORD_DM)
        asked = await harness.run("link", code, ANN_ON_DISCORD, DISCORD_DM)
        await harness.press(asked, "Join", ANN_ON_DISCORD)
        await harness.tell("I like milk.", ANN)
        await upgraded(harness)
        everything = ["I like gin.", "I like milk.", "I like tea."]
        assert await harness.known() == everything
        await harness.run("unlink", person=first)
        assert await harness.known(ANN_ON_DISCORD) == ["I like gin."]
        assert await harness.known() == ["I like milk.", "I like tea."]


async def test_the_workspace_leaves(before: BotHarness) -> None:
    """What was told by a person's former keys goes with the workspace that they are a person of."""
    harness = await upgraded(before)
    await harness.identities.account(ANN)
    await harness.tell("I like gin.", ANN_ON_DISCORD, DISCORD_DM)
    await harness.changes.on_removed("slack", "T1")
    await harness.eraser.tick()
    assert await harness.known() == []
    assert left(harness) == []
    assert await harness.known(ANN_ON_DISCORD) == ["I like gin."]
    assert await harness.journal.accounts.linked_to(ANN.key) == []


@pytest.mark.parametrize("met", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("named", [ANN, FORMER, Person("slack", "T9", ANN.user)], ids=["own", "former", "neither"])
async def test_the_operator(before: BotHarness, capsys: pytest.CaptureFixture[str], named: Person, met: bool) -> None:
    """`export` and `erase` find all of a person by whatever workspace they are named with, joined yet or not."""
    harness = await upgraded(before)
    if met:
        await harness.identities.account(ANN)
    commands = PersonCommands(harness.identities, harness.rights)
    assert await commands.export(named) == 0
    exported = json.loads(capsys.readouterr().out)
    assert sorted(memory["text"] for memory in exported["memories"]) == ALL
    assert len(exported["turns"]) == 6
    assert await commands.erase(named, None) == 0
    assert "3 memories" in capsys.readouterr().out
    assert await harness.known() == []
    assert left(harness) == []
    assert await commands.erase(named, None) == 3
    assert await harness.known(Person("slack", "T2", BOB.user)) == ["I like coffee."]


async def test_hosted(tmp_path: Path) -> None:
    """At hosted mem0 memories stay where they are, and are found, recalled and forgotten as the person's own."""
    person = "slack:T1:U7"
    async with FakeMem0() as mem0, hosted_world.process(tmp_path, mem0.url) as bot:
        event = hosted_world.said(1, f"My bird is a {CANARY}", "slack:T2:U7")
        assert event.person.key == "slack:T2:U7"
        await bot.memory.learn([await bot.hear(event)])
        await bot.tell(2, "I like coffee", "slack:T2:U8")
        identities = Identities(bot.journal.accounts, bot.memory)
        privacy = make_privacy(bot.journal, bot.memory, identities)
        await identities.look()
        account = await identities.account(Person("slack", "T1", "U7"))
        assert account.user_id == person
        assert await bot.texts(person) == [f"My bird is a {CANARY}"]
        await privacy.changes.on_deleted([event.id])
        assert await bot.texts(person) == []
        await bot.tell(3, "I like tea", "slack:T2:U7")
        outcome = await privacy.rights.forget_everything(person)
        assert outcome.memories == 1
        assert await bot.texts("slack:T2:U7") == []
        assert await bot.texts("slack:T2:U8") == ["I like coffee"]


async def test_a_store_that_fails_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Where it can't be told under which keys there is anything, people are answered all the same, by their own."""

    class Failing:
        """A memory store that is out of reach."""

        async def people(self, platform: str) -> list[str]:
            raise MemoryUnavailable("down")

    async with opened(tmp_path / "data") as harness:
        identities = Identities(harness.journal.accounts, Failing())
        looking = asyncio.create_task(identities.run())
        try:
            async with asyncio.timeout(FIRST_LOOK / 2):
                assert await identities.user_id(ANN) == ANN.key
        finally:
            looking.cancel()


async def test_nothing_to_do_where_there_is_one_key(tmp_path: Path) -> None:
    """Without former keys nothing is linked and no key changes."""
    async with opened(tmp_path / "data") as harness:
        await harness.tell("I like tea.", ANN)
        await upgraded(harness)
        assert await harness.identities.user_id(ANN) == ANN.key == "slack:T1:UANN"
        assert await harness.journal.accounts.linked_to(ANN.key) == []
        assert await harness.known(ANN) == ["I like tea."]
        assert await harness.recalled("tea", place=DM) == ["I like tea."]
