"""A SQLite file that another process keeps locked: what comes in waits, is sent again, and is answered once."""

import asyncio
import contextlib
from pathlib import Path

from bot.storage.sqlite import connect, database_path
from tests.faults.memories import learned_once, left, stored
from tests.faults.world import DiscordSide, SlackSide, World
from tests.makers import until
from tests.whole.process import BotProcess

#: Seconds: longer than Slack waits for an acknowledgement, and than SQLite waits for a lock.
LOCKED = 14.0


async def test_the_file_is_locked(tmp_path: Path) -> None:
    """Slack sends again what isn't acknowledged in 3 s; each message is answered once, and learned once."""
    async with World(DiscordSide(), SlackSide("general")) as world:
        slack = world.sides[1]
        async with BotProcess(tmp_path, world.env) as bot:
            await bot.said("memory is ready")
            with contextlib.closing(connect(database_path(stored(tmp_path)))) as conn:
                conn.execute("BEGIN IMMEDIATE")
                await world.ask_all("ann")
                await world.ask(slack, "bob", "general")
                await asyncio.sleep(LOCKED)
                assert len(world.wrong()) == 3, "nothing is answered that isn't written down"
                conn.execute("ROLLBACK")
            assert isinstance(slack, SlackSide)
            assert any(delivery.get("retry_attempt") for delivery in slack.fake.deliveries), "Slack sent it again"
            await world.answered()
            await world.ask_all("cid")
            await world.answered()
            await until(lambda: not any(left(stored(tmp_path)).values()), 40)
        assert world.wrong() == {}
        assert world.others() == []
        assert await learned_once(world, stored(tmp_path)) == []
