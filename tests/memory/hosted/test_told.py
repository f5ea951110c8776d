"""Facts kept word for word in hosted mem0, which queues its work."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.model import Source, Told
from bot.ports import MemoryUnavailable, Superseded
from tests.fakes.mem0 import FakeMem0, Fault
from tests.harness import Clock
from tests.makers import until
from tests.memory.hosted.world import ANN, NOW, Process, adds, process, said

LOCKER = "My locker is 4711"


@pytest.fixture
async def mem0() -> AsyncIterator[FakeMem0]:
    async with FakeMem0() as service:
        yield service


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW.timestamp())


@pytest.fixture
async def bot(tmp_path: Path, mem0: FakeMem0, clock: Clock) -> AsyncIterator[Process]:
    async with process(tmp_path, mem0.url, clock=clock) as running:
        yield running


async def asked(bot: Process, number: int = 1) -> Told:
    """A message that asks to have something kept, and is being answered."""
    event = said(number, "Remember that my locker is 4711.")
    assert await bot.journal.inbox.admit(event) is not None
    source = Source(event.id, event.at, event.place.name, event.link, event.person.key)
    return Told(ANN, event.place.scope, (LOCKER,), source, asked_by=event.id)


async def test_it_is_kept_as_it_was_said_once(mem0: FakeMem0, bot: Process) -> None:
    """mem0 extracts nothing from it, and an answer that is redone adds nothing; it is forgotten with its message."""
    told = await asked(bot)
    assert await bot.memory.remember(told) == [True]
    assert await bot.memory.remember(told) == [True]
    assert await bot.texts() == [LOCKER]
    (add,) = adds(mem0)
    assert add.body["infer"] is False
    assert await bot.memory.remember(await asked(bot, 2)) == [False]
    assert await bot.journal.adds.unfinished() == []
    await bot.memory.forget_sources([told.source.event_id], ANN)
    assert mem0.rows == []


@pytest.mark.parametrize("after", [False, True])
async def test_a_lost_answer_neither_loses_nor_doubles_it(
    mem0: FakeMem0, bot: Process, clock: Clock, after: bool
) -> None:
    """Where the connection is cut, before or after mem0 has it, the next attempt finds out which."""
    told = await asked(bot)
    mem0.faults.append(Fault("POST", "/v3/memories/add/", 0, after=after))
    with pytest.raises(MemoryUnavailable):
        await bot.memory.remember(told)
    clock.now += 60
    assert await bot.memory.remember(told) == [True]
    assert await bot.texts() == [LOCKER]
    assert len(adds(mem0)) == (1 if after else 2)


async def test_what_is_forgotten_meanwhile_does_not_come_back(mem0: FakeMem0, bot: Process) -> None:
    """Before mem0 is asked, or while its work is queued."""
    told = await asked(bot)
    await bot.journal.texts.forget_person(ANN, [ANN])
    with pytest.raises(Superseded):
        await bot.memory.remember(told)
    assert adds(mem0) == []

    mem0.release = asyncio.Event()
    again = await asked(bot, 2)
    keeping = asyncio.create_task(bot.memory.remember(again))
    await until(lambda: bool(adds(mem0)))
    await bot.journal.texts.forget_person(ANN, [ANN])
    forgetting = asyncio.create_task(bot.memory.forget_all(ANN))
    await asyncio.sleep(0)
    mem0.release.set()
    await forgetting
    with pytest.raises((Superseded, MemoryUnavailable)):
        await keeping
    await bot.memory.tidy()
    assert mem0.rows == []


async def test_what_mem0_has_not_finished_is_finished_later(mem0: FakeMem0, bot: Process) -> None:
    """The answer says that it will be tried; what was left is looked after beside everything else."""
    mem0.release = asyncio.Event()
    told = await asked(bot)
    with pytest.raises(MemoryUnavailable):
        await bot.memory.remember(told)
    mem0.release.set()
    await until(lambda: bool(mem0.rows))
    await bot.memory.tidy()
    assert await bot.journal.adds.unfinished() == []
    assert await bot.memory.remember(told) == [True]
    assert await bot.texts() == [LOCKER]
