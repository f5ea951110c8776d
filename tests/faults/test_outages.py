"""Claude and the memory away for a while: the person is told, and gets the answer once, in place."""

import asyncio
from dataclasses import replace
from pathlib import Path

from bot.core.answer import FOLLOWS
from tests.fakes.claude import OVERLOADED, REFUSAL, Reply, Request, last_text
from tests.fakes.mem0 import KEY, FakeMem0, Fault
from tests.faults.gate import Hook, Seen
from tests.faults.memories import learned_once, left, stored
from tests.faults.talk import tag_of
from tests.faults.world import DiscordSide, Side, SlackSide, World
from tests.makers import until
from tests.whole.process import BotProcess

#: Seconds within which a person is told that the answer will follow.
TOLD = 15.0

KINDS = {"ann": OVERLOADED, "bob": Reply(hang_after=0), "cid": Reply(cut_after=2), "dot": Reply(status=500)}


async def told(world: World, people: int) -> None:
    """So many people are told that their answers will follow, in time."""
    try:
        await until(lambda: sum(FOLLOWS in text for text in world.others()) == people, TOLD)
    except TimeoutError:
        raise AssertionError(f"within {TOLD} s: {world.others()}, {world.shown()}") from None


async def test_claude_and_the_platforms_fail(tmp_path: Path) -> None:
    """Status 529 and 500, silence, a stream that is cut: each person is told, and answered once when Claude is back.

    An answer that the platform doesn't take for a while is put off and not given up.
    """
    faults: dict[str, Reply] = {}
    cut: list[str] = []

    async def fail(request: Request, reply: Reply) -> Reply:
        fault = faults.get(tag_of(last_text(request)))
        return replace(fault, text=reply.text) if fault else reply

    def refusing(side: Side) -> Hook:
        async def hook(seen: Seen) -> bool:
            return any(side.shows(seen, f"{tag}.") for tag in cut)

        return hook

    async with World(DiscordSide(), SlackSide()) as world:
        world.model.chat = fail
        for side in world.sides:
            side.gate.before = refusing(side)
        async with BotProcess(tmp_path, world.env) as bot:
            await bot.said("memory is ready")
            for person, kind in KINDS.items():
                for tag in await world.ask_all(person):
                    faults[tag] = kind
            cut += await world.ask_all("eve")
            await told(world, 8)
            await until(lambda: sum("failed: ConnectionError" in line for line in bot.log) == 2, 20)
            faults.clear()
            cut.clear()
            world.claude.release()
            await world.answered()
            await until(lambda: not any(left(stored(tmp_path)).values()), 30)
        assert world.wrong() == {}
        assert world.others() == [], "the answers stand where their announcements stood"
        assert await learned_once(world, stored(tmp_path)) == []


async def test_claude_away_and_the_bot_killed(tmp_path: Path) -> None:
    """Refused connections, and a kill meanwhile: the next process finishes in place what the first announced."""
    async with World(DiscordSide(), SlackSide()) as world:
        port = int(world.claude.url.rpartition(":")[2])
        bot = await world.start(tmp_path)
        await bot.said("memory is ready")
        await world.claude.stop()
        await world.ask_all()
        await told(world, 2)
        bot.process.kill()
        await bot.wait()
        async with BotProcess(tmp_path, world.env) as bot:
            for side in world.sides:
                await bot.said(f"{side.name}: listening")
            await asyncio.sleep(1)
            await world.claude.start(port)
            await world.answered()
            await until(lambda: not any(left(stored(tmp_path)).values()), 30)
        assert world.wrong() == {}
        assert world.others() == []
        assert await learned_once(world, stored(tmp_path)) == []


async def test_the_memory_failing(tmp_path: Path) -> None:
    """With mem0 failing, answers come without memories; what was said is learned when it is back."""
    async with World(DiscordSide()) as world, FakeMem0() as mem0:
        env = world.env | {"MEM0_API_KEY": KEY, "MEM0_HOST": mem0.url}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("memory is ready")
            down = [Fault(method, "/v", 503, times=1000) for method in ("GET", "POST")]
            mem0.faults += down
            await world.ask_all()
            await world.answered()
            await until(lambda: left(stored(tmp_path)) == {"inbox": 0, "exchanges": 1})
            mem0.faults.clear()
            await until(lambda: len(mem0.rows) == 1, 40)
            await until(lambda: not any(left(stored(tmp_path)).values()), 30)
        assert world.others() == []
        assert len(mem0.rows) == 1


async def test_what_was_given_up_is_learned_when_the_operator_says_so(tmp_path: Path) -> None:
    """An exchange that the memory model refuses is kept, counted by `doctor`, and tried again by `relearn`."""

    async def refuse(request: Request, reply: Reply) -> Reply:
        return REFUSAL

    async with World(DiscordSide()) as world:
        world.model.extraction = refuse
        async with BotProcess(tmp_path, world.env) as bot:
            await bot.said("memory is ready")
            await world.ask_all()
            await bot.said("; given up", 20)
            doctor = BotProcess(tmp_path, world.env, ["doctor"])
            await doctor.start()
            assert await doctor.wait() == 2
            assert any("could not be learned: 1; they are kept" in line for line in doctor.out), doctor.out
            world.model.extraction = None
            relearn = BotProcess(tmp_path, world.env, ["relearn"])
            await relearn.start()
            assert await relearn.wait() == 0
            assert relearn.out[0].startswith("1 exchanges wait to be learned again")
            await until(lambda: not any(left(stored(tmp_path)).values()), 30)
        assert await learned_once(world, stored(tmp_path)) == []
