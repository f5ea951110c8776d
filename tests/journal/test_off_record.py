"""What people keep off the record, on each database."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.events import Edited, MessageEvent
from bot.journal.journal import SqlJournal
from bot.model import Audience, Nearby, Person, Place
from tests.journal.conftest import Clock, Open
from tests.journal.makers import CHANNEL, heard, in_channel
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, message

IN_GENERAL = replace(GENERAL, thread=None)
DAY = 24 * 3600.0


async def waiting(journal: SqlJournal, person: Person = ANN) -> list[tuple[str, str]]:
    """What waits to be learned of a person, as said and answered."""
    found = (await journal.texts.export(person.key, [person.key]))["waiting_to_be_learned"]
    return [(row["text"], row["answer"]) for row in found]


def at(clock: Clock, number: int) -> None:
    """Move the clock to when message `number` is written."""
    clock.now = (MONDAY + timedelta(minutes=number)).timestamp()


async def say(
    journal: SqlJournal, clock: Clock, text: str, number: int, place: Place = DM, person: Person = ANN
) -> str:
    """Say something at its time, and have it answered; return the conversation."""
    at(clock, number)
    return await heard(journal, message(text, number=number, place=place, person=person), f"answer {number}")


async def test_a_conversation_is_off_the_record_until_that_ends(journal: SqlJournal, clock: Clock) -> None:
    """Nothing said meanwhile is learned, and the turns are kept as ever."""
    await say(journal, clock, "before", 1)
    at(clock, 2)
    await journal.off_record.begin(ANN.key, DM)
    await journal.off_record.begin(ANN.key, DM)
    assert (await journal.accounts.account(ANN.key, DM)).off_record
    conversation = await say(journal, clock, "meanwhile", 3)
    at(clock, 4)
    await journal.off_record.end(ANN.key, DM)
    assert not (await journal.accounts.account(ANN.key, DM)).off_record
    await say(journal, clock, "after", 5)
    assert [text for text, _ in await waiting(journal)] == ["before", "after"]
    turns = [turn.text for turn in await journal.turns.recent(conversation)]
    assert turns == ["before", "answer 1", "meanwhile", "answer 3", "after", "answer 5"]


async def test_it_holds_there_and_for_that_person_alone(journal: SqlJournal, clock: Clock) -> None:
    """A channel's threads with it; other channels, other people and other accounts of theirs are as before."""
    at(clock, 1)
    await journal.off_record.begin(ANN.key, GENERAL)
    for number, (text, place, person) in enumerate(
        (
            ("this thread", GENERAL, ANN),
            ("another", replace(GENERAL, thread="200.1"), ANN),
            ("not hers", GENERAL, BOB),
            ("direct", DM, ANN),
        ),
        2,
    ):
        await say(journal, clock, text, number, place, person)
    assert sorted(text for text, _ in await waiting(journal)) == ["another", "direct"]
    assert [text for text, _ in await waiting(journal, BOB)] == ["not hers"]
    at(clock, 10)
    await journal.off_record.begin(ANN.key, IN_GENERAL)
    await say(journal, clock, "all threads", 11, replace(GENERAL, thread="300.1"))
    at(clock, 12)
    await journal.off_record.end(ANN.key, replace(GENERAL, thread="300.1"))
    await say(journal, clock, "again", 13, replace(GENERAL, thread="300.1"))
    await say(journal, clock, "still this thread", 14, GENERAL)
    assert sorted(text for text, _ in await waiting(journal)) == ["again", "another", "direct"]
    at(clock, 15)
    await journal.off_record.end(ANN.key, IN_GENERAL)
    assert not (await journal.accounts.account(ANN.key, GENERAL)).off_record


async def test_when_it_was_said_decides(journal: SqlJournal, clock: Clock) -> None:
    """However late it is answered, by whatever clock, and even if it arrives once that is over."""
    asked = message("before", number=1), message("meanwhile", number=3), message("late", number=4)
    at(clock, 1)
    first = await journal.inbox.admit(asked[0])
    at(clock, 2)
    await journal.off_record.begin(ANN.key, DM)
    at(clock, 3)
    early = replace(message("by a slow clock", number=1), id="slow")
    for event in (asked[1], early):
        await journal.inbox.admit(event)
    at(clock, 5)
    await journal.off_record.end(ANN.key, DM)
    await journal.inbox.admit(asked[2])
    assert first is not None
    for event in (*asked, early):
        await journal.inbox.answered(event, ANN.key, first, "ok", [f"{event.id}/answer"], learn=True)
    assert [text for text, _ in await waiting(journal)] == ["before"]


async def test_another_process_keeps_to_it(open_: Open, clock: Clock) -> None:
    """What one has admitted and another answers, after a crash, is off the record all the same."""
    one = await open_()
    at(clock, 1)
    await one.off_record.begin(ANN.key, DM)
    await one.inbox.admit(message("meanwhile", number=2))
    await one.inbox.admit(replace(message("Off the record: I quit", number=3, place=GENERAL), id="other"))
    await one.off_record.end(ANN.key, DM)
    await one.close()
    two = await open_()
    left = await two.inbox.unanswered(["slack"])
    assert len(left) == 2
    for event, conversation, _ in left:
        await two.inbox.answered(event, ANN.key, conversation, "ok", [f"{event.id}/answer"], learn=True)
    assert await waiting(two) == []


@pytest.mark.parametrize("asked", [True, False])
async def test_one_message_is_off_the_record(journal: SqlJournal, clock: Clock, asked: bool) -> None:
    """By its own words, or as it was understood; the next is learned, without the answer that may repeat it."""
    event = message("Entre nous, je démissionne" if asked else "Off the record: I quit", number=1)
    conversation = await journal.inbox.admit(event)
    assert conversation is not None
    await journal.inbox.answered(event, ANN.key, conversation, "I see.", ["a1"], learn=True, off_record=asked)
    await say(journal, clock, "I like tea", 2)
    assert await waiting(journal) == [("I like tea", "")]
    clock.now += DAY + 60
    await journal.prune()
    await heard(journal, message("I like cocoa", number=2000), "Fine.")
    assert ("I like cocoa", "Fine.") in await waiting(journal)


async def test_an_answer_that_may_repeat_anybodys_words_teaches_nobody(journal: SqlJournal, clock: Clock) -> None:
    """In a thread where another person is off the record, and to a reply to what they said in another."""
    await say(journal, clock, "Off the record: I quit", 1, GENERAL, BOB)
    await say(journal, clock, "what did he say?", 2, GENERAL)
    assert await waiting(journal) == [("what did he say?", "")]
    first = in_channel("Off the record: I quit", 5, person=BOB)
    await heard(journal, first)
    reply = replace(in_channel("really?", 6), reply_to=f"{first.id}/answer")
    await heard(journal, reply)
    assert ("really?", "") in await waiting(journal)


async def test_an_edit_teaches_nothing_either(journal: SqlJournal, clock: Clock) -> None:
    """Neither of what was said off the record, nor of what is said so by the edit."""
    for number, text in enumerate(("Off the record: I quit", "I quit"), 1):
        await say(journal, clock, text, number)
    edits = [
        Edited(message(text, number=number), ANN.key, learn=True)
        for number, text in ((1, "I quit tomorrow"), (2, "Don't remember this: I quit"))
    ]
    await journal.changes.edit(edits)
    assert await waiting(journal) == []
    await journal.changes.edit([Edited(message("I quit today", number=2), ANN.key, learn=True)])
    assert await waiting(journal) == []


async def test_it_is_not_read_around_a_question(journal: SqlJournal, clock: Clock) -> None:
    """Where no turns are kept, the platform's copy isn't read in their place; nor is the answer to it."""
    first, plain = in_channel("Off the record: I quit", 1), in_channel("I like tea", 2)
    for event in (first, plain):
        await heard(journal, event)
    clock.now += DAY + 60
    await journal.prune()

    def shown(message_id: str, person_key: str) -> Nearby:
        return Nearby(message_id, "Ann", person_key, "x", datetime.fromtimestamp(clock.now, UTC))

    around = [shown(first.id, ANN.key), shown(f"{first.id}/answer", ""), shown(plain.id, ANN.key)]
    assert await journal.turns.unused(in_channel("and?", 3), around) == {first.id, f"{first.id}/answer"}


async def test_it_is_exported_and_forgotten(journal: SqlJournal, clock: Clock) -> None:
    """With when it began and ended; whoever has everything forgotten starts anew."""
    await journal.off_record.begin(ANN.key, GENERAL)
    clock.now += 60
    await journal.off_record.end(ANN.key, GENERAL)
    await journal.off_record.begin(ANN.key, DM)

    async def kept() -> list[tuple[str, str | None, bool]]:
        found = (await journal.texts.export(ANN.key, [ANN.key]))["settings"]["off_the_record"]
        return [(row["channel"], row["thread"], row["to"] is None) for row in found]

    assert await kept() == [("slack:C1", "100.1", False), ("slack:D1", None, True)]
    clock.now += 15 * DAY
    await journal.prune()
    assert await kept() == [("slack:D1", None, True)]
    await journal.texts.forget_person(ANN.key, [ANN.key])
    assert await kept() == []
    await journal.off_record.begin(ANN.key, DM)
    await journal.texts.forget_workspace("slack", "T1")
    assert await kept() == []


async def test_two_processes_begin_it_at_once(open_: Open) -> None:
    """One end ends it, however often it was begun."""
    journals = [await open_(), await open_()]
    await asyncio.gather(*(journal.off_record.begin(ANN.key, DM) for journal in journals * 2))
    await journals[1].off_record.end(ANN.key, DM)
    assert not (await journals[0].accounts.account(ANN.key, DM)).off_record


async def test_linked_accounts_are_told_apart(journal: SqlJournal, clock: Clock) -> None:
    """It is that account's, there: the other platform's conversations with the same memories are learned from."""
    other = Person("discord", "", "7")
    await journal.off_record.begin(ANN.key, DM)
    private = Place("discord", "", "77", None, Audience.PRIVATE, "DM")
    event: MessageEvent = replace(message("I like tea", number=1, person=other, place=private), id="discord:1")
    await heard(journal, event)
    assert [text for text, _ in await waiting(journal, other)] == ["I like tea"]
    assert not (await journal.accounts.account(ANN.key, CHANNEL)).off_record
