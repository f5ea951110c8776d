"""A clock that jumps: answers, retries and lessons go on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.claude import OVERLOADED, Reply, Request
from tests.faults.clock import build
from tests.faults.memories import learned_once, left, stored
from tests.faults.world import DiscordSide, SlackSide, World
from tests.makers import until
from tests.whole.process import BotProcess

HOUR = 3600
DAY = 24 * HOUR


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """What a process is started with to have its wall clock set."""
    return build(tmp_path)


async def test_the_clock_jumps(tmp_path: Path, library: Path) -> None:
    """Set back by hours, set forward by days, and back amid an outage: each message is answered and learned once."""
    offset = tmp_path / "offset"
    offset.write_text("0")

    async def fail(request: Request, reply: Reply) -> Reply:
        return OVERLOADED

    async with World(DiscordSide(), SlackSide()) as world:
        env = world.env | {"LD_PRELOAD": str(library), "CLOCK_FILE": str(offset)}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("memory is ready")
            for jump in (0, -3 * HOUR, 2 * DAY):
                offset.write_text(str(jump))
                await world.ask_all()
                await world.answered()
                # Its line in the log comes behind the answer, and proves the jump.
                day = f"{datetime.now(UTC) + timedelta(seconds=jump):%Y-%m-%d}"
                await bot.said(day)
            offset.write_text("0")
            world.model.chat = fail
            await world.ask_all()
            await until(lambda: len(world.others()) == 2, 20)
            offset.write_text(str(-5 * DAY))
            world.model.chat = None
            await world.answered()
            await until(lambda: not any(left(stored(tmp_path)).values()), 40)
        assert world.wrong() == {}
        assert world.others() == []
        assert await learned_once(world, stored(tmp_path)) == []
