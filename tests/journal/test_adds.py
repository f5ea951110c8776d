"""What hosted mem0 was asked to add, written down: on both databases."""

import asyncio
from dataclasses import replace

from bot.events import Edited
from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from bot.model import QueuedAdd
from tests.journal.conftest import Clock, Database, Open
from tests.journal.makers import link, told
from tests.makers import ANN, BOB, message

OTHER = "discord:7"


async def begun(journal: SqlJournal, number: int = 1) -> QueuedAdd:
    """An add for a message that was told and waits to be learned."""
    await told(journal, "I like tea", number)
    exchange = (await journal.outbox.claim(ANN.key, "private"))[-1]
    add = QueuedAdd(f"token{number}", ANN.key, exchange.event_id, exchange_id=exchange.id, at=float(number))
    assert await journal.adds.begin(add)
    return add


async def test_another_process_finds_what_was_asked_for(journal: SqlJournal, open_: Open) -> None:
    """It is there from before it was asked, and mem0's id for it from when that is known."""
    add = await begun(journal)
    other = await open_()
    assert await other.adds.unfinished([ANN.key]) == await other.adds.unfinished() == [add]
    assert await other.adds.unfinished([BOB.key]) == []
    await journal.adds.note(add.token, "event")
    assert await other.adds.unfinished() == [replace(add, event="event")]


async def test_an_add_that_stays_is_learned(journal: SqlJournal) -> None:
    """Its exchange goes with it, and whom it taught is noted; a second time it is unknown."""
    add = await begun(journal)
    assert await journal.adds.finish(add.token)
    assert not await journal.adds.finish(add.token)
    assert await journal.outbox.claim(ANN.key, "private") == []
    assert await journal.taught.accounts_of([add.source]) == {add.source: ANN.key}
    assert await journal.adds.unfinished() == []


async def test_an_add_is_void_once_its_exchange_is_erased_or_replaced(journal: SqlJournal) -> None:
    """Whatever takes the exchange, its add can't be finished any more, nor begun again."""
    first, second, third = [await begun(journal, number) for number in (1, 2, 3)]
    await journal.changes.forget([first.source])
    await journal.changes.edit([Edited(message("I like rum", number=2), ANN.key, learn=True)])
    await journal.texts.forget_person(ANN.key, [ANN.key])
    assert [add.void for add in await journal.adds.unfinished()] == [True, True, True]
    for add in (first, second, third):
        assert not await journal.adds.finish(add.token)
        assert not await journal.adds.begin(replace(add, token="again"))


async def test_a_change_is_not_begun_after_everything_was_forgotten(journal: SqlJournal) -> None:
    """One that was decided on before it comes too late, and only that person's."""
    change = QueuedAdd("t1", ANN.key, "e1", "memory")
    mine, his = await journal.adds.epoch(ANN.key), await journal.adds.epoch(BOB.key)
    assert await journal.adds.begin(change, ANN.key, mine)
    await journal.texts.forget_person(ANN.key, [ANN.key])
    assert not await journal.adds.begin(replace(change, token="t2"), ANN.key, mine)
    assert await journal.adds.begin(replace(change, token="t3"), ANN.key, await journal.adds.epoch(ANN.key))
    assert await journal.adds.begin(replace(change, token="t4", user_id=BOB.key), BOB.key, his)


async def test_what_is_called_void_is_one_persons_and_about_something(journal: SqlJournal) -> None:
    """By its message, its memory, its token, or all of it; nobody else's."""
    for token, user, source, memory in (
        ("t1", ANN.key, "e1", "m1"),
        ("t2", ANN.key, "e2", "m2"),
        ("t3", ANN.key, "e3", "m3"),
        ("t4", ANN.key, "e4", "m4"),
        ("t5", BOB.key, "e1", "m1"),
    ):
        assert await journal.adds.begin(QueuedAdd(token, user, source, memory), user, 0)
    await journal.adds.void([ANN.key], ["e1", "m2", "t3"])
    assert [add.token for add in await journal.adds.unfinished() if add.void] == ["t1", "t2", "t3"]
    await journal.adds.void([ANN.key])
    assert [add.token for add in await journal.adds.unfinished() if not add.void] == ["t5"]


async def test_adds_dont_pile_up(journal: SqlJournal, clock: Clock) -> None:
    """What nobody has finished in two weeks is dropped."""
    assert await journal.adds.begin(QueuedAdd("t1", ANN.key, "e1", "m1", at=clock.now), ANN.key, 0)
    await journal.prune()
    assert len(await journal.adds.unfinished()) == 1
    clock.now += 15 * 24 * 3600
    await journal.prune()
    assert await journal.adds.unfinished() == []


async def test_whom_a_message_taught_is_the_account(journal: SqlJournal) -> None:
    """However it is linked: a link, and its end, leave what was noted where the memory lies."""
    await link(journal, OTHER, BOB.key)
    await link(journal, ANN.key, BOB.key)
    await told(journal, "I like tea", 1)
    (exchange,) = await journal.outbox.claim(BOB.key, "private")
    await journal.outbox.learned([exchange.id])
    assert await journal.taught.accounts_of([exchange.event_id]) == {exchange.event_id: ANN.key}
    await journal.texts.forget_person(BOB.key, [BOB.key, OTHER, ANN.key])
    assert await journal.taught.accounts_of([exchange.event_id]) == {}


async def test_an_add_waits_for_a_forgetting_that_is_under_way(postgres_only: Database) -> None:
    """On PostgreSQL, where two transactions run at once: an exchange that is being erased can't be handed on."""
    journal = await open_journal(postgres_only.settings)
    try:
        add = await begun(journal)
        with postgres_only.connect() as forgetting:
            forgetting.execute("DELETE FROM exchanges WHERE id = %s", (add.exchange_id,))
            beginning = asyncio.create_task(journal.adds.begin(replace(add, token="again")))
            await asyncio.sleep(0.3)
            assert not beginning.done()
            forgetting.commit()
            assert not await beginning
    finally:
        await journal.close()
