"""Asked to stop, once or more often, at any time: it ends in order, and the next start finds all in order."""

import asyncio
import signal
from pathlib import Path

from tests.fakes.claude import Reply, Request
from tests.faults.memories import learned_once, left, stored
from tests.faults.world import DiscordSide, World
from tests.makers import until
from tests.whole.process import BotProcess

#: Seconds into the start: before Python has read the program, amid the imports, while the journal is opened, while
#: the platforms connect, while the memory is built.
INSTANTS = (0.02, 0.3, 0.6, 0.9, 1.3, 2.2)


async def stopped_at(folder: Path, world: World, seconds: float) -> None:
    """A start that is told to stop after so many seconds ends soon and in order."""
    folder.mkdir()  # noqa: ASYNC240 - a moment
    bot = await world.start(folder)
    await asyncio.sleep(seconds)
    code = await bot.end(signal.SIGTERM, seconds=15)
    # Before Python has installed anything, the signal itself ends the process.
    assert code in (0, -signal.SIGTERM), bot.log
    assert not any("Traceback" in line or "CRITICAL" in line for line in bot.log), bot.log


async def test_sigterm_during_start_up(tmp_path: Path) -> None:
    """A stop at any instant of the start ends it soon, without a complaint; the start after that answers."""
    async with World(DiscordSide()) as world:
        for pair in zip(INSTANTS[::2], INSTANTS[1::2], strict=True):
            await asyncio.gather(*(stopped_at(tmp_path / str(seconds), world, seconds) for seconds in pair))
        folder = tmp_path / str(INSTANTS[3])
        async with BotProcess(folder, world.env) as bot:
            await bot.said("discord: listening")
            await world.ask_all()
            await world.answered()
            await until(lambda: not any(left(stored(folder)).values()), 30)
        assert await learned_once(world, stored(folder)) == []


async def test_sigterm_again_and_again(tmp_path: Path) -> None:
    """Further signals change nothing: the answer under way is finished, the process ends with 0."""

    async def slowly(request: Request, reply: Reply) -> Reply:
        return Reply(reply.text, delay=2)

    async with World(DiscordSide()) as world:
        world.model.chat = slowly
        async with BotProcess(tmp_path, world.env) as bot:
            await bot.said("memory is ready")
            await world.ask_all()
            await asyncio.wait_for(world.claude.busy(1), 20)
            for _ in range(3):
                bot.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.3)
            bot.process.send_signal(signal.SIGINT)
            assert await bot.wait() == 0
        assert world.wrong() == {}
        assert world.others() == []
