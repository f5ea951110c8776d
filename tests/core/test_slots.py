"""Who is served when many want to be, and what one person's flood costs the others."""

import asyncio

import pytest

from bot.aio.slots import FairSlots
from tests.makers import until


class Work:
    """Pieces of work that run until they are let go, in the order in which they were begun."""

    def __init__(self, slots: FairSlots) -> None:
        self.begun: list[str] = []
        self.peak = 0
        self._slots = slots
        self._running: dict[asyncio.Future[None], str] = {}

    def want(self, who: str, count: int = 1) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._one(who)) for _ in range(count)]

    async def _one(self, who: str) -> None:
        async with self._slots.taken(who):
            self.begun.append(who)
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._running[done] = who
            self.peak = max(self.peak, len(self._running))
            await done

    async def end_one(self) -> None:
        done = next(iter(self._running))
        del self._running[done]
        begun = len(self.begun)
        done.set_result(None)
        await asyncio.sleep(0.001)
        assert len(self.begun) - begun <= 1


async def test_one_persons_flood_delays_nobody_else() -> None:
    """Two hundred messages of one person take two slots: whoever writes next begins at once."""
    work = Work(FairSlots(64, 2))
    work.want("flood", 200)
    await until(lambda: len(work.begun) == 2)
    work.want("ann")
    await until(lambda: work.begun[-1] == "ann")
    assert work.begun.count("flood") == 2


async def test_people_are_served_in_turn() -> None:
    """Where all slots are taken, the next goes to whoever has waited longest for one, not to the longest queue."""
    work = Work(FairSlots(2, 2))
    work.want("ann", 2)
    await until(lambda: len(work.begun) == 2)
    work.want("flood", 50)
    await asyncio.sleep(0)
    work.want("bob")
    work.want("cid")
    await asyncio.sleep(0)
    for _ in range(5):
        await work.end_one()
    assert work.begun[2:] == ["flood", "bob", "cid", "flood", "flood"]
    assert work.peak == 2


async def test_whoever_gives_up_waiting_holds_nothing() -> None:
    """Cancelled while waiting, or in the very moment of being served: the slot goes to the next one."""
    slots = FairSlots(1, 1)
    work = Work(slots)
    work.want("ann")
    await until(lambda: work.begun == ["ann"])
    (gone,) = work.want("bob")
    work.want("cid")
    await asyncio.sleep(0)
    gone.cancel()
    await work.end_one()
    assert work.begun == ["ann", "cid"]
    (served,) = work.want("dot")
    work.want("eve")
    await asyncio.sleep(0)
    done = next(iter(work._running))
    del work._running[done]
    done.set_result(None)
    await asyncio.sleep(0)
    served.cancel()
    await until(lambda: work.begun[-1] == "eve" or len(work._running) == 1)
    if work.begun[-1] != "eve":
        await work.end_one()
    await until(lambda: work.begun[-1] == "eve")


async def test_an_error_gives_the_slot_back() -> None:
    """What fails holds up nobody."""
    slots = FairSlots(1, 1)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            async with slots.taken("ann"):
                raise ValueError("no")
