"""What people may do with their memories at hosted mem0, against a loopback service."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.events import SHARED_SCOPE
from bot.memory.hosted import HostedMemory
from bot.ports import MemoryUnavailable
from tests.fakes.mem0 import KEY, FakeMem0, Fault
from tests.memory.test_hosted import ANN, BEN, PUBLIC, exchange

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Journal:
    """What the store asks of the journal: to drop what is learned, and whether an exchange was erased meanwhile."""

    def __init__(self) -> None:
        self.learned: list[int] = []
        self.erased: set[int] = set()

    async def drop(self, ids: Sequence[int]) -> None:
        self.learned += ids

    async def buried(self, exchange_id: int) -> bool:
        return exchange_id in self.erased


@pytest.fixture
async def mem0() -> AsyncIterator[FakeMem0]:
    async with FakeMem0() as fake:
        yield fake


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
async def memory(mem0: FakeMem0, journal: Journal) -> AsyncIterator[HostedMemory]:
    async def no_sleep(seconds: float) -> None:
        """Time passes."""

    opened = await HostedMemory.open(KEY, mem0.url, journal.drop, buried=journal.buried, patience=3, sleep=no_sleep)
    yield opened
    await opened.close()


async def test_an_edit_takes_the_memorys_place(mem0: FakeMem0, memory: HostedMemory) -> None:
    """The new text has the old one's message and date, the old text is gone, and a stranger's edit is none."""
    await memory.learn([exchange(1, "I like tea")])
    (before,) = await memory.list(ANN)
    assert await memory.edit(BEN, before.id, "mine", NOW) is None
    changed = await memory.edit(ANN, before.id, "likes green tea", NOW)
    assert changed is not None
    assert (changed.text, changed.edited_at, changed.sources) == ("likes green tea", NOW, before.sources)
    assert await memory.list(ANN) == [changed]
    assert all("I like tea" not in row["memory"] for row in mem0.rows)


async def test_an_interrupted_edit_is_finished_by_the_next(mem0: FakeMem0, memory: HostedMemory) -> None:
    """Where the old memory could not be deleted, another try deletes it and adds nothing."""
    await memory.learn([exchange(1, "I like tea")])
    (before,) = await memory.list(ANN)
    mem0.faults.append(Fault("DELETE", "/v1/memories/", 503, times=99))
    with pytest.raises(MemoryUnavailable):
        await memory.edit(ANN, before.id, "likes rum", NOW)
    mem0.faults.clear()
    await memory.edit(ANN, before.id, "likes rum", NOW)
    assert [found.text for found in await memory.list(ANN)] == ["likes rum"]


async def test_sharing_and_closing_again(memory: HostedMemory) -> None:
    """An opened memory is recalled in any channel, a closed one where it was learned."""
    await memory.learn([exchange(1, "I am allergic to nuts")])
    (before,) = await memory.list(ANN)
    channel = frozenset({PUBLIC, SHARED_SCOPE})
    opened = await memory.share(ANN, before.id, shared=True)
    assert opened is not None
    assert [found.id for found in await memory.recall(ANN, channel, "nuts", (), NOW)] == [opened.id]
    closed = await memory.share(ANN, opened.id, shared=False)
    assert closed is not None
    assert await memory.recall(ANN, channel, "nuts", (), NOW) == []
    assert closed.scope == "private"
    assert await memory.share(ANN, closed.id, shared=False) == closed


async def test_a_message_takes_along_what_it_taught(memory: HostedMemory) -> None:
    """What a message taught that person goes; without a person nobody's can be found."""
    await memory.learn([exchange(1, "I like tea"), exchange(2, "I like rum")])
    assert await memory.forget_sources(["discord:1"]) == 0
    assert await memory.forget_sources(["discord:1"], BEN) == 0
    assert await memory.forget_sources(["discord:1", "discord:9"], ANN) == 1
    assert len(await memory.list(ANN)) == 1


async def test_what_was_erased_while_it_was_added_is_taken_back(
    mem0: FakeMem0, memory: HostedMemory, journal: Journal
) -> None:
    """An exchange that was forgotten during its add leaves nothing; the one behind it is learned."""
    journal.erased.add(1)
    await memory.learn([exchange(1, "I like tea"), exchange(2, "I like rum")])
    assert [row["metadata"]["source"] for row in mem0.rows] == ["discord:2"]
    assert journal.learned == [2]


async def test_memories_move_and_part_by_account(memory: HostedMemory) -> None:
    """Joined, all are one person's; parted, each account's go back, and moving twice moves nothing more."""
    await memory.learn([replace(exchange(1, "I like tea"), person_key=ANN)])
    await memory.learn([exchange(2, "I like rum", user_id=BEN)])
    assert await memory.move(BEN, ANN) == 1
    assert await memory.move(BEN, ANN) == 0
    assert len(await memory.list(ANN)) == 2
    assert await memory.move(ANN, BEN, [BEN]) == 1
    assert ["rum" in found.text for found in await memory.list(BEN)] == [True]
    assert ["tea" in found.text for found in await memory.list(ANN)] == [True]


async def test_a_workspaces_memories_go(memory: HostedMemory) -> None:
    """Of the people named, what was learned in that workspace goes, and only that."""
    await memory.learn([exchange(1, "I like tea"), exchange(2, "I like rum", scope=PUBLIC)])
    assert await memory.forget_workspace("discord", "7", [ANN, BEN]) == 1
    assert ["tea" in found.text for found in await memory.list(ANN)] == [True]
    with pytest.raises(ValueError, match="workspace"):
        await memory.forget_workspace("discord", "", [ANN])
