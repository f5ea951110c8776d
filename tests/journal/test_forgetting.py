"""Forgetting and retention: what is erased is in no row and on no page."""

import asyncio
import logging
import random

import pytest
import sqlalchemy as sa

from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from tests.journal.conftest import Clock, Database, Open
from tests.journal.makers import link, told
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, message

CANARY = "zebrafinch"


async def test_forgetting_everything_takes_one_person_only(journal: SqlJournal) -> None:
    """A person's turns, the answers to them, exchanges and intents go, in every place; other people's stay."""
    thread = await told(journal, "mine", 1, place=GENERAL, answer="to Ann")
    await told(journal, "theirs", 2, place=GENERAL, person=BOB, answer="to Bob")
    await told(journal, "mine too", 3)
    token = await journal.intents.keep(ANN.key, "these", ["m1"], MONDAY)
    assert await journal.texts.forget_person(ANN.key, [ANN.key]) == 7
    assert [turn.text for turn in await journal.turns.recent(thread)] == ["theirs", "to Bob"]
    assert await journal.outbox.waiting() == [(BOB.key, "public:slack:T1")]
    assert await journal.intents.take(token, ANN.key, MONDAY) is None
    assert (await journal.adds.epoch(ANN.key), await journal.adds.epoch(BOB.key)) == (1, 0)
    assert await journal.texts.forget_person(ANN.key, [ANN.key]) == 0


async def test_linked_accounts_are_forgotten_together(journal: SqlJournal) -> None:
    """All that was said by the accounts of one mem0 user goes, before and after they were linked."""
    await told(journal, "before", 1, person=BOB)
    await link(journal, BOB.key, ANN.key)
    await told(journal, "after", 2, person=BOB)
    assert await journal.texts.forget_person(ANN.key, [ANN.key, BOB.key]) == 6
    assert await journal.backlog() == (0, 0, 0)


async def test_an_answer_in_flight_brings_nothing_back(journal: SqlJournal) -> None:
    """A message that is being answered while its person forgets everything leaves neither turns nor an exchange."""
    event = message("remember the zebrafinch")
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    await journal.texts.forget_person(ANN.key, [ANN.key])
    await journal.inbox.answered(event, ANN.key, conversation, "I will", ["a1"], learn=True)
    assert await journal.turns.recent(conversation) == []
    assert await journal.backlog() == (0, 0, 0)
    assert await journal.inbox.admit(event) is None


async def test_single_messages_are_forgotten_for_their_person(journal: SqlJournal) -> None:
    """The turns and exchanges of the named events go, and only where they are that person's."""
    conversation = await told(journal, "one", 1)
    await told(journal, "two", 2)
    await told(journal, "three", 3, person=BOB)
    events = [f"slack:T1:{DM.channel}:{number}" for number in (1, 3)]
    assert await journal.texts.forget_events(ANN.key, events) == 3
    assert [turn.text for turn in await journal.turns.recent(conversation) if turn.author == "user"] == ["two", "three"]


async def test_deleted_messages_are_forgotten_whosever_they_are(journal: SqlJournal) -> None:
    """A message deleted on the platform goes with its answer's turn, its exchange, and its place in the inbox."""
    conversation = await told(journal, "one", 1)
    event = message("two", number=2, person=BOB)
    await journal.inbox.admit(event)
    assert await journal.changes.forget(["slack:T1:D1:1", "slack:T1:D1:2", "unknown"]) == 4
    await journal.inbox.answered(event, BOB.key, conversation, "hi", ["a2"], learn=True)
    assert await journal.turns.recent(conversation) == []
    assert await journal.backlog() == (0, 0, 0)


async def fill(journal: SqlJournal, database: Database, seed: int) -> list[str]:
    """Thousands of exchanges of two people, many of one's learned since: rows were moved, and copies left behind.

    Returns Ann's events. One message of hers is still open.
    """
    rnd = random.Random(seed)
    mark = "?" if database.url is None else "%s"
    rows, events = [], []
    for number in range(2000):
        person, word = (ANN, f"{CANARY}{number:06d} ") if rnd.random() < 0.5 else (BOB, "harmless ")
        event = f"slack:T1:D1:{number}"
        rows.append((event, person.key, person.key, word * rnd.randint(1, 60)))
        events += [event] * (person is ANN)
    conn = database.connect()
    cursor = conn.cursor()
    cursor.execute("BEGIN")
    cursor.executemany(
        "INSERT INTO exchanges"
        " (event_id, person_key, user_id, text, scope, name, answer, at, link, place, conversation)"
        f" VALUES ({mark}, {mark}, {mark}, {mark}, 'private', '', '', 0, '', '', '')",
        rows,
    )
    conn.commit()
    conn.close()
    learned = [exchange.id for exchange in await journal.outbox.claim(BOB.key, "private")]
    rnd.shuffle(learned)
    await journal.outbox.learned(learned[:800])
    await told(journal, f"{CANARY} said", 2000, answer=f"{CANARY} answered")
    await journal.inbox.admit(message(f"{CANARY} in hand", number=2001))
    return [*events, "slack:T1:D1:2000", "slack:T1:D1:2001"]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("how", ["everything", "messages"])
async def test_no_byte_is_left_on_disk(
    journal: SqlJournal, database: Database, how: str, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    """After forgetting, no file, page or log of the database holds a word of it; other people's words are there."""
    caplog.set_level(logging.DEBUG)
    events = await fill(journal, database, seed)
    assert CANARY.encode() in database.everything()
    if how == "everything":
        await journal.texts.forget_person(ANN.key, [ANN.key])
    else:
        await journal.changes.forget(events)
    left = database.everything()
    assert CANARY.encode() not in left
    assert b"harmless" in left
    await journal.close()
    assert CANARY.encode() not in database.everything()
    assert CANARY not in caplog.text


async def test_pruning_keeps_what_is_in_use(open_: Open, clock: Clock) -> None:
    """Turns past their time or number go; what is still wanted stays, and so do waiting exchanges."""
    journal = await open_(bot_turns=4)
    for number in range(5):
        conversation = await told(journal, f"q{number}", number)
    assert await journal.prune() == 6
    assert len(await journal.turns.recent(conversation)) == 4
    clock.now += 25 * 3600
    assert await journal.prune() == 4
    assert (await journal.backlog()).waiting == 5


@pytest.mark.parametrize(("settings", "days"), [({}, 14), ({"bot_seen_days": 3}, 3), ({"bot_seen_days": 1}, 2)])
async def test_seen_messages_are_forgotten_in_time(
    open_: Open, clock: Clock, settings: dict[str, float], days: int
) -> None:
    """Records of messages long past go, the newest of each place aside, by which a silent place is still known.

    What BOT_CATCH_UP_HOURS still looks back at (two days here) is kept, however short BOT_SEEN_DAYS is.
    """
    journal = await open_(bot_catch_up_hours=48, **settings)
    await told(journal, "old", 1)
    clock.now += 1
    await told(journal, "newest", 2)
    clock.now += days * 24 * 3600 - 60
    await journal.prune()
    assert await journal.inbox.admit(message("old", number=1)) is None
    clock.now += 120
    await journal.prune()
    assert [message_id for _, message_id, _ in await journal.history.last_seen("slack")] == ["slack:T1:D1:2"]
    assert await journal.inbox.admit(message("newest", number=2)) is None
    assert await journal.inbox.admit(message("old", number=1)) is not None


async def test_forgetting_amid_traffic(journal: SqlJournal) -> None:
    """While others talk, one person's forgetting loses none of their turns, of which no more are told than are kept."""

    async def talk(number: int) -> str:
        return await told(journal, f"hello {number}", number, person=BOB)

    conversation, *_ = await asyncio.gather(told(journal, CANARY, 99), *(talk(number) for number in range(7)))
    erasing = [journal.texts.forget_person(ANN.key, [ANN.key]), journal.prune()]
    await asyncio.gather(*(talk(number) for number in range(7, 9)), *erasing)
    texts = {turn.text for turn in await journal.turns.recent(conversation) if turn.author == "user"}
    assert texts == {f"hello {number}" for number in range(9)}


async def test_forgettings_that_come_at_once_share_their_cost(sqlite_only: Database) -> None:
    """Fifty messages deleted one by one have the tables rewritten a few times, and nothing of them is on the disk."""
    journal = await open_journal(sqlite_only.settings)
    for number in range(50):
        await told(journal, f"My bird is a {CANARY}.", number)
    rewritten = 0

    def ran(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal rewritten
        rewritten += statement.startswith("DELETE FROM main.turns")

    sa.event.listen(sa.Engine, "before_cursor_execute", ran)
    try:
        await asyncio.gather(*(journal.changes.forget([message("", number=number).id]) for number in range(50)))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", ran)
    # A transaction ends after a tenth of a second, so that others wait no longer: a busy machine needs more of them.
    assert rewritten <= 12
    assert CANARY.encode() not in sqlite_only.everything()
    await journal.close()
