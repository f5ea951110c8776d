"""A storm: people who keep writing, and a bot that is killed again and again at random instants.

`python -m tests.faults.storm --kills 200 [--database postgres] [--mem0] [--workers 2] [--seed 1]` prints figures, and
what is wrong at the end: each message must be answered once and whole, and learned once. Exit code 1 where it isn't so.

On SQLite one process is killed and started again. On PostgreSQL several workers are handed the same events, and each
is killed by itself. With `--mem0` the memories are at hosted mem0, which takes up to two seconds over each add.
"""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests import postgres as databases
from tests.fakes.claude import Reply, Request
from tests.fakes.mem0 import KEY, FakeMem0, Row
from tests.faults.memories import learned_once, learned_once_there, left, miscounted, stored
from tests.faults.talk import tag_of
from tests.faults.world import DiscordSide, SlackSide, World
from tests.whole.process import BotProcess

PEOPLE = ("ann", "bob", "cid", "dot")


@dataclass(frozen=True, slots=True)
class Plan:
    """A storm. Times are in seconds, each drawn between two ends.

    Attributes:
        up: How long a process lives before it is killed; a start takes one to listen, and three to remember.
        gap: Between two messages of a person, answered or not.
        thought: Before Claude's first word.
        settle: How long the last answers and lessons may take once the killing has ended.
    """

    kills: int
    workers: int = 1
    seed: int = 1
    up: tuple[float, float] = (0.3, 6.0)
    gap: tuple[float, float] = (0.5, 3.0)
    thought: tuple[float, float] = (0.0, 1.5)
    settle: float = 120.0


@dataclass(slots=True)
class Figures:
    """What a storm was, and what is wrong after it."""

    kills: int = 0
    messages: int = 0
    seconds: float = 0.0
    settled: float = 0.0
    chats: int = 0
    extractions: int = 0
    when: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(
            (
                f"{self.kills} kills in {self.seconds:.0f} s, {self.messages} messages; "
                f"all settled {self.settled:.0f} s later",
                f"killed while: {', '.join(f'{what} {count}' for what, count in self.when.most_common())}",
                f"{self.chats} requests for answers, {self.extractions} extractions",
                f"{len(self.wrong)} wrong" + "".join(f"\n  {finding}" for finding in self.wrong),
            )
        )


class Storm:
    """One storm over a world. The fakes outlive every process."""

    def __init__(
        self, plan: Plan, world: World, folder: Path, database_url: str | None = None, mem0: FakeMem0 | None = None
    ) -> None:
        self._plan = plan
        self._world = world
        self._folder = folder
        self._settings = stored(folder, database_url)
        self._env = {"DATABASE_URL": database_url} if database_url else {}
        self._mem0 = mem0
        if mem0 is not None:
            self._env |= {"MEM0_API_KEY": KEY, "MEM0_HOST": mem0.url}
            mem0.work = self._extract
        self._random = random.Random(plan.seed)
        self._over = asyncio.Event()
        self._bots: set[BotProcess] = set()
        self.figures = Figures()
        world.model.chat = self._think

    async def run(self) -> Figures:
        """Let it pass, wait until all has settled, and look."""
        figures = self.figures
        await self._acquaint()
        begun = time.monotonic()
        people = [asyncio.create_task(self._talk(person)) for person in PEOPLE]
        workers = [asyncio.create_task(self._worker(number)) for number in range(self._plan.workers)]
        try:
            await self._over.wait()
            await asyncio.gather(*people)
            figures.seconds = time.monotonic() - begun
            await self._settle()
            figures.settled = time.monotonic() - begun - figures.seconds
        finally:
            for task in (*people, *workers):
                task.cancel()
            await asyncio.gather(*people, *workers, return_exceptions=True)
        for bot in list(self._bots):
            code = await bot.end()
            if code:
                figures.wrong.append(f"exit code {code} at the end")
            self._keep(bot)
        await self._look()
        return figures

    async def _acquaint(self) -> None:
        """Everybody is answered once in each place: what is sent while the bot is down is found where it was before."""
        bot = await self._start()
        for side in self._world.sides:
            await bot.said(f"{side.name}: listening")
        for person in PEOPLE:
            for side in self._world.sides:
                for place in ("", "general"):
                    await self._world.ask(side, person, place)
        await self._world.answered()
        await bot.end()
        self._keep(bot)

    async def _think(self, request: Request, reply: Reply) -> Reply:
        return replace(reply, delay=self._random.uniform(*self._plan.thought))

    async def _extract(self, body: Row) -> None:
        await asyncio.sleep(self._random.uniform(0.0, 2.0))

    async def _talk(self, person: str) -> None:
        while not self._over.is_set():
            await asyncio.sleep(self._random.uniform(*self._plan.gap))
            side = self._random.choice(self._world.sides)
            place = self._random.choice(("", "", "general"))
            # Now and then there are two or three messages at once; some answers take several messages on Discord.
            for _ in range(self._random.choice((1, 1, 2, 3))):
                await self._world.ask(side, person, place, words=self._random.choice((3, 12, 60, 400)))

    async def _worker(self, number: int) -> None:
        """Start, kill, start again, until there have been enough kills; then stay."""
        while True:
            bot = await self._start()
            with_luck = self._random.uniform(*self._plan.up)
            await asyncio.wait([asyncio.create_task(bot.process.wait())], timeout=with_luck)
            if bot.process.returncode is not None:
                self.figures.wrong.append(f"worker {number} ended by itself: {bot.process.returncode}")
            elif self.figures.kills >= self._plan.kills:
                return
            else:
                self._count()
                bot.process.kill()
            await bot.wait()
            self._keep(bot)
            if self.figures.kills >= self._plan.kills:
                self._over.set()

    async def _start(self) -> BotProcess:
        bot = await self._world.start(self._folder, **self._env)
        self._bots.add(bot)
        return bot

    def _count(self) -> None:
        world, figures = self._world, self.figures
        figures.kills += 1
        shown = world.shown()
        part = any(tag in shown for tag in world.wrong())
        asking = world.claude.open > 0
        open_ = len(world.wrong()) > 0
        figures.when["showing" if part else "asking" if asking else "taking in" if open_ else "all answered"] += 1

    def _keep(self, bot: BotProcess) -> None:
        self._bots.discard(bot)
        self.figures.log += bot.log
        self.figures.wrong += [line for line in bot.log if "Traceback" in line or "CRITICAL" in line]

    async def _settle(self) -> None:
        """Wait until nothing is open; what still is will be told by `_look`."""
        end = time.monotonic() + self._plan.settle
        # Not `until`: a look goes through all that was ever said.
        while self._world.wrong() or any(left(self._settings).values()):
            if time.monotonic() > end:
                self.figures.wrong.append(f"after {self._plan.settle:.0f} s still open: {left(self._settings)}")
                return
            await asyncio.sleep(0.5)

    async def _look(self) -> None:
        world, figures = self._world, self.figures
        figures.messages = len(world.asked)
        figures.extractions = sum(1 for _ in world.claude.extractions)
        figures.chats = world.claude.calls - figures.extractions
        figures.wrong += [f"{tag}: shown {_brief(numbers)}" for tag, numbers in world.wrong().items()]
        figures.wrong += [f"beside the answers: {_shortly(text)}" for text in world.others()]
        if self._mem0 is not None:
            figures.wrong += learned_once_there(world, self._mem0)
            return
        figures.wrong += miscounted(world, self._settings)
        figures.wrong += await learned_once(world, self._settings)
        learned_from = {(tag_of(user), " ".join(answer.split())) for user, answer in world.model.said}
        # An answer that was given with others' words in view is not learned from at all.
        parts = {
            answer
            for tag, answer in learned_from
            if (answer or tag not in world.shared) and answer not in world.model.answers(tag)
        }
        figures.wrong += [f"learned from a part: {_shortly(answer)}" for answer in parts]


def _shortly(text: str) -> str:
    return repr(text if len(text) < 80 else f"{text[:40]} … {text[-30:]}")


def _brief(numbers: list[int]) -> str:
    return "nothing" if not numbers else f"{len(numbers)} words, {len(set(numbers))} of them different"


async def storm(plan: Plan, folder: Path, database_url: str | None = None, *, hosted: bool = False) -> Figures:
    """Run a storm on both platforms; `hosted` has the memories at mem0."""
    async with World(DiscordSide("general"), SlackSide("general"), gap=0.01) as world, FakeMem0() as mem0:
        return await Storm(plan, world, folder, database_url, mem0 if hosted else None).run()


@contextmanager
def _database(kind: str) -> Iterator[str | None]:
    if kind == "sqlite":
        yield None
        return
    with databases.server() as server, databases.database(server) as url:
        yield url


def main() -> int:
    """Run a storm and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--mem0", action="store_true", help="memories at hosted mem0")
    parser.add_argument("--workers", type=int, help="processes at once (1 on SQLite, 2 on PostgreSQL)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, help="where to write what the processes logged")
    options = parser.parse_args()
    # The fakes' complaints about connections that a kill has cut.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    plan = Plan(options.kills, options.workers or (1 if options.database == "sqlite" else 2), options.seed)
    with tempfile.TemporaryDirectory(prefix="bot-storm-") as folder, _database(options.database) as url:
        figures = asyncio.run(storm(plan, Path(folder), url, hosted=options.mem0))
    if options.log:
        options.log.write_text("\n".join(figures.log) + "\n")
    print(figures)
    return 1 if figures.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
