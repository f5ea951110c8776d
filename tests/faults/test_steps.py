"""Killed with a message at each step, on Discord and on Slack: answered once and whole, learned once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.claude import Reply, Request, is_extraction, last_text, new_messages
from tests.faults.gate import Hook, Seen, Trap
from tests.faults.memories import learned_once, left, stored
from tests.faults.talk import tag_of
from tests.faults.world import DiscordSide, Side, SlackSide, World
from tests.makers import until
from tests.whole.process import BotProcess


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Both platforms."""
    async with World(DiscordSide(), SlackSide()) as world:
        yield world


#: Words of an answer that takes several messages on each platform.
LONG = 1800


async def kill(bot: BotProcess) -> None:
    """`kill -9`, and wait until the process is gone."""
    bot.process.kill()
    await bot.wait()


async def answers_and_learns(folder: Path, world: World) -> None:
    """A new process answers and learns all that was asked, once; nothing else was said."""
    async with BotProcess(folder, world.env):
        await world.answered()
        await until(lambda: not any(left(stored(folder)).values()), 30)
        assert world.wrong() == {}
    assert world.others() == []
    assert await learned_once(world, stored(folder)) == []
    whole = {world.model.answer(tag) for tag in world.asked}
    assert {" ".join(answer.split()) for _, answer in world.model.said} == whole, "learned from the whole answers"


async def test_after_admission(tmp_path: Path, world: World) -> None:
    """Killed when the messages are written down, and Claude hasn't been asked yet."""
    bot = await world.start(tmp_path)
    for side in world.sides:
        await bot.said(f"{side.name}: listening")
    await world.ask_all()
    await until(lambda: left(stored(tmp_path))["inbox"] == 2)
    await kill(bot)
    assert world.claude.calls == 0
    await answers_and_learns(tmp_path, world)


async def test_at_every_other_step(tmp_path: Path, world: World) -> None:
    """One kill that finds messages at each later step.

    Claude thinks about one; one is shown in part; one is on its way to the platform; one is there without our hearing
    of it; of a long one all messages but the last are there; one is answered and is being learned.
    """
    steps = Steps(world)
    bot = await world.start(tmp_path)
    await bot.said("memory is ready")
    await steps.ask_all()
    await steps.held()
    assert sorted(world.wrong()) == sorted(steps.tags("thinking", "streaming", "before", "between"))
    await kill(bot)
    steps.release()
    await answers_and_learns(tmp_path, world)
    again = [tag_of(last_text(request)) for request in world.claude.chats[12:]]
    assert not set(again) & set(steps.tags("after", "learning")), "what was answered isn't asked for again"


class Steps:
    """Messages of different people, each held at its step until `release`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tags: dict[str, list[str]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._traps: list[Trap] = []
        self._over = False
        world.model.chat = world.model.extraction = self._claude

    def tags(self, *steps: str) -> list[str]:
        """The tags of the messages at these steps."""
        return [tag for step in steps for tag in self._tags[step]]

    async def ask_all(self) -> None:
        """On each platform one message for each step, by people of that name."""
        for side in self._world.sides:
            long = f".{LONG - 1}"
            befores = [self._trap(side, "before", "."), self._trap(side, "between", long)]
            after = self._trap(side, "after", ".")
            side.gate.before, side.gate.after = _any(befores), after
            for step in ("thinking", "streaming", "before", "after", "between", "learning"):
                words = LONG if step == "between" else None
                tag = await self._world.ask(side, step, words=words, text=f"({step})")
                self._tags.setdefault(step, []).append(tag)

    def _trap(self, side: Side, step: str, end: str) -> Trap:
        """A trap for the first request that shows that step's answer up to a word that ends so."""

        def wanted(seen: Seen) -> bool:
            return any(side.shows(seen, f"{tag}{end}") for tag in self._tags.get(step, ()))

        self._traps.append(Trap(wanted))
        return self._traps[-1]

    async def _claude(self, request: Request, reply: Reply) -> Reply:
        extraction = is_extraction(request)
        told = new_messages(last_text(request))[-1][1] if extraction else last_text(request)
        self._seen.add((tag_of(told), "learning" if extraction else "thinking"))
        if self._over:
            return reply
        if "(streaming)" in told and not extraction:
            return replace(reply, hang_after=2)
        return replace(reply, delay=60) if ("(learning)" if extraction else "(thinking)") in told else reply

    async def held(self) -> None:
        """Wait until every message is at its step."""
        async with asyncio.timeout(30):
            await asyncio.gather(*(trap.sprung.wait() for trap in self._traps))
        for step in ("thinking", "learning"):
            await until(lambda step=step: all((tag, step) in self._seen for tag in self._tags[step]))  # type: ignore[misc]
        await until(lambda: all(tag in self._world.shown() for tag in self.tags("streaming")))

    def release(self) -> None:
        """Let everything go its way."""
        self._over = True
        for trap in self._traps:
            trap.release()


def _any(traps: list[Trap]) -> Hook:
    async def hook(seen: Seen) -> bool:
        for trap in traps:
            if await trap(seen):
                return True
        return False

    return hook
