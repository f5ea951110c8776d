"""Two processes on one PostgreSQL, handed the same events: a deploy, and a death."""

import asyncio
import random
import signal
from pathlib import Path

from tests.fakes.claude import Reply, Request
from tests.faults.memories import learned_once, left, stored
from tests.faults.world import DiscordSide, SlackSide, World
from tests.makers import until


async def test_deploys_and_a_death(tmp_path: Path, postgres_url: str) -> None:
    """The old process is stopped once the new one runs, then one of two is killed: all is answered and learned once."""
    async with World(DiscordSide("general"), SlackSide("general"), gap=0.01) as world:
        chance = random.Random(4)

        async def slowly(request: Request, reply: Reply) -> Reply:
            return Reply(reply.text, delay=chance.uniform(0, 1.5))

        async def talk(person: str) -> None:
            while True:
                await world.ask(chance.choice(world.sides), person, chance.choice(("", "general")))
                # Slack takes one post a second of a channel: three people are to be answered as fast as they ask.
                await asyncio.sleep(chance.uniform(0.6, 1.8))

        world.model.chat = slowly
        old = await world.start(tmp_path, DATABASE_URL=postgres_url)
        await old.said("memory is ready")
        talking = [asyncio.create_task(talk(person)) for person in ("ann", "bob", "cid")]
        for stop in (signal.SIGTERM, signal.SIGKILL):
            new = await world.start(tmp_path, DATABASE_URL=postgres_url)
            await new.said("memory is ready")
            assert await old.end(stop) == (0 if stop is signal.SIGTERM else -stop)
            old = new
        for task in talking:
            task.cancel()
        await world.answered(seconds=60)
        await until(lambda: not any(left(stored(tmp_path, postgres_url)).values()), 40)
        assert await old.end() == 0
        assert world.wrong() == {}
        assert world.others() == []
        assert await learned_once(world, stored(tmp_path, postgres_url)) == []
