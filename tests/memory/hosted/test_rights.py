"""What people may do with their memories at hosted mem0, against a loopback service."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.model import SHARED_SCOPE
from bot.ports import MemoryUnavailable
from tests.fakes.mem0 import FakeMem0, Fault
from tests.harness import Between, Clock
from tests.makers import until
from tests.memory.hosted.world import ANN, BEN, NOW, PUBLIC, Process, adds, process
from tests.parts import make_privacy

ELSEWHERE = "terminal:ann"


@pytest.fixture
async def mem0() -> AsyncIterator[FakeMem0]:
    async with FakeMem0() as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def bot(tmp_path: Path, mem0: FakeMem0, clock: Clock) -> AsyncIterator[Process]:
    async with process(tmp_path, mem0.url, patience=1, clock=clock) as found:
        yield found


async def link(bot: Process, person: str, to: str) -> None:
    """Join an account to another, as `/link` does."""
    await bot.journal.codes.offer(to, "digest")
    joined = await bot.journal.codes.redeem(person, "digest")
    assert joined is not None
    assert await make_privacy(bot.journal, bot.memory).eraser.joined(joined) is not None


async def unlink(bot: Process, person: str) -> None:
    """Part an account from the others, as `/unlink` does."""
    unlinked = await bot.journal.accounts.unlink(person)
    assert unlinked is not None
    assert await make_privacy(bot.journal, bot.memory).eraser.joined(unlinked) is not None


async def test_an_edit_takes_the_memorys_place(mem0: FakeMem0, bot: Process) -> None:
    """The new text has the old one's message and date, the old text is gone, and a stranger's edit is none."""
    await bot.tell(1, "I like tea")
    (before,) = await bot.memory.list(ANN)
    assert await bot.memory.edit(BEN, before.id, "mine", NOW) is None
    changed = await bot.memory.edit(ANN, before.id, "likes green tea", NOW)
    assert changed is not None
    assert (changed.text, changed.edited_at, changed.sources) == ("likes green tea", NOW, before.sources)
    assert await bot.memory.list(ANN) == [changed]
    assert all("I like tea" not in row["memory"] for row in mem0.rows)


async def test_the_last_of_several_edits_wins(mem0: FakeMem0, bot: Process) -> None:
    """Where the old memory could not be deleted, another try does it, and the first try's text is nowhere."""
    await bot.tell(1, "I like tea")
    (before,) = await bot.memory.list(ANN)
    mem0.faults.append(Fault("DELETE", "/v1/memories/", 503, times=99))
    with pytest.raises(MemoryUnavailable):
        await bot.memory.edit(ANN, before.id, "likes rum", NOW)
    mem0.faults.clear()
    await bot.memory.edit(ANN, before.id, "likes gin", NOW)
    assert await bot.texts() == ["likes gin"]
    await bot.memory.tidy()
    assert [row["memory"] for row in mem0.rows] == ["likes gin"]


async def test_an_edit_that_mem0_takes_long_over_comes_through(mem0: FakeMem0, bot: Process) -> None:
    """The person is told that it didn't work now; once mem0 has done it, it takes the memory's place all the same."""
    await bot.tell(1, "I like tea")
    (before,) = await bot.memory.list(ANN)
    mem0.release = asyncio.Event()
    with pytest.raises(MemoryUnavailable):
        await bot.memory.edit(ANN, before.id, "likes rum", NOW)
    assert await bot.texts() == ["I like tea"]
    mem0.release.set()
    await asyncio.sleep(0.05)
    await bot.memory.tidy()
    assert await bot.texts() == ["likes rum"]
    assert len(mem0.rows) == 1


async def test_a_memory_that_is_forgotten_while_it_is_edited_leaves_nothing(mem0: FakeMem0, bot: Process) -> None:
    """Its new text is still queued when it is forgotten: that is put off until the text has come and gone."""
    await bot.tell(1, "I like tea")
    (before,) = await bot.memory.list(ANN)
    mem0.release = asyncio.Event()
    editing = asyncio.create_task(bot.memory.edit(ANN, before.id, "likes rum", NOW))
    await until(lambda: len(adds(mem0)) == 2)
    with pytest.raises(MemoryUnavailable):
        await bot.memory.forget(ANN, [before.id])
    mem0.release.set()
    await asyncio.gather(editing, return_exceptions=True)
    assert await bot.texts() == []
    await bot.memory.forget(ANN, [before.id])
    assert (mem0.rows, await bot.journal.adds.unfinished()) == ([], [])


async def test_what_took_a_memorys_place_is_forgotten_in_its_stead(mem0: FakeMem0, bot: Process) -> None:
    """Whoever pressed `Forget` before the edit came through means that memory, whatever its id is now."""
    await bot.tell(1, "I like tea")
    (before,) = await bot.memory.list(ANN)
    await bot.memory.edit(ANN, before.id, "likes rum", NOW)
    assert await bot.memory.forget(BEN, [before.id]) == 0
    assert await bot.memory.forget(ANN, [before.id]) == 1
    assert mem0.rows == []


async def test_a_deletion_that_mem0_only_claims_is_not_called_done(mem0: FakeMem0, bot: Process) -> None:
    """What is still there after it was deleted is an error, to be tried again."""
    await bot.tell(1, "I like tea")
    (before,) = await bot.memory.list(ANN)
    mem0.faults.append(Fault("DELETE", "/v1/memories/", 200, times=99))
    with pytest.raises(MemoryUnavailable, match="still holds"):
        await bot.memory.forget(ANN, [before.id])
    with pytest.raises(MemoryUnavailable, match="still holds"):
        await bot.memory.forget_sources(["discord:1"], ANN)
    with pytest.raises(MemoryUnavailable, match="still holds"):
        await bot.memory.forget_all(ANN)


async def test_sharing_and_closing_again(bot: Process) -> None:
    """An opened memory is recalled in any channel, a closed one where it was learned."""
    await bot.tell(1, "I am allergic to nuts")
    (before,) = await bot.memory.list(ANN)
    channel = frozenset({PUBLIC, SHARED_SCOPE})
    opened = await bot.memory.share(ANN, before.id, shared=True)
    assert opened is not None
    assert [found.id for found in await bot.memory.recall(ANN, channel, "nuts", (), NOW)] == [opened.id]
    closed = await bot.memory.share(ANN, opened.id, shared=False)
    assert closed is not None
    assert await bot.memory.recall(ANN, channel, "nuts", (), NOW) == []
    assert closed.scope == "private"
    assert await bot.memory.share(ANN, closed.id, shared=False) == closed


async def test_a_message_takes_along_what_it_taught(bot: Process) -> None:
    """What a message taught that person goes; without a person nobody's can be found."""
    await bot.tell(1, "I like tea")
    await bot.tell(2, "I like rum")
    assert await bot.memory.forget_sources(["discord:1"]) == 0
    assert await bot.memory.forget_sources(["discord:1"], BEN) == 0
    assert await bot.memory.forget_sources(["discord:1", "discord:9"], ANN) == 1
    assert await bot.texts() == ["I like rum"]


async def test_linked_accounts_have_one_set_of_memories_at_once(mem0: FakeMem0, bot: Process) -> None:
    """From the moment of the link on, each account's memories are both's, for all commands; nothing moves."""
    for number in range(50):
        await bot.tell(number, f"fact {number}", ELSEWHERE)
    await bot.tell(90, "I like tea")
    asked = len(mem0.asked)
    await link(bot, ELSEWHERE, ANN)
    assert len(mem0.asked) == asked
    assert len(await bot.texts()) == 51
    recalled = await bot.memory.recall(ANN, None, "fact 7", (), NOW)
    assert recalled[0].text.endswith("fact 7")
    changed = await bot.memory.edit(ANN, recalled[0].id, "fact seven", NOW)
    assert changed is not None
    assert await bot.memory.forget(ANN, [changed.id]) == 1
    await bot.tell(91, "I like rum", ELSEWHERE)
    assert "I like rum" in await bot.texts()


async def test_parted_accounts_have_their_own_at_once(bot: Process) -> None:
    """From the moment of the parting on, each has what it told, before and meanwhile, and none the other's."""
    await bot.tell(1, "I like tea")
    await bot.tell(2, "I like rum", ELSEWHERE)
    await link(bot, ELSEWHERE, ANN)
    await bot.tell(3, "I like gin", ELSEWHERE)
    await bot.tell(4, "I like ale")
    await unlink(bot, ELSEWHERE)
    assert await bot.texts() == ["I like ale", "I like tea"]
    assert await bot.texts(ELSEWHERE) == ["I like gin", "I like rum"]


async def test_what_is_queued_when_accounts_are_linked_is_learned_once(
    tmp_path: Path, mem0: FakeMem0, clock: Clock
) -> None:
    """A lesson under way is begun anew by the link; what mem0 had of it until then is gone before that."""
    async with process(tmp_path, mem0.url, patience=1e9, clock=clock) as bot:
        mem0.release = asyncio.Event()
        learning = asyncio.create_task(bot.tell(1, "I like rum", ELSEWHERE))
        await until(lambda: len(adds(mem0)) == 1)
        await link(bot, ELSEWHERE, ANN)
        again = asyncio.create_task(bot.memory.learn(await bot.waiting()))
        await asyncio.sleep(0.05)
        assert len(adds(mem0)) == 1
        mem0.release.set()
        await asyncio.gather(learning, again)
        assert await bot.texts() == ["I like rum"]
        assert len(mem0.rows) == 1
        assert (await bot.waiting(), await bot.journal.adds.unfinished()) == ([], [])


async def test_a_deleted_message_is_found_after_accounts_parted(mem0: FakeMem0, bot: Process) -> None:
    """Whom a message taught is known by the account, however that was linked then and is now."""
    await link(bot, ELSEWHERE, ANN)
    await bot.tell(1, "I like gin", ELSEWHERE)
    await bot.tell(2, "I like rum", ELSEWHERE)
    privacy = make_privacy(bot.journal, bot.memory)
    await privacy.changes.on_deleted(["discord:1"])
    assert await bot.texts() == ["I like rum"]
    assert await bot.journal.taught.accounts_of(["discord:1", "discord:2"]) == {"discord:2": ELSEWHERE}
    await unlink(bot, ELSEWHERE)
    await privacy.changes.on_deleted(["discord:2"])
    assert mem0.rows == []


async def test_a_message_deleted_while_its_lesson_ends_leaves_nothing(mem0: FakeMem0, bot: Process) -> None:
    """Whom it taught is noted after the deletion has looked for that, and before it has the exchange erased."""
    exchange = await bot.say(1, "I like gin")
    taught: Any = Between(bot.journal.taught, "accounts_of", lambda: bot.memory.learn([exchange]))
    await make_privacy(bot.journal, bot.memory, taught=taught).changes.on_deleted(["discord:1"])
    assert mem0.rows == []


@pytest.mark.parametrize("wish", ["everything", "one"])
async def test_what_could_not_be_forgotten_is_found_after_accounts_parted(
    mem0: FakeMem0, bot: Process, clock: Clock, wish: str
) -> None:
    """With mem0 down when it is asked for, and the accounts parted since, a forgetting still ends with nothing left."""
    await link(bot, ELSEWHERE, ANN)
    await bot.tell(1, "I like gin", ELSEWHERE)
    privacy = make_privacy(bot.journal, bot.memory)
    (gin,) = await bot.memory.list(ANN)
    mem0.faults.append(Fault("DELETE", "/v1/memories/", 503, times=10))
    rights = privacy.rights
    asked = rights.forget_everything(ANN) if wish == "everything" else rights.forget_memories(ANN, [gin])
    assert (await asked).memories is None
    if wish == "one":
        await unlink(bot, ELSEWHERE)
    else:
        for account in (ANN, ELSEWHERE):
            assert (await bot.journal.accounts.account(account)).erasing, "until it is gone, neither account uses it"
    mem0.faults.clear()
    clock.now += 3600
    await privacy.eraser.tick()
    assert mem0.rows == []


async def test_what_an_earlier_version_moved_goes_home_when_accounts_part(tmp_path: Path, mem0: FakeMem0) -> None:
    """Memories that lie under another account than the one that taught them part with the latter, several at once."""
    at_work = peak = 0

    async def work(body: object) -> None:
        nonlocal at_work, peak
        at_work += 1
        peak = max(peak, at_work)
        await asyncio.sleep(0.02)
        at_work -= 1

    async with process(tmp_path, mem0.url, patience=1e9) as bot:
        await bot.tell(1, "I like tea")
        await link(bot, ELSEWHERE, ANN)
        for number in range(40):
            metadata = {"owner": ANN, "audience": "private", "source": f"e{number}", "account": ELSEWHERE}
            mem0.put(f"fact {number}", user_id=ANN, run_id=f"{ANN}/private", metadata=metadata)
        assert len(await bot.texts()) == 41
        mem0.work = work
        await unlink(bot, ELSEWHERE)
        assert await bot.texts() == ["I like tea"]
        assert sorted(await bot.texts(ELSEWHERE)) == sorted(f"fact {number}" for number in range(40))
        assert len(mem0.rows) == 41
    assert 1 < peak <= 8


async def test_a_workspaces_memories_go(bot: Process) -> None:
    """Of the people named, what was learned in that workspace goes, and only that."""
    await bot.tell(1, "I like tea")
    await bot.tell(2, "I like rum", scope=PUBLIC)
    assert await bot.memory.forget_workspace("discord", "7", [ANN, BEN]) == 1
    assert await bot.texts() == ["I like tea"]
    with pytest.raises(ValueError, match="workspace"):
        await bot.memory.forget_workspace("discord", "", [ANN])


async def test_a_workspaces_memory_that_is_being_edited_goes_too(mem0: FakeMem0, bot: Process) -> None:
    """Its new text, still queued when the workspace is erased, is put off until it has come and gone."""
    await bot.tell(2, "I like rum", scope=PUBLIC)
    (before,) = await bot.memory.list(ANN)
    mem0.release = asyncio.Event()
    with pytest.raises(MemoryUnavailable):
        await bot.memory.edit(ANN, before.id, "likes gin", NOW)
    with pytest.raises(MemoryUnavailable):
        await bot.memory.forget_workspace("discord", "7", [ANN])
    mem0.release.set()
    await asyncio.sleep(0.05)
    assert await bot.texts() == []
    await bot.memory.tidy()
    assert mem0.rows == []
