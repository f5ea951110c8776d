"""Events and turns: what is seen once, and what is kept as a conversation."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.events import MessageEvent
from bot.journal.journal import SqlJournal
from bot.model import Attachment, Audience, Place, Replied
from tests.journal.conftest import Clock, Open
from tests.journal.makers import CHANNEL, CLOSED_CHANNEL, OTHER_CHANNEL, heard, in_channel, told
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, SECRET, message, somebody


async def test_a_second_copy_is_ignored(journal: SqlJournal) -> None:
    """An event is admitted once, answered or not."""
    event = message("hello")
    assert await journal.inbox.admit(event) is not None
    assert await journal.inbox.admit(event) is None
    await journal.inbox.answered(event, ANN.key, "c", "hi", [], learn=True)
    assert await journal.inbox.admit(event) is None


async def test_a_second_copy_is_ignored_across_a_restart(open_: Open) -> None:
    """A process that starts anew knows what the one before it has seen."""
    first = await open_()
    await told(first, "hello", 1)
    await first.close()
    assert await (await open_()).inbox.admit(message("hello")) is None


async def test_of_two_processes_one_admits(open_: Open) -> None:
    """Handed the same events at the same time, two processes admit each exactly once between them."""
    first, second = await open_(), await open_()
    events = [message("hello", number=number) for number in range(40)]
    asked = [worker.inbox.admit(event) for event in events for worker in (first, second)]
    admitted = [found for found in await asyncio.gather(*asked) if found is not None]
    assert len(admitted) == len(events)


async def test_many_at_once_are_each_admitted_once(journal: SqlJournal) -> None:
    """200 different events and a copy of each, all at once: 200 are admitted, 200 are known."""
    events = [message("hello", number=number) for number in range(200)] * 2
    found = await asyncio.gather(*(journal.inbox.admit(event) for event in events))
    assert sum(conversation is not None for conversation in found) == 200


@pytest.mark.parametrize("place", [DM, replace(DM, thread="5.5"), GENERAL, SECRET, CHANNEL], ids=lambda p: p.key)
async def test_a_place_that_is_one_conversation(journal: SqlJournal, place: Place) -> None:
    """A DM and a thread are one conversation each; in a channel every question outside a reply chain is its own."""
    first = await journal.inbox.admit(message("one", number=1, place=place))
    second = await journal.inbox.admit(message("two", number=2, place=place))
    assert (first == second) is (place is not CHANNEL)


async def test_different_places_are_different_conversations(journal: SqlJournal) -> None:
    """No two places share a conversation, a thread in a DM and the DM itself not either."""
    places = [DM, replace(DM, thread="5.5"), GENERAL, SECRET, replace(GENERAL, thread="7.7")]
    found = [await journal.inbox.admit(message("hello", number=n, place=place)) for n, place in enumerate(places)]
    assert len(set(found)) == len(places)


async def test_a_reply_chain_is_one_conversation(journal: SqlJournal) -> None:
    """A reply to the bot's answer, or to a question that it answered, carries that conversation on."""
    question = in_channel("how warm is it?", 1)
    conversation = await heard(journal, question, "20 degrees")
    to_answer = in_channel("and tomorrow?", 2, reply_to=f"{question.id}/answer")
    assert await heard(journal, to_answer) == conversation
    assert await journal.inbox.admit(in_channel("and then?", 3, reply_to=f"{to_answer.id}/answer")) == conversation
    assert await journal.inbox.admit(in_channel("why?", 4, reply_to=question.id)) == conversation
    assert [turn.text for turn in await journal.turns.recent(conversation)][:2] == ["how warm is it?", "20 degrees"]


async def test_a_reply_to_something_unknown_begins_anew(journal: SqlJournal) -> None:
    """A reply to a message that the bot has no part in is a conversation of its own."""
    event = in_channel("and this?", 2, reply_to="discord:404")
    assert await journal.inbox.admit(event) == event.id


@pytest.mark.parametrize("place", [OTHER_CHANNEL, CLOSED_CHANNEL], ids=["another channel", "another audience"])
async def test_a_reply_never_carries_turns_elsewhere(journal: SqlJournal, place: Place) -> None:
    """A reply to a message of another place, or of when the place had another audience, sees none of its turns."""
    question = in_channel("my code is 1234", 1)
    elsewhere = await heard(journal, question)
    reply = in_channel("what did I say?", 2, place=place, reply_to=question.id)
    conversation = await journal.inbox.admit(reply)
    assert conversation not in (None, elsewhere)
    assert conversation is not None
    assert await journal.turns.recent(conversation) == []


async def test_a_thread_opened_to_more_people_leaves_its_turns_behind(journal: SqlJournal) -> None:
    """What was said while a channel was closed isn't context once everybody can read it."""
    await told(journal, "the launch is on Friday", 1, place=SECRET)
    conversation = await journal.inbox.admit(message("hi", number=2, place=replace(SECRET, audience=Audience.PUBLIC)))
    assert conversation is not None
    assert await journal.turns.recent(conversation) == []


async def test_turns_come_back_in_order(journal: SqlJournal) -> None:
    """Both turns of each exchange come back as they were said, oldest first, with speaker and time."""
    conversation = await told(journal, "I have 2 cats", 1, answer="Nice!")
    await told(journal, "and 3 dogs", 2, answer="A full house.", person=BOB)
    turns = await journal.turns.recent(conversation)
    assert [(turn.author, turn.text) for turn in turns] == [
        ("user", "I have 2 cats"),
        ("assistant", "Nice!"),
        ("user", "and 3 dogs"),
        ("assistant", "A full house."),
    ]
    assert [turn.person_key for turn in turns] == [ANN.key, "", BOB.key, ""]
    assert turns[0].at == MONDAY + timedelta(minutes=1)


async def test_what_is_being_answered_is_not_among_the_turns(journal: SqlJournal) -> None:
    """The turns that go before a message don't hold the message itself."""
    conversation = await journal.inbox.admit(message("hello"))
    assert conversation is not None
    assert await journal.turns.recent(conversation) == []


async def test_only_the_last_turns_are_context(open_: Open) -> None:
    """BOT_TURNS bounds the turns, the newest stay, and none begins with an answer whose question is cut off."""
    journal = await open_(bot_turns=3)
    for number in range(5):
        conversation = await told(journal, f"q{number}", number, answer=f"a{number}")
    assert [turn.text for turn in await journal.turns.recent(conversation)] == ["q4", "a4"]


@pytest.mark.parametrize("limit", [20, 7, 2])
async def test_turns_leave_in_blocks(open_: Open, limit: int) -> None:
    """What goes before a message begins as what went before the last one, but for the times when half of it leaves.

    Other workers, and this one after a restart, agree on which turns these are.
    """
    journal = await open_(bot_turns=limit)
    before: list[str] = []
    lost = 0
    for number in range(40):
        conversation = await told(journal, f"q{number}", number, answer=f"a{number}")
        shown = [turn.text for turn in await journal.turns.recent(conversation)]
        assert limit // 2 - 1 <= len(shown) <= limit or number < limit // 2
        assert shown[-2:] == [f"q{number}", f"a{number}"]
        lost += shown[: len(before)] != before
        before = shown
        if number == 30:
            await journal.prune()
            await journal.close()
            journal = await open_(bot_turns=limit)
            assert [turn.text for turn in await journal.turns.recent(conversation)] == shown
    assert lost <= 2 * 40 / max(limit // 4 * 2, 1)


async def test_a_forgotten_turn_moves_no_other(journal: SqlJournal) -> None:
    """What is gone still counts: the others stay or leave as they would have."""
    for number in range(9):
        conversation = await told(journal, f"q{number}", number, answer=f"a{number}")
    await journal.texts.forget_events(ANN.key, [message("", number=3).id])
    for number in (9, 10):
        conversation = await told(journal, f"q{number}", number, answer=f"a{number}")
    assert (await journal.turns.recent(conversation))[0].text == "q5"


async def test_no_turns_are_kept_where_none_are_wanted(open_: Open) -> None:
    """With BOT_TURNS=0 nothing said is kept as context; it is still learned."""
    journal = await open_(bot_turns=0)
    conversation = await told(journal, "hello", 1)
    assert await journal.turns.recent(conversation) == []
    assert len(await journal.outbox.claim(ANN.key, "private")) == 1


async def test_old_turns_are_no_context(journal: SqlJournal, clock: Clock) -> None:
    """A turn counts for 24 hours from when it was kept, however late it was answered."""
    conversation = await told(journal, "hello", 1)
    clock.now += 24 * 3600 - 1
    assert len(await journal.turns.recent(conversation)) == 2
    clock.now += 2
    assert await journal.turns.recent(conversation) == []


ODD = [
    "",
    "   ",
    "x" * 40_000,
    "a\0b",
    "\ud83d lone",
    "\u202eright to left",
    "'; DROP TABLE turns; --",
    "%s %(x)s :y ?",
]


@pytest.mark.parametrize("text", ODD, ids=lambda text: ascii(text[:12]))
async def test_odd_text_is_kept(journal: SqlJournal, text: str) -> None:
    """Any text can be kept and comes back, but for what no database holds (null characters, lone surrogates)."""
    conversation = await told(journal, text, 1, answer=text or "…")
    kept = text.replace("\0", "").replace("\ud83d", "\ufffd")
    assert [turn.text for turn in await journal.turns.recent(conversation)] == [kept, kept or "…"]
    assert [exchange.text for exchange in await journal.outbox.claim(ANN.key, "private")] == [kept]


async def test_an_unanswered_event_comes_back_whole(open_: Open) -> None:
    """What a closed process left unanswered is handed to the next as it was, odd text included."""
    place = replace(CHANNEL, thread="T5")
    files = Attachment("7", "cat.png", "image/png", 5, url="https://x.test/cat.png"), Attachment("", "b.txt")
    event = MessageEvent(
        "discord:1", BOB, place, "a\0b \ud83d é", "Bób", MONDAY, files, "https://x.test/1", "discord:0"
    )
    event = replace(event, quoted="q\0", forwarded=("f", "g"), notice="n")
    event = replace(event, quoted_files=(Attachment("8", "dog.png", message="discord:0"),))
    first = await open_()
    conversation = await first.inbox.admit(event)
    await first.close()
    ((found, where, attempts),) = await (await open_()).inbox.unanswered()
    assert (found, where, attempts) == (event, conversation, 1)
    assert found.attachments[0].url == ""  # where it can be fetched is asked for again


async def test_events_in_hand_are_not_offered(journal: SqlJournal) -> None:
    """What this process is answering, has answered or has dismissed isn't handed out again."""
    await journal.inbox.admit(message("in hand", number=1))
    await told(journal, "answered", 2)
    ignored = message("nothing to answer", number=3)
    await journal.inbox.admit(ignored)
    await journal.inbox.dismiss(ignored.id)
    assert await journal.inbox.unanswered() == []
    assert (await journal.backlog()).unanswered == 1


async def test_a_postponed_event_comes_back_when_due(journal: SqlJournal, clock: Clock) -> None:
    """An event put off for a minute is offered after it, once, oldest first."""
    for number in (1, 2):
        event = message("later", number=number, person=somebody(number))
        await journal.inbox.admit(event)
        await journal.inbox.postpone(event.id, 60)
        clock.now += 1
    assert await journal.inbox.unanswered() == []
    clock.now += 60
    assert [found.event.id for found in await journal.inbox.unanswered()] == ["slack:T1:D1:1", "slack:T1:D1:2"]
    assert await journal.inbox.unanswered() == []


async def test_an_answer_counts_once(open_: Open) -> None:
    """Where a slow process and the one that took over both answer, turns and exchange are kept once."""
    slow, quick = await open_(), await open_()
    event = message("hello")
    conversation = await slow.inbox.admit(event)
    assert conversation is not None
    for worker in (quick, slow):
        await worker.inbox.answered(event, ANN.key, conversation, "hi", ["a"], learn=True)
    assert len(await slow.turns.recent(conversation)) == 2
    assert (await slow.backlog()).waiting == 1


async def test_where_the_bot_was_spoken_to(journal: SqlJournal) -> None:
    """Each place is known with the last message of a person there, for catching up after a downtime."""
    await told(journal, "one", 1)
    await told(journal, "two", 2)
    await told(journal, "three", 3, place=GENERAL)
    await heard(journal, in_channel("elsewhere", 4))
    found = {place: message_id for place, message_id, _ in await journal.history.last_seen("slack")}
    assert found == {DM.key: "slack:T1:D1:2", GENERAL.key: "slack:T1:C1:3"}


async def test_what_was_seen_of_late(journal: SqlJournal, clock: Clock) -> None:
    """Messages and answers of the last hours before a platform's newest, however long it has been silent since."""
    await told(journal, "yesterday", 1)
    clock.now += 20 * 3600
    await told(journal, "today", 2)
    await told(journal, "in a thread", 3, place=GENERAL)
    clock.now += 5 * 24 * 3600
    await heard(journal, in_channel("elsewhere", 4))
    found = await journal.history.recently_seen("slack", 10)
    ids = ["slack:T1:D1:2", "slack:T1:C1:3"]
    assert {(place, one) for place, one, _ in found} == {
        (place, name) for place, one in zip((DM.key, GENERAL.key), ids, strict=True) for name in (one, f"{one}/answer")
    }
    assert len(await journal.history.recently_seen("slack", 24)) == 6
    assert await journal.history.recently_seen("terminal", 24) == []
    clock.now += 20 * 24 * 3600
    assert await journal.history.recently_seen("slack", 24) == []


async def test_events_are_left_to_those_on_their_platform(journal: SqlJournal) -> None:
    """A process that isn't on an event's platform doesn't claim it."""
    event = message("hello")
    await journal.inbox.admit(event)
    await journal.inbox.postpone(event.id, 0)
    assert await journal.inbox.unanswered(["discord", "sla"]) == []
    assert await journal.inbox.unanswered([]) == []
    assert [left.event for left in await journal.inbox.unanswered(["discord", "slack"])] == [event]


async def test_the_exchange_that_is_replied_to_is_found(journal: SqlJournal) -> None:
    """A reply to a message, or to its answer, finds both turns of it, and which of them is meant."""
    await told(journal, "the first", 1, answer="One.")
    await told(journal, "the second", 2, answer="Two.")
    for target, to_answer in (("slack:T1:D1:1", False), ("slack:T1:D1:1/answer", True)):
        found = await journal.turns.replied(replace(message("that?", number=3), reply_to=target))
        assert found is not None
        assert found.turn is not None
        assert (found.to_answer, found.turn.text) == (to_answer, "One." if to_answer else "the first")
    assert await journal.turns.replied(replace(message("that?", number=3), reply_to="slack:T1:D1:77")) is None
    assert await journal.turns.replied(message("that?", number=3)) is None


async def test_a_reply_brings_nothing_of_a_narrower_audience(journal: SqlJournal) -> None:
    """Where a channel was opened since, a reply doesn't bring back what was said before; nor across workspaces."""
    await heard(journal, in_channel("secret", 1, place=CLOSED_CHANNEL))
    for place in (CHANNEL, replace(CLOSED_CHANNEL, workspace="G2")):
        assert await journal.turns.replied(in_channel("that?", 2, place=place, reply_to="discord:1")) is None
    assert await journal.turns.replied(in_channel("that?", 2, place=CLOSED_CHANNEL, reply_to="discord:1")) is not None


async def test_what_was_forgotten_is_not_replied_to(journal: SqlJournal, clock: Clock) -> None:
    """A reply to a forgotten message finds that nothing of it is left; of one that is too long ago it isn't known."""
    await told(journal, "the first", 1, answer="One.")
    await journal.texts.forget_events(ANN.key, ["slack:T1:D1:1"])
    event = replace(message("that?", number=3), reply_to="slack:T1:D1:1/answer")
    assert await journal.turns.replied(event) == Replied(None, None, to_answer=True)
    clock.now += 25 * 3600
    assert await journal.turns.replied(event) is None


async def test_nothing_is_learned_from_a_forwarded_text(journal: SqlJournal) -> None:
    """Of a message that forwards another, its own words alone are learned, without the answer."""
    forwarded = replace(message("", number=1), forwarded=("I live in Lisbon",))
    commented = replace(message("that is Ben's", number=2), forwarded=("I live in Porto",))
    for event in (forwarded, commented):
        await heard(journal, event, "Ben lives in Lisbon.")
    kept = await journal.outbox.claim(ANN.key, "private")
    assert [(exchange.text, exchange.answer) for exchange in kept] == [("that is Ben's", "")]
    assert await journal.inbox.unanswered() == []
    turns = await journal.turns.recent(kept[0].conversation)
    assert [turn.text for turn in turns if turn.author == "user"] == ["", "that is Ben's"]
