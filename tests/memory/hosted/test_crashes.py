"""Hosted mem0, and a process that ends between any two steps: learned once, changed once, and forgotten means gone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.events import Edited
from bot.ports import LearningFailed, MemoryUnavailable
from bot.privacy.time_range import TimeRange
from tests.fakes.mem0 import FakeMem0, Fault
from tests.faults.gate import Gate, Seen, Trap
from tests.harness import Clock
from tests.makers import until
from tests.memory.hosted.world import ANN, NOW, Process, adds, process, said
from tests.parts import Privacy, make_privacy

ADD = "/v3/memories/add/"
#: Where the process ends: (which side of the service, method, path of the request that is under way).
STEPS = {
    "written down, not sent": ("before", "POST", ADD),
    "queued, not answered": ("after", "POST", ADD),
    "being worked on": ("before", "GET", "/v1/event/"),
    "done, not marked": ("after", "GET", "/v1/event/"),
}
CHANGED = {**STEPS, "the former not deleted": ("before", "DELETE", "/v1/memories/")}


@pytest.fixture
async def mem0() -> AsyncIterator[FakeMem0]:
    async with FakeMem0() as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Crash:
    """Ends a process amid what it does: at the wire, and without a chance to do anything more."""

    def __init__(self, gate: Gate, side: str, method: str, path: str) -> None:
        def wanted(seen: Seen) -> bool:
            return self._armed and seen.method == method and seen.path.startswith(path)

        self._armed = False
        self._trap = Trap(wanted)
        setattr(gate, side, self._trap)

    async def amid(self, work: asyncio.Task[object]) -> None:
        """Wait until the step is reached, and end it."""
        self._armed = True
        await asyncio.wait_for(self._trap.sprung.wait(), 10)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        self._trap.release()


async def crash_learning(folder: Path, mem0: FakeMem0, clock: Clock, step: str) -> None:
    """A process that is told something and ends at that step of learning it; mem0 works on once it is released."""
    if not step.startswith("done"):
        mem0.release = asyncio.Event()
    async with Gate(mem0.url) as gate, process(folder, gate.url, clock=clock) as bot:
        crash = Crash(gate, *STEPS[step])
        exchange = await bot.say(1, "I live in Porto")
        await crash.amid(asyncio.ensure_future(bot.memory.learn([exchange])))
        assert await bot.waiting() == [exchange]


async def crash_editing(folder: Path, mem0: FakeMem0, clock: Clock, step: str) -> str:
    """A process in which a memory is edited, ended at that step; returns the memory's id."""
    async with Gate(mem0.url) as gate, process(folder, gate.url, clock=clock) as bot:
        await bot.tell(1, "I live in Porto")
        (memory,) = await bot.memory.list(ANN)
        if step in ("queued, not answered", "being worked on"):
            mem0.release = asyncio.Event()
        crash = Crash(gate, *CHANGED[step])
        await crash.amid(asyncio.ensure_future(bot.memory.edit(ANN, memory.id, "lives in Faro", NOW)))
        return memory.id


def release(mem0: FakeMem0) -> None:
    """Let mem0 work on what is queued."""
    if mem0.release is not None:
        mem0.release.set()


async def learn_all(bot: Process, clock: Clock) -> None:
    """Learn what waits, as often as it takes."""
    for _ in range(5):
        waiting = await bot.waiting()
        if not waiting:
            return
        try:
            await bot.memory.learn(waiting)
        except LearningFailed:
            clock.now += 20
    raise AssertionError("still not learned")


def privacy(bot: Process) -> Privacy:
    """What people may ask of that process."""
    return make_privacy(bot.journal, bot.memory)


@pytest.mark.parametrize("step", STEPS)
async def test_learned_once_after_a_crash(tmp_path: Path, mem0: FakeMem0, clock: Clock, step: str) -> None:
    """The next process knows what is there, follows what is queued, and adds again only what never arrived."""
    await crash_learning(tmp_path, mem0, clock, step)
    asked = len(adds(mem0))
    async with process(tmp_path, mem0.url, clock=clock, patience=1) as bot:
        if mem0.release is not None and step != "written down, not sent":
            with pytest.raises(LearningFailed):  # mem0 is at it still
                await bot.memory.learn(await bot.waiting())
        release(mem0)
        await learn_all(bot, clock)
        assert [row["memory"] for row in mem0.rows] == ["Ann system: x: I live in Porto"]
        assert len(await bot.texts()) == 1
        assert len(adds(mem0)) == max(asked, 1)
        assert await bot.journal.taught.accounts_of(["discord:1"]) == {"discord:1": ANN}
        assert [add for add in await bot.journal.adds.unfinished() if not add.void] == []


@pytest.mark.parametrize("wish", ["everything", "since", "deleted"])
@pytest.mark.parametrize("step", STEPS)
async def test_what_was_queued_before_a_crash_is_forgotten_after_it(
    tmp_path: Path, mem0: FakeMem0, clock: Clock, step: str, wish: str
) -> None:
    """Forgotten in the next process, it isn't shown when it turns up, is deleted, and isn't learned anew."""
    await crash_learning(tmp_path, mem0, clock, step)
    async with process(tmp_path, mem0.url, clock=clock, patience=1) as bot:
        if wish == "everything":
            outcome = await privacy(bot).rights.forget_everything(ANN)
            surely_gone = step.startswith("done")
            assert (outcome.memories is not None) == surely_gone, "it isn't called gone while it may yet come"
            assert (await bot.journal.accounts.account(ANN)).erasing == (not surely_gone)
        elif wish == "since":
            start = datetime.fromtimestamp(0, UTC)
            stretch = TimeRange.of(await bot.memory.list(ANN), start, NOW + timedelta(days=1))
            await privacy(bot).rights.forget_time_range(ANN, stretch)
        else:
            await privacy(bot).changes.on_deleted(["discord:1"])
        assert await bot.texts() == []
        release(mem0)
        await asyncio.sleep(0.05)
        assert await bot.texts() == []
        assert await bot.memory.recall(ANN, None, "Porto", (), NOW) == []
    async with process(tmp_path, mem0.url, clock=clock) as bot:
        await bot.memory.tidy()
        assert mem0.rows == []
        clock.now += 3600
        await privacy(bot).eraser.tick()
        await bot.memory.tidy()
        assert await bot.waiting() == []
        assert not (await bot.journal.accounts.account(ANN)).erasing
        assert await bot.journal.adds.unfinished() == []
        assert mem0.rows == []


async def test_what_nobody_has_heard_of_is_waited_for(tmp_path: Path, mem0: FakeMem0, clock: Clock) -> None:
    """Whether an unanswered add reached mem0 shows in time alone: until then nobody is told that all is forgotten."""
    await crash_learning(tmp_path, mem0, clock, "queued, not answered")
    async with process(tmp_path, mem0.url, clock=clock) as bot:
        await privacy(bot).rights.forget_everything(ANN)
        clock.now += 300
        await privacy(bot).eraser.tick()
        assert (await bot.journal.accounts.account(ANN)).erasing
        release(mem0)
        await asyncio.sleep(0.05)
        clock.now += 400
        await privacy(bot).eraser.tick()
        assert not (await bot.journal.accounts.account(ANN)).erasing
        assert mem0.rows == []


@pytest.mark.parametrize("step", CHANGED)
async def test_an_edit_is_made_once_or_not_at_all(tmp_path: Path, mem0: FakeMem0, clock: Clock, step: str) -> None:
    """The next process finishes what mem0 was asked for; what never arrived leaves the memory as it was."""
    await crash_editing(tmp_path, mem0, clock, step)
    async with process(tmp_path, mem0.url, clock=clock) as bot:
        release(mem0)
        await asyncio.sleep(0.05)
        await bot.memory.tidy()
        assert await bot.texts() == ["I live in Porto" if step == "written down, not sent" else "lives in Faro"]
        assert len(mem0.rows) == 1
        clock.now += 700
        await bot.memory.tidy()
        clock.now += 3600
        await bot.memory.tidy()
        assert await bot.journal.adds.unfinished() == []
        assert len(mem0.rows) == 1


@pytest.mark.parametrize("wish", ["it", "everything", "deleted"])
@pytest.mark.parametrize("step", CHANGED)
async def test_an_edit_under_way_at_a_crash_is_forgotten_after_it(
    tmp_path: Path, mem0: FakeMem0, clock: Clock, step: str, wish: str
) -> None:
    """Its memory, its message or everything forgotten in the next process: neither text is there ever after."""
    memory_id = await crash_editing(tmp_path, mem0, clock, step)
    async with process(tmp_path, mem0.url, clock=clock, patience=1) as bot:
        if wish == "it":
            memories = [memory for memory in await bot.memory.list(ANN) if memory.id == memory_id]
            await privacy(bot).rights.forget_memories(ANN, memories)
        elif wish == "everything":
            await privacy(bot).rights.forget_everything(ANN)
        else:
            await privacy(bot).changes.on_deleted(["discord:1"])
        release(mem0)
        await asyncio.sleep(0.05)
        assert await bot.texts() == []
        await bot.memory.tidy()
        assert mem0.rows == []
        clock.now += 3600
        await privacy(bot).eraser.tick()
        await bot.memory.tidy()
        assert not (await bot.journal.accounts.account(ANN)).erasing
        assert (mem0.rows, await bot.journal.adds.unfinished()) == ([], [])


async def test_a_worker_that_stood_still_adds_nothing_that_was_forgotten(
    tmp_path: Path, mem0: FakeMem0, clock: Clock
) -> None:
    """What was taken up to be learned, and forgotten before it was sent, isn't sent."""
    async with process(tmp_path, mem0.url, clock=clock) as bot:
        exchange = await bot.say(1, "I live in Porto")
        await privacy(bot).rights.forget_everything(ANN)
        assert await bot.memory.learn([exchange]) == 0
        assert adds(mem0) == []


async def test_an_edited_message_is_learned_anew_after_what_it_taught(
    tmp_path: Path, mem0: FakeMem0, clock: Clock
) -> None:
    """The old text's add, queued while the message is edited, leaves nothing, and the new text is learned."""
    await crash_learning(tmp_path, mem0, clock, "being worked on")
    async with process(tmp_path, mem0.url, clock=clock, patience=1) as bot:
        (old,) = await bot.waiting()
        edited = said(1, "I live in Faro")
        await bot.journal.changes.edit([Edited(edited, ANN, learn=True)])
        await bot.journal.taught.release([edited.id])
        with pytest.raises(LearningFailed, match="earlier version"):
            await bot.memory.learn(await bot.waiting())
        release(mem0)
        await learn_all(bot, clock)
        assert await bot.texts() == ["I live in Faro"]
        assert len(mem0.rows) == 1
        assert old.text == "I live in Porto"


async def test_an_edit_that_comes_too_late_adds_nothing(tmp_path: Path, mem0: FakeMem0, clock: Clock) -> None:
    """A memory that is forgotten between its being read for an edit and the edit's being written down stays gone."""
    read, go_on = asyncio.Event(), asyncio.Event()

    async def hold(seen: Seen) -> bool:
        if seen.method == "GET" and seen.path.startswith("/v1/memories/") and not read.is_set():
            read.set()
            await go_on.wait()
        return False

    async with Gate(mem0.url) as gate, process(tmp_path, gate.url, clock=clock) as bot:
        await bot.tell(1, "I live in Porto")
        (memory,) = await bot.memory.list(ANN)
        gate.after = hold
        editing = asyncio.create_task(bot.memory.edit(ANN, memory.id, "lives in Faro", NOW))
        await read.wait()
        assert await bot.memory.forget(ANN, [memory.id]) == 1
        go_on.set()
        assert await editing is None
        assert len(adds(mem0)) == 1
        assert (mem0.rows, await bot.journal.adds.unfinished()) == ([], [])


@pytest.mark.parametrize("wish", ["it", "everything"])
async def test_an_edit_that_is_begun_while_its_memory_is_deleted_leaves_nothing(
    tmp_path: Path, mem0: FakeMem0, clock: Clock, wish: str
) -> None:
    """It finds its memory still there, and is found by the forgetting once that is deleted."""
    deleting, go_on = asyncio.Event(), asyncio.Event()

    async def hold(seen: Seen) -> bool:
        if seen.method == "DELETE" and not deleting.is_set():
            deleting.set()
            await go_on.wait()
        return False

    async with Gate(mem0.url) as gate, process(tmp_path, gate.url, clock=clock, patience=1e9) as bot:
        await bot.tell(1, "I live in Porto")
        (memory,) = await bot.memory.list(ANN)
        gate.before = hold
        forget = bot.memory.forget(ANN, [memory.id]) if wish == "it" else bot.memory.forget_all(ANN)
        forgetting = asyncio.create_task(forget)
        await deleting.wait()
        mem0.release = asyncio.Event()
        editing = asyncio.create_task(bot.memory.edit(ANN, memory.id, "lives in Faro", NOW))
        await until(lambda: len(adds(mem0)) == 2)
        go_on.set()
        with pytest.raises(MemoryUnavailable):
            await forgetting
        mem0.release.set()
        assert await editing is None
        assert await bot.texts() == []
        assert mem0.rows == []


async def test_one_add_that_fails_holds_up_no_other(tmp_path: Path, mem0: FakeMem0, clock: Clock) -> None:
    """What can't be looked after now doesn't keep the rest from being deleted."""
    mem0.release = asyncio.Event()
    async with process(tmp_path, mem0.url, clock=clock, patience=1) as bot:
        for number in (1, 2):
            with pytest.raises(LearningFailed):
                await bot.tell(number, f"fact {number}")
            clock.now += 1
        await bot.journal.texts.forget_person(ANN, [ANN])
        mem0.release.set()
        await until(lambda: len(mem0.rows) == 2)
        first, second = await bot.journal.adds.unfinished()
        mem0.faults.append(Fault("GET", f"/v1/event/{first.event}", 400))
        await bot.memory.tidy()
        assert [row["memory"] for row in mem0.rows] == ["Ann system: x: fact 1"]
        assert await bot.journal.adds.unfinished() == [first]
        await bot.memory.tidy()
        assert (mem0.rows, second.void) == ([], True)
