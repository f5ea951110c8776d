"""Two transactions that meet on PostgreSQL: the first has changed rows and is being committed, the second waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot.events import Edited, MessageEvent
from bot.journal import answers, deletions, forgetting, ledger, outbox
from bot.journal.answers import Answered
from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from bot.journal.postgres import PostgresRunner
from bot.journal.tables import inbox
from bot.model import QueuedAdd
from bot.storage.engine import parse_url, postgres_engine
from bot.usage import Limits, Metered, Payer, Purpose, Usage
from tests.journal.conftest import Database
from tests.journal.makers import in_channel, told
from tests.makers import ANN, BOB, MONDAY, message

CANARY = "zebrafinch"
NOW = MONDAY.timestamp()


@pytest.fixture
async def journal(postgres_only: Database) -> AsyncIterator[SqlJournal]:
    """A journal on PostgreSQL."""
    opened = await open_journal(postgres_only.settings)
    yield opened
    await opened.close()


@pytest.fixture
def first(postgres_only: Database, journal: SqlJournal) -> Iterator[sa.Connection]:
    """The connection of the transaction that goes first."""
    engine = postgres_engine(parse_url(postgres_only.url or ""))
    with engine.connect() as conn:
        yield conn
    engine.dispose()


async def behind(first: sa.Connection, database: Database, work: Coroutine[Any, Any, Any]) -> Any:
    """Do the work, and commit the first transaction once it waits for that."""
    task = asyncio.create_task(work)
    with psycopg.connect(database.url or "", autocommit=True) as conn:
        async with asyncio.timeout(10):
            while not conn.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                assert not task.done(), "it did not wait"
                await asyncio.sleep(0.01)
    first.commit()
    return await task


async def answering(
    first: sa.Connection, journal: SqlJournal, event: MessageEvent, answer: str = "I see.", user_id: str = ANN.key
) -> str:
    """Have an event admitted and its answer about to be committed; return the conversation."""
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    worker = first.execute(sa.select(inbox.c.claimed_by).where(inbox.c.event_id == event.id)).scalar_one()
    done = Answered(event, user_id, conversation, answer, (f"{event.id}/answer",), True, True, worker)
    assert answers.commit(first, done, time.time())
    return conversation


EVENT = message(f"My bird is a {CANARY}.")


@pytest.mark.parametrize(
    "forget",
    [
        lambda journal: journal.texts.forget_person(ANN.key, [ANN.key]),
        lambda journal: journal.texts.forget_since(
            ANN.key, [ANN.key], MONDAY - timedelta(days=9999), MONDAY + timedelta(days=9999)
        ),
        lambda journal: journal.texts.forget_events(ANN.key, [EVENT.id]),
        lambda journal: journal.changes.forget([EVENT.id]),
        lambda journal: journal.texts.forget_workspace("slack", "T1"),
    ],
    ids=["everything", "since", "events", "messages", "workspace"],
)
async def test_an_answer_that_is_just_being_committed_is_forgotten_too(
    journal: SqlJournal, first: sa.Connection, postgres_only: Database, forget: Callable[[SqlJournal], Awaitable[int]]
) -> None:
    """Whoever has a message forgotten while its answer is written down finds neither its turns nor its exchange."""
    conversation = await answering(first, journal, EVENT)
    await behind(first, postgres_only, forget(journal))  # type: ignore[arg-type]
    assert await journal.turns.recent(conversation) == []
    assert (await journal.backlog()).waiting == 0


async def test_an_answer_that_repeats_what_is_being_forgotten_goes_too(
    journal: SqlJournal, first: sa.Connection, postgres_only: Database
) -> None:
    """Another's answer in the same conversation, committed at that very moment, doesn't keep what is forgotten."""
    event = in_channel(f"My bird is a {CANARY}.", 1)
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    await journal.inbox.answered(event, ANN.key, conversation, "I see.", ["discord:2"], learn=True)
    asked = replace(in_channel("What has Ann?", 3, reply_to="discord:2"), person=replace(BOB, platform="discord"))
    assert await answering(first, journal, asked, f"Ann has a {CANARY}.", asked.person.key) == conversation
    await behind(first, postgres_only, journal.texts.forget_events(ANN.key, [event.id]))
    assert [turn.text for turn in await journal.turns.recent(conversation)] == ["What has Ann?"]


async def test_what_is_learned_at_that_very_moment_is_not_learned_again(
    journal: SqlJournal, first: sa.Connection, postgres_only: Database
) -> None:
    """A lesson that is about to be committed while something else is forgotten leaves nothing to be learned anew."""
    await told(journal, f"My bird is a {CANARY}.", 1)
    await told(journal, "I like tea.", 2, answer=f"With your {CANARY}?")
    exchanges = await journal.outbox.claim(ANN.key, "private")
    outbox.learned(first, [exchanges[1].id])
    await behind(first, postgres_only, journal.texts.forget_events(ANN.key, [exchanges[0].event_id]))
    assert (await journal.backlog()).waiting == 0


async def test_an_edit_meets_the_answer(journal: SqlJournal, first: sa.Connection, postgres_only: Database) -> None:
    """A message that is edited while its answer is being committed is kept, and learned, as it says now."""
    conversation = await answering(first, journal, message("I like tea."))
    edited = message("I like coffee.")
    await behind(first, postgres_only, journal.changes.edit([Edited(edited, ANN.key, learn=True)]))
    await journal.taught.release([edited.id])
    assert [turn.text for turn in await journal.turns.recent(conversation)] == ["I like coffee.", "I see."]
    assert [exchange.text for exchange in await journal.outbox.claim(ANN.key, "private")] == ["I like coffee."]


async def test_accounts_are_joined_amid_an_answer(
    journal: SqlJournal, first: sa.Connection, postgres_only: Database
) -> None:
    """What is being answered while its account is linked is kept, and learned, for both accounts."""
    await answering(first, journal, message("I like tea.", person=BOB), user_id=BOB.key)
    await journal.codes.offer(ANN.key, "digest")
    assert await behind(first, postgres_only, journal.codes.redeem(BOB.key, "digest"))
    assert [exchange.text for exchange in await journal.outbox.claim(ANN.key, "private")] == ["I like tea."]


async def test_an_add_that_ends_amid_a_forgetting_is_void(
    journal: SqlJournal, first: sa.Connection, postgres_only: Database
) -> None:
    """What hosted mem0 has learned of a message stays not, where its deletion is about to be committed."""
    await told(journal, f"My bird is a {CANARY}.", 1)
    (exchange,) = await journal.outbox.claim(ANN.key, "private")
    add = QueuedAdd("token", ANN.key, exchange.event_id, exchange_id=exchange.id, at=NOW)
    assert await journal.adds.begin(add)
    deletions.forget(first, [exchange.event_id], NOW)
    assert not await behind(first, postgres_only, journal.adds.finish("token"))
    assert [add.void for add in await journal.adds.unfinished()] == [True]


async def test_of_two_that_wait_for_each_other_one_goes_first(
    journal: SqlJournal, first: sa.Connection, postgres_only: Database
) -> None:
    """A step that PostgreSQL ends, since two had locked what the other one wants, is done anew and fails nobody."""
    one, two = message("hello", number=1), message("hello", number=2)
    for event in (one, two):
        await journal.inbox.admit(event)
    runner = PostgresRunner(postgres_engine(parse_url(postgres_only.url or "")))

    def touch(conn: sa.Connection, *events: MessageEvent) -> int:
        found = [sa.update(inbox).where(inbox.c.event_id == event.id).values(attempts=5) for event in events]
        return sum(conn.execute(statement).rowcount for statement in found)

    touch(first, one)
    crossing = asyncio.create_task(runner.write(touch, two, one))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(touch, first, two)
    first.commit()
    assert await crossing == 2
    await runner.close()


async def test_a_request_that_is_just_being_settled_names_nobody_who_is_forgotten(
    journal: SqlJournal, first: sa.Connection, postgres_only: Database
) -> None:
    """Whoever has everything forgotten while a request of theirs is being counted isn't named by that count."""
    today = datetime.now(UTC).date()
    request = Metered(Payer(ANN.key, ANN.key, "slack:T1"), Purpose.ANSWER, "claude", Usage(output=10), 1)
    await journal.ledger.reserve("r", request, Limits())
    ledger.settle(first, [ledger.Settle("r", Usage(output=1), 1, Limits())])
    await behind(first, postgres_only, journal.texts.forget_person(ANN.key, [ANN.key]))
    assert [row.key for row in await journal.ledger.report(today - timedelta(days=1), "person")] == [""]


async def test_a_request_waits_for_no_forgetting(
    journal: SqlJournal, first: sa.Connection, postgres_only: Database
) -> None:
    """A message that is being forgotten counts as forgotten: nothing of it is named, and nobody waits."""
    today = datetime.now(UTC).date()
    await journal.inbox.admit(EVENT)
    forgetting.forget_person(first, ANN.key, [ANN.key], time.time())
    request = Metered(Payer(ANN.key, ANN.key, "slack:T1", EVENT.id), Purpose.ANSWER, "claude", Usage(output=10), 1)
    async with asyncio.timeout(5):
        await journal.ledger.reserve("r", request, Limits())
    first.commit()
    await journal.ledger.settle("r", Usage(output=1), 1, Limits())
    assert [row.key for row in await journal.ledger.report(today - timedelta(days=1), "person")] == [""]
