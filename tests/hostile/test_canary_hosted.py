"""Forgotten means gone, on hosted mem0: the real store and journal against the service on loopback."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.config import Settings
from bot.journal.opening import open_journal
from bot.memory.hosted.memory import HostedMemory
from bot.model import Person
from bot.ports import MemoryUnavailable
from tests.fakes.mem0 import KEY, FakeMem0
from tests.harness import Clock
from tests.hostile.world import World
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, message, until
from tests.stubs import StubChat

CANARY = "zebrafinch"
#: Another account of Ann's.
ELSEWHERE = Person("discord", "", "7")


@pytest.fixture
async def mem0() -> AsyncIterator[FakeMem0]:
    """The service."""
    async with FakeMem0() as service:
        yield service


@asynccontextmanager
async def opened(
    folder: Path, mem0: FakeMem0, clock: Clock, patience: float = 5, first: int = 1
) -> AsyncIterator[World]:
    """A process of the bot on a folder; `patience` is how long it follows an add, by a clock that runs fast."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 500)

    settings = Settings(_env_file=None, bot_data_dir=folder)  # type: ignore[call-arg] # pydantic-settings' own
    journal = await open_journal(settings, clock)
    memory = await HostedMemory.open(KEY, mem0.url, journal.adds, patience=patience, sleep=sleep, clock=clock)
    world = World(journal, memory, StubChat(reply=lambda _: "Noted."), folder, first)
    try:
        yield world
    finally:
        await world.learner.stop(5)
        await memory.close()
        await journal.close()


def rows(mem0: FakeMem0) -> list[str]:
    """What the service holds of the canary, in texts or metadata."""
    return [row["id"] for row in mem0.rows if CANARY in json.dumps(row)]


def queued(mem0: FakeMem0) -> int:
    """How many adds the service has taken in."""
    return len(mem0.requests("POST", "/v3/memories/add/"))


async def tell(world: World) -> None:
    """Have the canary learned in a direct message, a channel and by a linked account, edited and shared."""
    await world.say(f"My bird is a {CANARY}.")
    await world.say("I like tea.")
    await world.say(f"The {CANARY} is blue.", place=GENERAL)
    await world.say("I like coffee.", BOB, name="Bob")
    await world.say(f"My {CANARY} eats seeds.", ELSEWHERE)
    await world.learn()
    await world.journal.codes.offer(ANN.key, "digest")
    joined = await world.journal.codes.redeem(ELSEWHERE.key, "digest")
    assert joined is not None
    assert await world.eraser.joined(joined) is not None
    tea = next(memory for memory in await world.memories() if "tea" in memory.text)
    bird = next(memory for memory in await world.memories() if CANARY in memory.text)
    assert await world.memory.edit(ANN.key, tea.id, f"calls the {CANARY} Zoe", MONDAY)
    assert await world.memory.share(ANN.key, bird.id, shared=True)


async def assert_gone(world: World, mem0: FakeMem0) -> None:
    """Neither service, files, export nor the next prompt hold it; what Bob told is there."""
    chat = world.chat
    assert isinstance(chat, StubChat)
    assert rows(mem0) == []
    assert world.holding(CANARY) == []
    assert CANARY not in json.dumps(await world.rights.export(ANN.key))
    for person, place in ((ANN, DM), (ANN, GENERAL), (ELSEWHERE, DM)):
        await world.say("What is my bird?", person, place=place)
        assert CANARY not in str(chat.prompts[-1])
    assert [memory.text for memory in await world.memories(BOB)] == ["Bob: I like coffee."]


@pytest.mark.parametrize("when", ["before", "meanwhile", "afterwards"])
async def test_forgotten_means_gone(
    tmp_path: Path, mem0: FakeMem0, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    """Told, learned, edited, shared, waiting, queued at mem0 and in hand, then forgotten: nothing holds it ever after.

    The queued add ends before the forgetting, during it, or only after that has given up waiting for it.
    """
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    folder = tmp_path / "data"
    async with opened(folder, mem0, clock, patience=1e9) as world:
        await tell(world)
        mem0.release = asyncio.Event()
        await world.say(f"The {CANARY} sings.")
        before = queued(mem0)
        learning = asyncio.create_task(world.learn())
        await until(lambda: queued(mem0) > before)
        await world.say(f"The {CANARY} flies.")
        in_hand = message(f"Is my {CANARY} pretty?", number=99)
        conversation = await world.journal.inbox.admit(in_hand)
        assert conversation is not None
        assert rows(mem0)
        assert world.holding(CANARY)

        if when == "before":
            mem0.release.set()
            await until(lambda: len(rows(mem0)) == 5)
        forgetting = asyncio.create_task(world.rights.forget_everything(ANN.key))
        if when == "meanwhile":
            await until(lambda: world.holding(CANARY) == [])
            mem0.release.set()
        outcome = await forgetting
        assert (outcome.memories is None) == (when == "afterwards")
        mem0.release.set()
        await learning
        await world.journal.inbox.answered(in_hand, ANN.key, conversation, f"Your {CANARY} is.", ["a99"], learn=True)
        await world.learn()
        clock.now += 3600
        await world.eraser.tick()
        await world.learner.resume()
        await world.learn()
        await assert_gone(world, mem0)
    async with opened(folder, mem0, clock, first=50) as world:
        await world.learner.resume()
        await world.learn()
        await world.eraser.tick()
        await assert_gone(world, mem0)
    assert world.holding(CANARY) == []
    assert CANARY not in caplog.text


@pytest.mark.parametrize("when", ["meanwhile", "afterwards"])
async def test_a_deleted_message_leaves_nothing(
    tmp_path: Path, mem0: FakeMem0, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    """A message that is deleted on its platform while its add is queued is learned by nobody, and the others are."""
    caplog.set_level(logging.DEBUG)
    async with opened(tmp_path / "data", mem0, Clock(), patience=1e9) as world:
        await world.say("I like coffee.", BOB, name="Bob")
        await world.learn()
        mem0.release = asyncio.Event()
        event = await world.say(f"My bird is a {CANARY}.")
        await world.say("I like tea.")
        before = queued(mem0)
        learning = asyncio.create_task(world.learn())
        await until(lambda: queued(mem0) > before)
        if when == "meanwhile":
            await world.changes.on_deleted([event.id])
            mem0.release.set()
        else:
            mem0.release.set()
            await learning
            assert rows(mem0)
            await world.changes.on_deleted([event.id])
        await learning
        await world.learner.resume()
        await world.learn()  # what was being learned beside it begins anew
        assert [memory.text for memory in await world.memories()] == ["Ann: I like tea."]
        await assert_gone(world, mem0)
    assert world.holding(CANARY) == []
    assert CANARY not in caplog.text


async def test_an_edit_under_way_is_forgotten_too(tmp_path: Path, mem0: FakeMem0) -> None:
    """A memory's new text that is still queued at mem0 when its person forgets everything leaves nothing either."""
    clock = Clock()
    async with opened(tmp_path / "data", mem0, clock, patience=3) as world:
        await world.say("I like coffee.", BOB, name="Bob")
        await world.say("I like tea.")
        await world.learn()
        (tea,) = await world.memories()
        mem0.release = asyncio.Event()
        with pytest.raises(MemoryUnavailable):
            await world.memory.edit(ANN.key, tea.id, f"calls the {CANARY} Zoe", MONDAY)
        assert (await world.rights.forget_everything(ANN.key)).memories is None
        mem0.release.set()
        clock.now += 3600
        await world.eraser.tick()
        await assert_gone(world, mem0)
        assert not (await world.journal.accounts.account(ANN.key)).erasing
        assert all(event["status"] == "SUCCEEDED" for event in mem0.events.values())


async def test_an_edit_that_meets_a_forgetting_leaves_nothing(tmp_path: Path, mem0: FakeMem0) -> None:
    """An edit that was begun before everything is forgotten, and ends after it, is taken back."""
    async with opened(tmp_path / "data", mem0, Clock(), patience=1e9) as world:
        await world.say("I like coffee.", BOB, name="Bob")
        await world.say("I like tea.")
        await world.learn()
        (tea,) = await world.memories()
        mem0.release = asyncio.Event()
        before = queued(mem0)
        editing = asyncio.create_task(world.memory.edit(ANN.key, tea.id, f"calls the {CANARY} Zoe", MONDAY))
        await until(lambda: queued(mem0) > before)
        assert (await world.rights.forget_everything(ANN.key)).memories is None
        mem0.release.set()
        assert await editing is None
        assert rows(mem0) == []
        assert await world.memories() == []
