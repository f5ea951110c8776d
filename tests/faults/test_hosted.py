"""Killed while hosted mem0 has what was said in its queue: learned once, and forgotten means gone."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.config import Settings
from tests.fakes.claude import briefing
from tests.fakes.mem0 import KEY, FakeMem0, Row
from tests.faults.gate import Gate, Seen, Trap
from tests.faults.memories import left, stored
from tests.faults.talk import tag_of
from tests.faults.world import DiscordSide, World
from tests.makers import until
from tests.whole.process import BotProcess

#: Where each person's message is when the process is killed.
STEPS = ("sent", "queued", "followed", "done")


@pytest.fixture
async def discord() -> DiscordSide:
    return DiscordSide()


@pytest.fixture
async def world(discord: DiscordSide) -> AsyncIterator[World]:
    async with World(discord) as world:
        yield world


@pytest.fixture
async def mem0() -> AsyncIterator[FakeMem0]:
    async with FakeMem0() as mem0:
        yield mem0


class Steps:
    """People of these names, each of whom has told something, and whose add is held at the step of that name."""

    def __init__(self, world: World, mem0: FakeMem0, gate: Gate, *people: str) -> None:
        self._world = world
        self._mem0 = mem0
        self._people = people
        self.tags: dict[str, str] = {}
        self._traps = {step: Trap(self._wanted(step)) for step in people if step != "followed"}
        gate.before = self._before
        gate.after = self._after

    def _wanted(self, step: str) -> Callable[[Seen], bool]:
        def wanted(seen: Seen) -> bool:
            tag = self.tags.get(step)
            if tag is None:
                return False
            if step == "done":
                event = seen.path.split("/")[3] if seen.path.startswith("/v1/event/") else ""
                return event in self._mem0.events and self.told(self._mem0.events[event]["body"]) == tag
            return seen.path.startswith("/v3/memories/add/") and tag_of(seen.body) == tag

        return wanted

    async def _before(self, seen: Seen) -> bool:
        return "sent" in self._traps and await self._traps["sent"](seen)

    async def _after(self, seen: Seen) -> bool:
        for step in ("queued", "done"):
            if step in self._traps and await self._traps[step](seen):
                return True
        return False

    def told(self, body: Row) -> str:
        """The tag that an add is about."""
        return tag_of(str(body["messages"][0]["content"]))

    async def work(self, body: Row) -> None:
        """What mem0 waits for before it works: it has all but what is `done` in its queue until it is released."""
        if self.told(body) != self.tags.get("done"):
            await self.released.wait()

    def polls(self, person: str) -> int:
        """How often mem0 was asked how that person's add is."""
        events = [key for key, event in self._mem0.events.items() if self.told(event["body"]) == self.tags[person]]
        return sum(len(self._mem0.requests("GET", f"/v1/event/{event}/")) for event in events)

    async def ask_all(self) -> None:
        """Have each person tell something, and wait until it is at its step."""
        self.released = asyncio.Event()
        self._mem0.work = self.work
        side = self._world.sides[0]
        for person in self._people:
            self.tags[person] = await self._world.ask(side, person)
        async with asyncio.timeout(60):
            await asyncio.gather(*(trap.sprung.wait() for trap in self._traps.values()))
        if "followed" in self.tags:
            await until(lambda: self.polls("followed") > 2)

    def release(self) -> None:
        """Let mem0 work, and requests pass."""
        self.released.set()
        for trap in self._traps.values():
            trap.release()


def settings(world: World, url: str) -> dict[str, str]:
    """Those of a bot on hosted mem0."""
    return {**world.env, "MEM0_API_KEY": KEY, "MEM0_HOST": url}


async def kill(bot: BotProcess) -> None:
    """`kill -9`, and wait until the process is gone."""
    bot.process.kill()
    await bot.wait()


async def learned_once(steps: Steps, mem0: FakeMem0, data: Settings) -> None:
    """Wait until nothing waits to be learned; each person's message is one memory, and was given to mem0 once."""
    await until(lambda: not left(data)["exchanges"], 120)
    await asyncio.sleep(0.1)
    learned = Counter(tag_of(row["memory"]) for row in mem0.rows)
    assert learned == Counter(steps.tags.values())
    asked = Counter(steps.told(event["body"]) for event in mem0.events.values())
    assert asked == Counter(steps.tags.values()), "what mem0 had was not given to it again"


async def test_learned_once_whatever_mem0_had_heard(tmp_path: Path, world: World, mem0: FakeMem0) -> None:
    """One kill, with adds on their way to mem0, queued with the answer on its way back, followed, done: each once."""
    data = stored(tmp_path)
    async with Gate(mem0.url) as gate:
        steps = Steps(world, mem0, gate, *STEPS)
        bot = await world.start(tmp_path, **settings(world, gate.url))
        await bot.said("memory is ready")
        await steps.ask_all()
        await kill(bot)
    assert left(data)["exchanges"] == len(STEPS)
    async with BotProcess(tmp_path, settings(world, mem0.url)) as bot:
        await bot.said("memory is ready")
        steps.release()
        await learned_once(steps, mem0, data)


async def test_a_worker_that_takes_over_learns_once(
    tmp_path: Path, world: World, mem0: FakeMem0, postgres_url: str
) -> None:
    """The same with a second worker on PostgreSQL, which is there when the first is killed."""
    data = stored(tmp_path, postgres_url)
    async with Gate(mem0.url) as gate:
        steps = Steps(world, mem0, gate, *STEPS)
        bot = await world.start(tmp_path, DATABASE_URL=postgres_url, **settings(world, gate.url))
        await bot.said("memory is ready")
        await steps.ask_all()
        other = {**settings(world, mem0.url), "DATABASE_URL": postgres_url}
        async with BotProcess(tmp_path, other) as second:
            await second.said("memory is ready")
            await kill(bot)
            # What was done the second may have found by now: it looks for what waits as soon as it is ready.
            assert left(data)["exchanges"] >= len(STEPS) - 1
            steps.release()
            await learned_once(steps, mem0, data)


async def test_forgotten_after_the_restart(tmp_path: Path, world: World, discord: DiscordSide, mem0: FakeMem0) -> None:
    """What was in mem0's queue at the kill, and is forgotten by `/forget` before it comes, is never told again."""
    async with Gate(mem0.url) as gate:
        steps = Steps(world, mem0, gate, "queued", "followed")
        bot = await world.start(tmp_path, **settings(world, gate.url))
        await bot.said("memory is ready")
        await steps.ask_all()
        await kill(bot)
    people = discord.fake
    async with BotProcess(tmp_path, settings(world, mem0.url)) as bot:
        await bot.said("memory is ready")
        pressed = {}
        for person in ("followed", "queued"):
            shown = await people.slash(person, "forget")
            await shown.answer()
            pressed[person] = await people.press(person, shown.buttons["Forget everything"], shown)
        await asyncio.sleep(1)
        steps.release()
        told = {person: await shown.answer(within=40) for person, shown in pressed.items()}
        assert "not all of it" not in told["followed"], "mem0's event has told that there is no more to come"
        assert "not all of it is erased yet" in told["queued"], "whether mem0 has it at all isn't known yet"
        await until(lambda: not mem0.rows, 60)
        for person in ("queued", "followed"):
            tag = await world.ask(discord, person, text="what do you know of me?")
            await world.answered([tag])
            assert steps.tags[person] not in briefing(world.claude.chats[-1])
        # An answer is shown before it is committed: one exchange alone may also mean that the other isn't there yet.
        await until(lambda: bool(mem0.rows), 60)
        await until(lambda: left(stored(tmp_path))["exchanges"] == 1, 60)
    remembered = [tag_of(row["memory"]) for row in mem0.rows]
    assert not set(remembered) & set(steps.tags.values())
    assert len(remembered) == 1, "what was said afterwards is learned, where nothing more can come"
