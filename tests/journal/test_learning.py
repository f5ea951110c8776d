"""The outbox: what waits to be learned, and that it is learned exactly once."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bot.events import Edited
from bot.journal import mark_learned
from bot.journal.columns import from_json, to_json
from bot.journal.journal import SqlJournal
from bot.journal.tables import exchanges
from bot.model import Exchange
from bot.ports import Superseded
from tests.journal.conftest import Clock, Database, Open
from tests.journal.makers import heard, told
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, message


async def waiting(journal: SqlJournal) -> list[Exchange]:
    """Ann's exchanges from direct messages."""
    return await journal.outbox.claim(ANN.key, "private")


async def test_an_exchange_waits_until_it_is_learned(journal: SqlJournal) -> None:
    """An answered message waits with all that learning needs, and is gone, text and all, once learned."""
    await told(journal, "I have 2 cats", 1, answer="Nice!")
    (found,) = await waiting(journal)
    said = (found.event_id, found.user_id, found.scope, found.name, found.text, found.answer, found.at, found.place)
    at = MONDAY + timedelta(minutes=1)
    assert said == ("slack:T1:D1:1", ANN.key, "private", "Ann", "I have 2 cats", "Nice!", at, "DM")
    await journal.outbox.learned([found.id, 404])
    assert await waiting(journal) == []
    assert await journal.outbox.waiting() == []


async def test_an_exchange_is_dated_by_its_persons_clock(journal: SqlJournal) -> None:
    """What waits was said at their local time, also after an edit; what is from before that was kept, at UTC's."""
    at = MONDAY.astimezone(ZoneInfo("America/New_York"))
    for number in (1, 2):
        await heard(journal, replace(message("I fly tomorrow", number=number), at=at))
    second = sa.update(exchanges).where(exchanges.c.event_id.endswith(":2"))
    await journal._runner.write(lambda conn: conn.execute(second.values(utc_offset=0)).rowcount)
    edited = replace(message("I fly on Friday"), at=at)
    await journal.changes.edit([Edited(edited, ANN.key, learn=True)])
    await journal.taught.release([edited.id])
    found = {exchange.event_id: exchange.at for exchange in await waiting(journal)}
    assert {key[-1]: when.isoformat() for key, when in found.items()} == {
        "1": "2026-11-16T04:00:00-05:00",
        "2": "2026-11-16T09:00:00+00:00",
    }
    exported = await journal.texts.export(ANN.key, [ANN.key])
    assert {row["at"] for row in exported["waiting_to_be_learned"]} == {when.isoformat() for when in found.values()}


@pytest.mark.parametrize(
    ("zone", "local", "still"),
    [
        (ZoneInfo("America/New_York"), "2026-11-16T04:00:00-05:00", ZoneInfo("America/New_York")),
        (timezone(timedelta(hours=2)), "2026-11-16T11:00:00+02:00", timezone(timedelta(hours=2))),
        (UTC, "2026-11-16T09:00:00+00:00", UTC),
    ],
    ids=str,
)
def test_an_event_keeps_its_zone(zone: tzinfo, local: str, still: tzinfo) -> None:
    """What waits to be answered is dated as its author's clock showed it, by name where that is given."""
    event = replace(message("hi"), at=MONDAY.astimezone(zone))
    restored = from_json(to_json(event))
    assert (restored, restored.at.isoformat(), restored.at.tzinfo) == (event, local, still)
    assert to_json(restored) == to_json(event)


@pytest.mark.parametrize("zone", ["Moon/Tycho", "", "../../etc/passwd"])
def test_an_event_whose_zone_is_not_known_here(zone: str) -> None:
    """Its offset from UTC stays; so it does with one that an earlier version recorded."""
    payload = json.loads(to_json(replace(message("hi"), at=MONDAY.astimezone(timezone(timedelta(hours=-5))))))
    assert "zone" not in payload
    restored = from_json(json.dumps({**payload, "zone": zone} if zone else payload))
    assert restored.at.isoformat() == "2026-11-16T04:00:00-05:00"


async def test_exchanges_wait_per_person_and_scope(journal: SqlJournal) -> None:
    """What two people said in two places waits apart, oldest first."""
    await told(journal, "one", 1)
    await told(journal, "two", 2, place=GENERAL)
    await told(journal, "three", 3, person=BOB)
    await told(journal, "four", 4)
    assert await journal.outbox.waiting() == [(ANN.key, "private"), (ANN.key, "public:slack:T1"), (BOB.key, "private")]
    assert [exchange.text for exchange in await waiting(journal)] == ["one", "four"]


async def test_nothing_is_learned_where_it_is_not_wanted(journal: SqlJournal) -> None:
    """An answer committed with `learn=False` keeps its turns alone."""
    conversation = await told(journal, "hello", 1, learn=False)
    assert await journal.outbox.waiting() == []
    assert len(await journal.turns.recent(conversation)) == 2


async def test_a_failed_attempt_is_put_off(journal: SqlJournal, clock: Clock) -> None:
    """After a failure a person's exchanges are due again in 5 s, then 10 s, and so on up to 10 minutes."""
    await told(journal, "one", 1)
    for attempt, delay in enumerate([5, 10, 20, 40, 80, 160, 320, 600, 600], start=1):
        (found,) = await waiting(journal)
        await journal.outbox.failed([found.id], "overloaded", final=False)
        clock.now += delay - 1
        assert await journal.outbox.waiting() == []
        clock.now += 1
        assert await journal.outbox.waiting() == [(ANN.key, "private")]
        assert [exchange.attempts for exchange in await waiting(journal)] == [attempt]


async def test_later_exchanges_wait_behind_a_failed_one(journal: SqlJournal) -> None:
    """What is said after a failure doesn't overtake it: the person's exchanges stay in order."""
    await told(journal, "one", 1)
    await journal.outbox.failed([exchange.id for exchange in await waiting(journal)], "overloaded", final=False)
    await told(journal, "two", 2)
    assert await journal.outbox.waiting() == []


async def test_what_is_given_up_is_kept_for_the_operator(journal: SqlJournal) -> None:
    """After the last attempt an exchange is neither tried nor dropped, but counted."""
    await told(journal, "one", 1)
    await journal.outbox.failed([exchange.id for exchange in await waiting(journal)], "refused", final=True)
    await told(journal, "two", 2)
    assert [exchange.text for exchange in await waiting(journal)] == ["two"]
    assert await journal.backlog() == (0, 1, 1)


async def test_an_exchange_is_learned_by_one_process(open_: Open) -> None:
    """While one process learns a person's exchanges another gets none of them; once it closes, all of them."""
    first, second = await open_(), await open_()
    await told(second, "one", 1)
    assert len(await waiting(first)) == 1
    await told(second, "two", 2)
    assert await waiting(second) == []
    assert await second.outbox.waiting() == []
    await first.close()
    assert [exchange.text for exchange in await waiting(second)] == ["one", "two"]


async def test_two_processes_that_ask_at_once(open_: Open) -> None:
    """Of two processes that want the same exchanges at the same instant, each exchange goes to one of them."""
    first, second = await open_(), await open_()
    for number in range(20):
        await told(first, "hello", number)
    found = await asyncio.gather(*(waiting(worker) for worker in (first, second)))
    assert sorted(len(exchanges) for exchanges in found) == [0, 20]


def mark(database: Database, exchanges: list[Exchange]) -> None:
    """Mark exchanges as learned in a transaction of the memory store's, beside a fact."""
    conn: Any = database.connect()
    try:
        conn.execute("BEGIN")
        conn.execute("CREATE TABLE IF NOT EXISTS facts (text TEXT)")
        conn.execute("INSERT INTO facts VALUES ('a fact')")
        mark_learned(conn, exchanges)
        conn.commit()
    except Superseded:
        conn.rollback()
        raise
    finally:
        conn.close()


def facts(database: Database) -> int:
    """How many facts are committed."""
    conn: Any = database.connect()
    try:
        return int(conn.execute("SELECT count(*) FROM facts").fetchone()[0])
    finally:
        conn.close()


async def test_facts_and_mark_are_one_transaction(journal: SqlJournal, database: Database) -> None:
    """Where the store commits its facts the exchanges are learned; a second lesson of the same ones commits nothing."""
    await told(journal, "one", 1)
    await told(journal, "two", 2)
    exchanges = await waiting(journal)
    await asyncio.to_thread(mark, database, exchanges)
    assert await waiting(journal) == []
    with pytest.raises(Superseded):
        await asyncio.to_thread(mark, database, exchanges)
    assert facts(database) == 1


@pytest.mark.parametrize("forget", ["everything", "the message", "the deleted message"])
async def test_a_lesson_in_flight_is_not_committed_after_forgetting(
    journal: SqlJournal, database: Database, forget: str
) -> None:
    """What is forgotten while it is being extracted is not learned, not even where the same is said anew meanwhile."""
    await told(journal, "my name is Ann", 1)
    await told(journal, "forget that", 2)
    await asyncio.to_thread(mark, database, [])
    exchanges = await waiting(journal)
    if forget == "everything":
        await journal.texts.forget_person(ANN.key, [ANN.key])
    elif forget == "the message":
        await journal.texts.forget_events(ANN.key, [exchanges[1].event_id])
    else:
        await journal.changes.forget([exchanges[1].event_id])
    await told(journal, "hello again", 3, place=DM)
    with pytest.raises(Superseded):
        await asyncio.to_thread(mark, database, exchanges)
    assert facts(database) == 1
    assert "hello again" in [exchange.text for exchange in await waiting(journal)]
