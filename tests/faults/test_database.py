"""PostgreSQL away, cut off or silent while people write: nothing is lost, and nothing comes twice."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.fakes.claude import Reply, Request
from tests.faults.line import Line
from tests.faults.memories import learned_once, left, stored
from tests.faults.world import DiscordSide, SlackSide, World
from tests.makers import until
from tests.whole.process import BotProcess

#: Seconds for which the database is away.
AWAY = 20.0


@pytest.mark.timeout(240)
async def test_the_database_fails_while_people_write(tmp_path: Path, postgres_url: str) -> None:
    """Connections cut twice, a server that is down for 20 s, and one that is silent as long, with two workers.

    Each message is answered once and learned once, and the workers go on by themselves.
    """
    chance = random.Random(7)

    async def slowly(request: Request, reply: Reply) -> Reply:
        return Reply(reply.text, delay=chance.uniform(0, 1.5))

    async with Line(postgres_url) as line, World(DiscordSide("general"), SlackSide("general"), gap=0.02) as world:

        async def talk(person: str) -> None:
            while True:
                place = chance.choice(("", "general"))
                await world.ask(chance.choice(world.sides), person, place, words=chance.choice((3, 12, 60)))
                await asyncio.sleep(chance.uniform(0.5, 1.5))

        world.model.chat = slowly
        workers = [await world.start(tmp_path, DATABASE_URL=line.url) for _ in range(2)]
        for worker in workers:
            await worker.said("memory is ready")
        talking = [asyncio.create_task(talk(person)) for person in ("ann", "bob", "cid")]
        for _ in range(2):
            await asyncio.sleep(3)
            line.cut()
        await asyncio.sleep(3)
        line.up = False
        line.cut()
        await asyncio.sleep(AWAY)
        line.up = True
        await asyncio.sleep(12)
        line.hang()
        await asyncio.sleep(AWAY)
        line.resume()
        await asyncio.sleep(5)
        for task in talking:
            task.cancel()
        await world.answered(seconds=60)
        await until(lambda: not any(left(stored(tmp_path, postgres_url)).values()), 60)
        assert [await worker.end() for worker in workers] == [0, 0]
        assert not [line for worker in workers for line in worker.log if "Traceback" in line]
        assert world.wrong() == {}
        assert world.others() == []
        assert await learned_once(world, stored(tmp_path, postgres_url)) == []


async def test_a_stop_while_the_database_is_silent(tmp_path: Path, postgres_url: str) -> None:
    """A stop doesn't wait for a database that says nothing: the process ends before its host would kill it."""
    async with Line(postgres_url) as line, World(DiscordSide()) as world:
        worker = await world.start(tmp_path, DATABASE_URL=line.url)
        await worker.said("memory is ready")
        # A first-ever DM that isn't taken in can't be discovered on Discord.
        await world.ask_all()
        await world.answered()
        line.hang()
        await world.ask_all()
        await asyncio.sleep(3)
        assert await worker.end(seconds=29) in (0, 1)
        line.resume()
        async with BotProcess(tmp_path, world.env | {"DATABASE_URL": postgres_url}):
            await world.answered()
            await until(lambda: not any(left(stored(tmp_path, postgres_url)).values()), 40)
        assert world.others() == []
        assert await learned_once(world, stored(tmp_path, postgres_url)) == []
