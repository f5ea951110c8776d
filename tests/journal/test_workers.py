"""Processes that end: killed, closed or started at the same time."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest

from bot.journal import inbox, open_journal, workers
from bot.journal.inbox import Unanswered
from bot.journal.journal import SqlJournal
from bot.journal.sqlite import SqliteRunner
from bot.ports import ClaimLost, JournalUnavailable
from bot.storage.sqlite import database_path
from tests.journal.conftest import Clock, Database, Open
from tests.journal.makers import told
from tests.journal.test_postgres import drop_connections
from tests.makers import ANN, BOB, message, somebody

pytestmark = pytest.mark.slow

T = TypeVar("T")


async def child(mode: str, database: Database) -> Process:
    """Start `tests.journal.child` over the database."""
    args = [sys.executable, "-m", "tests.journal.child", mode, str(database.folder), *([database.url or ""])]
    return await asyncio.create_subprocess_exec(*[arg for arg in args if arg], stdout=PIPE)


async def line(process: Process) -> str:
    """The next line that a child prints."""
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()


@pytest.mark.parametrize("after", [1, 7, 30])
async def test_a_kill_loses_nothing_that_was_committed(database: Database, open_: Open, after: int) -> None:
    """A process killed at once after it has committed an answer has lost no turn and no exchange."""
    process = await child("answer", database)
    for _ in range(after):
        number = int(await line(process))
    process.kill()
    await process.wait()
    journal = await open_(bot_turns=1000, bot_turns_ttl_hours=10**6)
    backlog = await journal.backlog()
    assert backlog.waiting >= number + 1
    assert backlog.unanswered <= 1
    for known in range(number + 1):
        assert await journal.inbox.admit(message(f"told {known}", number=known)) is None
    conversation = await told(journal, "told again", 10_001, person=BOB)
    said = [turn.text for turn in await journal.turns.recent(conversation) if turn.author == "user"]
    assert said == [*(f"told {known}" for known in range(backlog.waiting)), "told again"]


async def test_what_is_being_taken_in_is_in_hand(open_: Open) -> None:
    """Copies of an event that come at once, and looks at the journal meanwhile, never offer it to a second answer."""
    journal = await open_()
    for number in range(100):
        event = message("hello", number=number)
        first, found, second, again = await asyncio.gather(
            journal.inbox.admit(event),
            journal.inbox.unanswered(),
            journal.inbox.admit(event),
            journal.inbox.unanswered(),
        )
        assert [first, second].count(None) == 1
        assert (found, again, await journal.inbox.unanswered()) == ([], [], [])


async def test_what_is_put_off_is_offered_when_it_is_due(open_: Open, clock: Clock) -> None:
    """A look at the journal amid the putting off doesn't take it for work that was dropped."""
    journal = await open_()
    for number in range(100):
        event = message("hello", number=number, person=somebody(number))
        await journal.inbox.admit(event)
        _, found = await asyncio.gather(journal.inbox.postpone(event.id, 60), journal.inbox.unanswered())
        assert (found, await journal.inbox.unanswered()) == ([], [])
    clock.now += 61
    assert len(await journal.inbox.unanswered()) == 100


async def test_a_clock_that_is_set_back_delays_nothing(open_: Open, clock: Clock) -> None:
    """What was put off before the clock was set back by days is offered at once, not after days."""
    journal = await open_()
    await journal.inbox.admit(message("hello", number=1))
    await journal.inbox.postpone(message("hello", number=1).id, 60)
    await told(journal, "I like tea", 2, person=BOB)
    (exchange,) = await journal.outbox.claim(BOB.key, "private")
    await journal.outbox.failed([exchange.id], "down", final=False)
    assert (await journal.inbox.unanswered(), await journal.outbox.waiting()) == ([], [])
    clock.now -= 3 * 24 * 3600
    assert [left.event.text for left in await journal.inbox.unanswered()] == ["hello"]
    assert await journal.outbox.waiting() == [(BOB.key, "private")]


async def test_a_killed_process_is_taken_over(database: Database, open_: Open) -> None:
    """What a killed process had in hand goes to another within 15 s, once; not while it lives."""
    process = await child("hold", database)
    assert await line(process) == "held"
    first, second = await open_(), await open_()
    assert await first.inbox.unanswered() == []
    process.kill()
    await process.wait()
    found: list[Unanswered] = []
    async with asyncio.timeout(15):
        while not found:
            found = [taken for worker in (first, second) for taken in await worker.inbox.unanswered()]
            await asyncio.sleep(0.1)
    assert [taken.event.text for taken in found] == ["hold on"]
    await asyncio.sleep(workers.BEAT * 2)
    assert [taken for worker in (first, second) for taken in await worker.inbox.unanswered()] == []


async def test_a_worker_that_stands_still_amid_a_transaction(postgres_only: Database) -> None:
    """The locks that it holds keep nobody from taking its event over within 15 s."""
    process = await child("stuck", postgres_only)
    assert await line(process) == "held"
    journal = await open_journal(postgres_only.settings)
    try:
        found: list[Unanswered] = []
        async with asyncio.timeout(15):
            while not found:
                found = await journal.inbox.unanswered()
                await asyncio.sleep(0.2)
        assert [taken.event.text for taken in found] == ["hold on"]
    finally:
        process.kill()
        await process.wait()
        await journal.close()


async def test_a_start_finds_what_a_killed_process_left(sqlite_only: Database) -> None:
    """On one machine, the next start has a killed process's events at hand at once."""
    process = await child("hold", sqlite_only)
    assert await line(process) == "held"
    process.kill()
    await process.wait()
    journal = await open_journal(sqlite_only.settings)
    assert [taken.event.text for taken in await journal.inbox.unanswered()] == ["hold on"]
    assert len(list(sqlite_only.folder.glob("worker-*.lock"))) == 1
    await journal.close()


async def test_processes_that_start_at_once_migrate_once(database: Database) -> None:
    """Four processes over one empty database all come up, over the same tables."""
    processes = [await child("open", database) for _ in range(4)]
    assert {await line(process) for process in processes} == {"Backlog(unanswered=0, waiting=0, failed=0)"}
    assert [await process.wait() for process in processes] == [0, 0, 0, 0]


async def test_a_worker_taken_for_dead_has_no_say(postgres_only: Database) -> None:
    """What others have taken over it can't end, put off or answer any more; what is left to it, it can."""
    first = await open_journal(postgres_only.settings)
    events = [message(f"m{number}", number=number, person=somebody(number)) for number in range(4)]
    conversations = [await first.inbox.admit(event) for event in events]
    second = await open_journal(postgres_only.settings)
    with postgres_only.connect() as conn:  # as a third would, after the first has been silent for too long
        conn.execute("DELETE FROM workers WHERE id = (SELECT min(claimed_by) FROM inbox)")
        conn.execute("UPDATE inbox SET claimed_by = NULL")
    assert len(await second.inbox.unanswered()) == 4
    await first.inbox.postpone(events[0].id, 0)
    assert not await first.inbox.dismiss(events[1].id)
    with suppress(ClaimLost):  # it has noticed by now, or it hasn't
        await first.inbox.answered(events[2], ANN.key, str(conversations[2]), "stale", [], learn=True)
    await asyncio.sleep(workers.BEAT + 0.5)
    with pytest.raises(ClaimLost):
        await first.inbox.confirm(events[3].id)
    with pytest.raises(ClaimLost):
        await first.inbox.answered(events[3], ANN.key, str(conversations[3]), "stale", [], learn=True)
    assert await first.inbox.unanswered() == []
    for event, conversation in zip(events, conversations, strict=True):
        await second.inbox.confirm(event.id)
        await second.inbox.answered(event, ANN.key, str(conversation), f"fresh {event.text}", [], learn=True)
    said = [turn.text for turn in await first.turns.recent(str(conversations[0])) if turn.author == "assistant"]
    assert said == ["fresh m0", "fresh m1", "fresh m2", "fresh m3"]
    # The first is a worker as before.
    await first.inbox.abandon_claim(events[3].id)
    await first.inbox.admit(message("again", number=9))
    await first.inbox.confirm(message("again", number=9).id)
    assert await first.inbox.dismiss(message("again", number=9).id)
    await first.close()
    await second.close()


async def test_a_database_away_makes_nobody_dead(postgres_server: str, postgres_only: Database) -> None:
    """Workers that could not show themselves since the database was away keep what they have in hand."""
    journals = [await open_journal(postgres_only.settings) for _ in range(2)]
    held = [message(f"m{number}", number=number) for number in range(2)]
    for journal, event in zip(journals, held, strict=True):
        await journal.inbox.admit(event)
    drop_connections(postgres_server, postgres_only, refuse=True)
    await asyncio.sleep(workers.LEASE + workers.BEAT)
    for journal, event in zip(journals, held, strict=True):
        with pytest.raises(JournalUnavailable):
            await journal.inbox.confirm(event.id)
    drop_connections(postgres_server, postgres_only)
    for _ in range(8):
        await asyncio.sleep(workers.BEAT / 4)
        for journal, event in zip(journals, held, strict=True):
            await journal.inbox.confirm(event.id)
            assert await journal.inbox.unanswered() == []
    for journal in journals:
        await journal.close()


class Beats:
    """A lease of which nobody is sure: each heartbeat takes a while, and then fails, or says what it is told to."""

    worker = "w"
    valid = False

    def __init__(self, known: bool | None) -> None:
        self.known = known
        self.sent = 0

    async def renew(self) -> bool:
        self.sent += 1
        await asyncio.sleep(0.2)
        if self.known is None:
            raise JournalUnavailable("away")
        return self.known

    async def close(self) -> None:
        """Nothing was signed on."""


class Slow(SqliteRunner):
    """Where something is put off, it is on disk for a while before that is told."""

    async def write(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        result: T = await super().write(function, *args, **kwargs)
        if function is inbox.postpone:
            await asyncio.sleep(0.4)
        return result


async def test_what_is_put_off_amid_a_look_is_not_taken_for_lost(sqlite_only: Database) -> None:
    """An event that is given back while the process finds out what it has lost is offered to it again, when due."""
    await (await open_journal(sqlite_only.settings)).close()
    journal = SqlJournal(Slow(database_path(sqlite_only.settings)), lease=Beats(known=False))
    await journal.inbox.admit(message("one", number=1))
    await journal.inbox.admit(message("two", number=2, person=BOB))
    one, two = (message(text, number=number).id for number, text in ((1, "one"), (2, "two")))
    await asyncio.gather(journal.inbox.postpone(one, -1), journal.inbox.confirm(two))
    assert [left.event.id for left in await journal.inbox.unanswered()] == [one]
    await journal.close()


async def test_those_who_ask_while_the_database_is_away_share_the_waiting(sqlite_only: Database) -> None:
    """A hundred answers that ask at once whether they may be shown don't wait for each other's failures."""
    await (await open_journal(sqlite_only.settings)).close()
    lease = Beats(known=None)
    journal = SqlJournal(SqliteRunner(database_path(sqlite_only.settings)), lease=lease)
    asked = await asyncio.gather(*(journal.inbox.confirm(str(number)) for number in range(100)), return_exceptions=True)
    assert {type(answer) for answer in asked} == {JournalUnavailable}
    assert lease.sent == 1
    await journal.close()
