"""Messages that are one thought: which join which, and what becomes of them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from bot.events import Edited, MessageEvent, Signal
from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from bot.journal.thoughts import LENGTH, TOGETHER
from bot.model import Audience, Place
from tests.journal.conftest import Clock, Database, Open
from tests.journal.makers import OTHER_CHANNEL, in_channel
from tests.makers import ANN, BOB, DM, MONDAY, SECRET, message

ONE, TWO, THREE = message("I like tea", number=1), message("and figs", number=2), message("and you?", number=3)


async def admitted(journal: SqlJournal, *events: MessageEvent) -> list[str | None]:
    """Admit events, one after another; return what each has joined."""
    for event in events:
        assert await journal.inbox.admit(event) is not None
    return [journal.inbox.joined(event.id) for event in events]


async def read(journal: SqlJournal, event: MessageEvent) -> MessageEvent:
    """The event as its answer begins."""
    found = await journal.inbox.reread(event)
    assert found is not None
    return found


async def answer(journal: SqlJournal, event: MessageEvent, text: str = "I see.") -> bool:
    """Commit an answer to what was read."""
    return await journal.inbox.answered(event, ANN.key, "slack:T1:D1:#private", text, [f"{event.id}/a"], learn=True)


async def turns(journal: SqlJournal) -> list[str]:
    """What is kept of the conversation."""
    return [turn.text for turn in await journal.turns.recent("slack:T1:D1:#private")]


async def exchanges(journal: SqlJournal) -> list[tuple[str, str]]:
    """What is to be learned: text and answer."""
    return [(each.text, each.answer) for each in await journal.outbox.claim(ANN.key, "private")]


async def test_one_answer_to_both(journal: SqlJournal) -> None:
    """What comes while the first is open joins it: a turn and an exchange each, one answer, learned with the last."""
    assert await admitted(journal, ONE, TWO, THREE) == [None, ONE.id, ONE.id]
    thought = await read(journal, ONE)
    assert [each.text for each in thought.thought] == ["I like tea", "and figs", "and you?"]
    assert await answer(journal, thought)
    assert await turns(journal) == ["I like tea", "and figs", "and you?", "I see."]
    assert await exchanges(journal) == [("I like tea", ""), ("and figs", ""), ("and you?", "I see.")]
    assert not await journal.inbox.release(TWO.id)
    assert (await journal.backlog()).unanswered == 0
    assert (await admitted(journal, message("and now?", number=4))) == [None]


async def test_what_comes_too_late_is_answered_by_itself(journal: SqlJournal) -> None:
    """What the answer isn't to stays open; the next one of it is first, and the others join that."""
    await admitted(journal, ONE)
    thought = await read(journal, ONE)
    assert await admitted(journal, TWO, THREE) == [ONE.id, ONE.id]
    assert await answer(journal, thought)
    assert await journal.inbox.release(TWO.id)
    assert not await journal.inbox.release(THREE.id)
    assert [each.text for each in (await read(journal, TWO)).thought] == ["and figs", "and you?"]
    assert await journal.inbox.unanswered() == []


async def test_only_the_same_person_in_the_same_conversation(journal: SqlJournal) -> None:
    """Others, and other places, are thoughts of their own; so are a "stop" and what can't be answered."""
    others = (
        message("me too", number=2, person=BOB),
        message("elsewhere", number=3, place=SECRET),
        message("in a thread", number=4, place=replace(DM, thread="9.9")),
        message("stop", number=5),
        replace(message("", number=6), notice="I can't listen."),
    )
    assert await admitted(journal, ONE, *others) == [None] * 6
    assert await admitted(journal, message("more", number=7)) == [ONE.id]


async def test_a_stop_is_joined_by_nothing(journal: SqlJournal) -> None:
    """It ends at once."""
    assert await admitted(journal, message("stop"), TWO) == [None, None]


async def test_past_a_bound_later_ones_are_answered_by_themselves(journal: SqlJournal, clock: Clock) -> None:
    """Many, or much text."""
    events = [message(f"m{number}", number=number) for number in range(TOGETHER + 2)]
    first, later = events[0].id, events[TOGETHER].id
    joined = []
    for event in events:
        clock.now += 1
        joined += await admitted(journal, event)
    assert joined == [None, *[first] * (TOGETHER - 1), None, later]
    place = replace(DM, channel="D2")
    long = [message("x" * (LENGTH // 2 + 1), number=number, place=place) for number in (1, 2)]
    assert await admitted(journal, *long) == [None, None]


async def test_mentions_within_five_seconds_are_one_thought(journal: SqlJournal) -> None:
    """At a channel's top level, where each is a conversation of its own; what replies to one joins it later too."""
    first = in_channel("hey", 1)
    soon, late = in_channel("how are you?", 2), in_channel("and now?", 3)
    soon = replace(soon, at=first.at + timedelta(seconds=4))
    elsewhere = replace(in_channel("there?", 4, place=OTHER_CHANNEL), at=first.at)
    reply = in_channel("I mean you", 5, reply_to=first.id)
    assert await admitted(journal, first, soon, late, elsewhere, reply) == [None, first.id, None, None, first.id]
    follow_up = in_channel("why?", 6, reply_to=soon.id)
    assert await journal.inbox.admit(follow_up) == first.id


async def test_replies_to_others_stand_by_themselves(journal: SqlJournal) -> None:
    """What is replied to is read for the first message alone."""
    place = Place("discord", "G1", "C9", "T1", Audience.PUBLIC)
    first = in_channel("hey", 1, place=place, reply_to="discord:T1")
    others = in_channel("is that so?", 2, place=place, reply_to="discord:77")
    own = replace(in_channel("as I said", 3, place=place, reply_to="discord:78"), quoted="my own")
    assert await admitted(journal, first, others) == [None, None]
    await journal.inbox.dismiss(others.id)
    assert await admitted(journal, own) == [first.id]


async def test_an_edit_of_either_is_kept_and_the_answer_is_not(journal: SqlJournal) -> None:
    """The answer in progress was to the former text."""
    await admitted(journal, ONE, TWO)
    thought = await read(journal, ONE)
    await journal.changes.edit([Edited(replace(TWO, text="and plums"), ANN.key, learn=True)])
    assert await answer(journal, thought)
    assert await turns(journal) == ["I like tea", "and plums"]


async def test_deleting_one_leaves_the_other(journal: SqlJournal) -> None:
    """The first's place is taken by the next; an answer to what is gone isn't kept."""
    await admitted(journal, ONE, TWO)
    thought = await read(journal, ONE)
    await journal.changes.forget([TWO.id])
    assert [each.id for each in (await read(journal, ONE)).thought] == [ONE.id]
    assert await answer(journal, thought)
    assert await turns(journal) == ["I like tea"]
    await admitted(journal, message("one", number=5), message("two", number=6))
    await journal.changes.forget([message("", number=5).id])
    assert not await answer(journal, message("one", number=5))
    assert await journal.inbox.release(message("", number=6).id)


async def test_deleting_one_later_takes_the_answer_along(journal: SqlJournal) -> None:
    """It was to that one too; what else was asked with it stays."""
    for gone, number in ((0, 1), (1, 3)):
        events = message("I like tea", number=number), message("and figs", number=number + 1)
        await admitted(journal, *events)
        await answer(journal, await read(journal, events[0]), "Noted.")
        await journal.changes.forget([events[gone].id])
        assert await turns(journal) == [events[1 - gone].text]
        assert await exchanges(journal) == [(events[1 - gone].text, "")]
        await journal.texts.forget_person(ANN.key, [ANN.key])


async def test_a_reply_to_the_answer_quotes_all_of_it(journal: SqlJournal) -> None:
    """Replied to is the exchange as a whole."""
    await admitted(journal, ONE, TWO)
    await answer(journal, await read(journal, ONE))
    replied = await journal.turns.replied(replace(THREE, reply_to=f"{ONE.id}/a"))
    assert replied is not None
    assert replied.asked is not None
    assert replied.answered is not None
    assert (replied.asked.text, replied.answered.text) == ("I like tea\n\nand figs", "I see.")
    replied = await journal.turns.replied(replace(THREE, reply_to=TWO.id))
    assert replied is not None
    assert replied.asked is not None
    assert replied.asked.text == "and figs"
    shown = await journal.answers.shown(TWO.id)
    assert shown is not None
    assert shown.message_ids == (f"{ONE.id}/a",)


async def test_what_ends_without_an_answer_ends_together(journal: SqlJournal) -> None:
    """What the answer would have been to goes with it; what joined later doesn't."""
    await admitted(journal, ONE, TWO)
    await read(journal, ONE)
    await admitted(journal, THREE)
    assert await journal.inbox.dismiss(ONE.id, together=True)
    assert not await journal.inbox.release(TWO.id)
    assert await journal.inbox.release(THREE.id)


async def test_put_off_together(journal: SqlJournal) -> None:
    """What is put off comes back as one; what had joined an answer that may be shown comes with it."""
    await admitted(journal, ONE, TWO)
    await read(journal, ONE)
    await admitted(journal, THREE)
    await journal.inbox.postpone(ONE.id, 0)
    assert not await journal.inbox.release(TWO.id)
    (found,) = await journal.inbox.unanswered()
    assert [each.id for each in found.event.thought] == [ONE.id, TWO.id]
    assert [each.id for each in (await read(journal, found.event)).thought] == [ONE.id, TWO.id, THREE.id]
    assert [each.id for each in (await read(journal, ONE)).thought] == [ONE.id, TWO.id, THREE.id]


async def test_what_was_whole_is_joined_by_nothing(journal: SqlJournal) -> None:
    """Read without joining, the thought is what it was."""
    await admitted(journal, ONE, TWO)
    await read(journal, ONE)
    await admitted(journal, THREE)
    found = await journal.inbox.reread(ONE, joining=False)
    assert found is not None
    assert [each.id for each in found.thought] == [ONE.id, TWO.id]


async def test_a_dead_process_leaves_one_thought(open_: Open) -> None:
    """Another process answers all of it, once."""
    first = await open_()
    await admitted(first, ONE, TWO)
    await first.close()
    second = await open_()
    (found,) = await second.inbox.unanswered()
    assert await answer(second, await read(second, found.event))
    assert await turns(second) == ["I like tea", "and figs", "I see."]
    assert await second.inbox.unanswered() == []


async def test_two_processes(postgres_only: Database) -> None:
    """What reaches another process than the one that answers joins all the same, and that one is told."""
    first, second = [await open_journal(postgres_only.settings) for _ in range(2)]
    await admitted(first, ONE)
    assert await admitted(second, TWO) == [ONE.id]
    assert [(event_id, signal) for event_id, signal, _ in await first.signals.take()] == [(ONE.id, Signal.JOINED)]
    assert not await second.inbox.release(TWO.id)
    assert await second.inbox.unanswered() == []
    thought = await read(first, ONE)
    assert await admitted(second, THREE) == [ONE.id]
    assert not await second.inbox.release(THREE.id)
    assert await answer(first, thought)
    assert [left.event.id for left in await second.inbox.unanswered()] + [
        left.event.id for left in await first.inbox.unanswered()
    ] == [THREE.id]
    await first.close()
    await second.close()


async def test_messages_that_come_at_once(postgres_only: Database) -> None:
    """Of those that two processes admit at the same time, one is the first."""
    journals = [await open_journal(postgres_only.settings) for _ in range(2)]
    for number in range(0, 40, 2):
        place = replace(DM, channel=f"D{number}")
        events = [message("hi", number=number + offset, place=place) for offset in (0, 1)]
        await asyncio.gather(*(admitted(journal, event) for journal, event in zip(journals, events, strict=True)))
        joined = [journal.inbox.joined(event.id) for journal, event in zip(journals, events, strict=True)]
        assert set(joined) in ({None, events[0].id}, {None, events[1].id})
    for journal in journals:
        await journal.close()


def test_the_order_is_that_of_writing() -> None:
    """Whatever came first."""
    late = replace(ONE, at=MONDAY + timedelta(hours=1), joined=(TWO,))
    assert [each.id for each in late.thought] == [TWO.id, ONE.id]
