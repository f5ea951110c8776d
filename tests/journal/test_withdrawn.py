"""What was deleted, edited or forgotten before it is taken in, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.events import Edit, Edited
from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from bot.journal.withdrawn import AHEAD_TTL, DELETED_TTL
from tests.journal.conftest import Clock, Database
from tests.journal.makers import heard, told
from tests.makers import ANN, BOB, DM, MONDAY, message

CANARY = "zebrafinch"


@pytest.fixture
async def journal(database: Database) -> AsyncIterator[SqlJournal]:
    """An open journal whose clock stands at MONDAY."""
    opened = await open_journal(database.settings, Clock())
    yield opened
    await opened.close()


async def test_what_was_deleted_first_is_not_taken_in(journal: SqlJournal) -> None:
    """A message whose deletion came before it is not admitted, however often it is delivered."""
    event = message("never mind")
    assert await journal.changes.withdraw([event.id, "slack:T1:D1:other"])
    assert await journal.inbox.admit(event) is None
    assert await journal.inbox.admit(event) is None
    assert await journal.inbox.unanswered() == []
    assert await journal.history.last_seen("slack") == []
    assert not await journal.changes.any_stored([event.id])


async def test_a_deletion_and_a_delivery_at_once(journal: SqlJournal) -> None:
    """Whichever of the two is first, the message is either not admitted, or known to whoever deletes it."""
    for number in range(20):
        event = message("never mind", number=number)
        admitted, withdrawn = await asyncio.gather(journal.inbox.admit(event), journal.changes.withdraw([event.id]))
        assert (admitted is None) == withdrawn


async def test_an_edit_that_comes_first_is_what_is_answered(journal: SqlJournal) -> None:
    """The newest text wins: the message, once it comes, is answered and learned as it was edited."""
    event = message("I live in Porto.")
    for text in ("I live in Lisbon", "I live in Lisbon."):
        edited = replace(event, text=text)
        if await journal.changes.compare(edited) is Edit.UNKNOWN:
            assert await journal.changes.keep_ahead(edited)
        else:
            await journal.changes.edit([Edited(edited, ANN.key, learn=True)])
    assert await journal.inbox.unanswered() == []
    assert await journal.inbox.admit(event) is None  # the text that came with it is no longer its own
    ((found, conversation, _),) = await journal.inbox.unanswered()
    assert found.text == "I live in Lisbon."
    await journal.inbox.answered(found, ANN.key, conversation, "I see.", ["a"], learn=True)
    assert [turn.text for turn in await journal.turns.recent(conversation)] == ["I live in Lisbon.", "I see."]
    assert [exchange.text for exchange in await journal.outbox.claim(ANN.key, "private")] == ["I live in Lisbon."]
    assert await journal.inbox.admit(event) is None
    assert await journal.inbox.unanswered() == []


async def test_an_edit_and_a_delivery_at_once(journal: SqlJournal) -> None:
    """Whichever of the two is first, one answer is owed, and an edit that came too late for that is told so."""
    for number in range(20):
        event = message("old", number=number)
        admitted, kept = await asyncio.gather(
            journal.inbox.admit(event), journal.changes.keep_ahead(replace(event, text="new"))
        )
        assert (admitted is None) == kept
        if kept:
            ((found, *_),) = await journal.inbox.unanswered()
            assert found.text == "new"
        await journal.inbox.dismiss(event.id)


async def test_what_is_edited_and_then_deleted_is_gone(database: Database) -> None:
    """The text of an edit that waits for its message goes with the message, to the bytes; the message stays out."""
    journal = await open_journal(database.settings, Clock())
    event = message(f"A {CANARY}.")
    assert await journal.changes.keep_ahead(event)
    assert CANARY in str(await journal.texts.export(ANN.key, [ANN.key]))
    assert await journal.changes.any_stored([event.id])
    await journal.changes.forget([event.id])
    assert not await journal.changes.keep_ahead(event)
    assert await journal.inbox.admit(event) is None
    assert await journal.inbox.unanswered() == []
    await journal.close()
    assert CANARY.encode() not in database.everything()


async def test_what_waits_for_nothing_is_dropped(database: Database) -> None:
    """Edits wait an hour and deletions a day; of a message that is too old to come nothing is kept."""
    clock = Clock()
    journal = await open_journal(database.settings, clock)
    event, old = message("hello"), replace(message("hello", number=2), at=MONDAY.replace(year=2020))
    assert not await journal.changes.keep_ahead(old)
    assert await journal.changes.keep_ahead(event)
    await journal.changes.withdraw(["slack:T1:D1:7"])
    clock.now += AHEAD_TTL + 1
    assert await journal.prune() == 1
    clock.now += DELETED_TTL
    assert await journal.prune() == 2
    await journal.close()


async def test_what_was_said_before_all_was_forgotten_is_not_kept(database: Database) -> None:
    """A message that was said before its person had everything forgotten, and comes in later, leaves nothing."""
    clock = Clock()
    journal = await open_journal(database.settings, clock)
    before = message(f"A {CANARY}.", number=1)
    clock.now += 120
    await journal.texts.forget_person(ANN.key, [ANN.key])
    conversation = await heard(journal, before, answer=f"A {CANARY}?")
    await journal.changes.edit([Edited(replace(before, text=f"Two {CANARY}s."), ANN.key, learn=True)])
    await journal.taught.release([before.id])
    assert await journal.turns.recent(conversation) == []
    assert await journal.outbox.claim(ANN.key, "private") == []
    await told(journal, "I like tea.", 3)
    await told(journal, "Me too.", 1, person=BOB, place=replace(DM, channel="D2"))
    assert [exchange.text for exchange in await journal.outbox.claim(ANN.key, "private")] == ["I like tea."]
    assert [exchange.text for exchange in await journal.outbox.claim(BOB.key, "private")] == ["Me too."]
    clock.now += 15 * 24 * 3600
    await journal.prune()
    await journal.close()
    assert CANARY.encode() not in database.everything()


async def test_what_was_said_in_a_forgotten_time_is_not_kept(journal: SqlJournal) -> None:
    """Of a stretch of time that was forgotten, what comes in late is not kept; what was said around it is."""
    start, end = (message("", number=number).at for number in (2, 3))
    await journal.texts.forget_since(ANN.key, [ANN.key], start, end)
    for number in (1, 2, 3):
        await told(journal, f"said {number}", number)
    assert [exchange.text for exchange in await journal.outbox.claim(ANN.key, "private")] == ["said 1", "said 3"]
