"""The day's limit is reached while answers are promised, or wait for their turn, on the platforms themselves."""

import asyncio
import signal
from pathlib import Path

from bot.core.answer import FOLLOWS
from bot.ports import LimitReached
from tests.fakes.claude import OVERLOADED, Reply, Request
from tests.faults.world import DiscordSide, SlackSide, World
from tests.makers import until


async def test_an_answer_that_was_promised_becomes_the_limits_sentence(tmp_path: Path) -> None:
    """Who was told that their answer follows finds out there that it doesn't, and is told nowhere else."""

    async def overloaded(request: Request, reply: Reply) -> Reply:
        return OVERLOADED

    async with World(DiscordSide("general"), SlackSide("general")) as world:
        world.model.chat = overloaded
        bot = await world.start(tmp_path, BOT_BUDGET_TOKENS_PER_DAY="100")
        await bot.said("memory is ready")
        for side in world.sides:
            await world.ask(side, "ann", "general")
        await until(lambda: sum(FOLLOWS in text for text in world.others()) == 2, 20)
        world.model.chat = None
        spent = await world.ask(world.sides[0], "bob")
        await world.answered([spent])
        await until(lambda: world.others() == [LimitReached.sentence] * 2, 60)
        assert await bot.end() == 0


async def test_what_waits_at_the_stop_is_told_of_the_limit_once(tmp_path: Path) -> None:
    """Messages that nothing was shown of are not each told in public after the restart that the limit is reached."""

    async def slowly(request: Request, reply: Reply) -> Reply:
        return Reply(reply.text, delay=5)

    limit = {"BOT_BUDGET_TOKENS_PER_DAY": "100"}
    async with World(DiscordSide("general"), SlackSide("general")) as world:
        world.model.chat = slowly
        bot = await world.start(tmp_path, BOT_CONCURRENT_ANSWERS="1", **limit)
        await bot.said("memory is ready")
        await world.ask(world.sides[0], "ann", "general")
        await asyncio.wait_for(world.claude.busy(1), 20)
        for _ in range(4):
            for side in world.sides:
                await world.ask(side, "bob", "general")
        await asyncio.sleep(1)
        await bot.end(signal.SIGKILL)
        bot = await world.start(tmp_path, **limit)
        # On Slack these are four threads; on Discord, one thought.
        await until(lambda: sum("not answered: LimitReached" in line for line in bot.log) >= 5, 60)
        await asyncio.sleep(2)
        assert sum(text == LimitReached.sentence for text in world.others()) <= 2
        assert await bot.end() == 0
