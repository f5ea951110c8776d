"""A worker that stands still (suspended, starved) while another takes its events over, and then goes on."""

import asyncio
import signal
import time
from dataclasses import replace
from pathlib import Path

from tests.fakes.claude import Reply, Request, last_text, new_messages
from tests.faults.gate import Hook, Seen
from tests.faults.memories import learned_once, left, stored
from tests.faults.talk import tag_of
from tests.faults.world import DiscordSide, Side, SlackSide, World
from tests.makers import until

#: Seconds for which it stands still: long enough for its lease to expire.
STILL = 15.0


async def test_a_worker_stands_still_in_midstream(tmp_path: Path, postgres_url: str) -> None:
    """One answer half shown, one being thought about, one being learned: another worker does it all.

    The first shows nothing more, and learns nothing twice.
    """
    asked: list[str] = []
    lessons: list[str] = []
    late: list[str] = []

    async def first_halts(request: Request, reply: Reply) -> Reply:
        tag = tag_of(last_text(request))
        if tag in asked:
            return reply
        asked.append(tag)
        return replace(reply, delay=STILL + 20) if "(thinking)" in last_text(request) else replace(reply, hang_after=4)

    async def first_learns_late(request: Request, reply: Reply) -> Reply:
        tag = tag_of(new_messages(last_text(request))[-1][1])
        lessons.append(tag)
        return replace(reply, delay=STILL + 8) if lessons.count(tag) == 1 and len(lessons) <= 2 else reply

    def watching(side: Side) -> Hook:
        async def hook(seen: Seen) -> bool:
            if any(side.shows(seen, f"{tag}.") for tag in asked):
                late.append(f"{seen.method} {seen.path}")
            return False

        return hook

    async with World(DiscordSide(), SlackSide()) as world:
        world.model.extraction = first_learns_late
        # The line below answers would show them again, when the other worker has learned from them.
        settings = {"DATABASE_URL": postgres_url, "BOT_MEMORY_NOTICE": "off"}
        first = await world.start(tmp_path, **settings)
        await first.said("memory is ready")
        await world.ask_all("eve")
        await world.answered()
        await until(lambda: len(lessons) == 2)
        world.model.chat = first_halts
        shown = await world.ask_all("ann", words=60)
        for side in world.sides:
            await world.ask(side, "bob", words=60, text="(thinking)")
        await until(lambda: all(tag in world.shown() for tag in shown) and len(asked) == 4)
        first.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        second = await world.start(tmp_path, **settings)
        await world.answered(seconds=60)
        await asyncio.sleep(max(0.0, began + STILL - time.monotonic()))
        for side in world.sides:
            side.gate.before = watching(side)
        first.process.send_signal(signal.SIGCONT)
        # Its connection to Claude has broken meanwhile: it asks again, and has the whole answer at once.
        world.claude.release()
        await first.said("lease expired")
        await until(lambda: not any(left(stored(tmp_path, postgres_url)).values()), 40)
        await asyncio.sleep(8)
        assert world.wrong() == {}
        assert world.others() == []
        assert late == [], "the worker that stood still showed something"
        # It is as good a worker as before.
        assert await second.end() == 0
        await world.ask_all("cid")
        await world.answered()
        await until(lambda: not any(left(stored(tmp_path, postgres_url)).values()), 40)
        assert await first.end() == 0
        assert await learned_once(world, stored(tmp_path, postgres_url)) == []
