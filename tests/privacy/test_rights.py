"""What people can have forgotten, and what follows the platforms, on the real journal and the real embedded memory."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.aio.batches import Batches
from bot.app import PLATFORMS
from bot.core.platforms import parse_person
from bot.events import MessageEvent
from bot.model import Audience, Person, Place
from bot.ports import JournalUnavailable
from bot.privacy.changes import TOGETHER
from bot.privacy.time_range import TimeRange
from bot.storage.sqlite import BUSY_TIMEOUT_MS, connect
from tests.harness import (
    ANN,
    ANN_ON_DISCORD,
    DISCORD_DM,
    DM,
    GENERAL,
    GUILD,
    SECRET,
    Between,
    BotHarness,
    Clock,
    opened,
)
from tests.makers import BOB, message
from tests.parts import make_privacy

CANARY = "zebrafinch"


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """One process on an empty folder."""
    async with opened(tmp_path / "data") as found:
        yield found


# Words


async def test_words_that_no_memory_holds_find_the_nearest(harness: BotHarness) -> None:
    """Where nothing holds the words, the nearest by meaning are shown as such, each to be forgotten by itself."""
    await harness.tell("Keeps two axolotls at home.")
    await harness.tell("Works as a nurse in Leeds.")
    view = await harness.run("forget", "that I keep two axolotls")
    assert view.title == "Nothing that I remember about you matches “that I keep two axolotls”. The nearest by meaning:"
    assert view.items[0].text == "Keeps two axolotls at home."
    done = await harness.press(view, f"Forget {view.items[0].number}")
    assert done.title.startswith("Forgotten: 1 thing")
    assert await harness.known() == ["Works as a nurse in Leeds."]


async def test_what_was_just_said_is_found_nearly_too(harness: BotHarness) -> None:
    """A message that isn't learned yet is found without the words that say nothing, and can be forgotten."""
    await harness.hear("I keep two axolotls")
    view = await harness.run("forget", "that I keep two axolotls")
    assert view.title == "Nothing that I remember about you matches “that I keep two axolotls”. The nearest by meaning:"
    assert "“I keep two axolotls" in view.footer
    await harness.press(view, "Forget 1 message that I have yet to learn from")
    await harness.learn()
    assert await harness.known() == []


async def test_a_time_lists_what_was_learned_in_it(harness: BotHarness) -> None:
    """`/memories` with a time, which no memory holds as words, shows what was told then."""
    await harness.tell("I like tea.")
    view = await harness.run("memories", "today")
    assert [item.text for item in view.items] == ["I like tea."]
    assert "matches" in (await harness.run("memories", "last week")).title


# Everything


async def test_forgotten_means_gone(tmp_path: Path) -> None:
    """Told, learned, edited, waiting and in hand, then forgotten: no file, answer or export holds it, then or later."""
    async with opened(tmp_path / "data") as harness:
        await harness.tell(f"My bird is a {CANARY}.")
        event = await harness.tell("My bird is called Zoe.")
        (memory, _) = await harness.memory.list(ANN.key)
        await harness.memory.edit(ANN.key, memory.id, f"Zoe is a {CANARY}", event.at)
        await harness.hear(f"The {CANARY} sings.")
        waiting = await harness.journal.outbox.claim(ANN.key, "private")
        open_ = replace(event, id="slack:T1:D1:99", text=f"Is my {CANARY} pretty?")
        conversation = await harness.journal.inbox.admit(open_)
        assert conversation is not None
        assert harness.holding(CANARY)

        done = await harness.press(await harness.run("forget"), "Forget everything")
        assert done.title.startswith("Everything is forgotten: 2 things")
        assert await harness.memory.learn(waiting) == 0  # the extraction that was under way
        await harness.answer(open_, conversation, f"Your {CANARY} is.")
        await harness.learn()
        assert harness.holding(CANARY) == []
        assert await harness.known() == []
        assert await harness.recalled(CANARY) == []
        assert CANARY not in json.dumps(await harness.rights.export(ANN.key))
    assert harness.holding(CANARY) == []


async def test_everything_is_one_persons_everything(harness: BotHarness) -> None:
    """Another person keeps all that is theirs, and what is told afterwards is learned again."""
    await harness.tell("I like tea.")
    await harness.tell("I like coffee.", BOB)
    await harness.rights.forget_everything(ANN.key)
    assert (await harness.known(), await harness.known(BOB)) == ([], ["I like coffee."])
    await harness.tell("I like water.")
    assert await harness.known() == ["I like water."]


async def test_what_waits_is_not_learned_though_its_erasing_fails(harness: BotHarness) -> None:
    """Where the memories are erased before what waits to be learned can be, nothing of that is learned in between."""
    await harness.hear(f"My bird is a {CANARY}.")

    async def away() -> None:
        raise JournalUnavailable("away")

    texts: Any = Between(harness.journal.texts, "forget_person", away, before=True)
    privacy = make_privacy(harness.journal, harness.memory, harness.identities, texts=texts)
    assert (await privacy.rights.forget_everything(ANN.key)).memories is None
    harness.clock.now += 120
    await privacy.eraser.tick()
    await harness.learn()
    assert await harness.known() == []
    harness.clock.now += 120
    await harness.eraser.tick()
    await harness.learn()
    assert await harness.known() == []
    assert harness.holding(CANARY) == []
    assert not (await harness.journal.accounts.account(ANN.key)).erasing


async def test_what_failed_is_tried_again_until_it_is_gone(tmp_path: Path) -> None:
    """With the memory out of reach the person is told so; another process erases it, and nothing is used before."""
    clock = Clock()
    async with opened(tmp_path / "data", clock) as harness:
        await harness.tell(f"My bird is a {CANARY}.")
        view = await harness.run("forget")
        await harness.memory.close()
        told = await harness.press(view, "Forget everything")
        assert "go on erasing" in told.footer
    async with opened(tmp_path / "data", clock) as harness:
        account = await harness.journal.accounts.account(ANN.key)
        assert account.erasing
        await harness.hear("My bird is a wren now.", event_id="slack:T1:D1:50")
        await harness.learn()
        assert await harness.known() == [f"My bird is a {CANARY}."]  # learning waits for the erasure
        await harness.eraser.tick()
        assert await harness.known() == [f"My bird is a {CANARY}."]  # it is not due yet
        clock.now += 120
        await harness.eraser.tick()
        await harness.learn()
        assert await harness.known() == ["My bird is a wren now."]
        assert not (await harness.journal.accounts.account(ANN.key)).erasing
        assert harness.holding(CANARY) == []


async def test_a_batch_under_way_keeps_what_was_not_forgotten(harness: BotHarness) -> None:
    """Of two messages that are being learned together, the deleted one leaves nothing and the other is learned."""
    first = await harness.hear("I like tea.")
    await harness.hear("I like coffee.")
    waiting = await harness.journal.outbox.claim(ANN.key, "private")
    assert len(waiting) == 2
    await harness.changes.on_deleted([first.id])
    await harness.memory.learn(waiting)
    await harness.learn()
    assert await harness.known() == ["I like coffee."]


# Stretches of time


async def test_everything_since_a_time(harness: BotHarness) -> None:
    """What was told before stays, what was told since goes, and what was told both times keeps its older message."""
    await harness.tell("I like tea.")
    await harness.tell("I live in Porto.")
    again = await harness.hear("I like tea.")
    last = await harness.hear("I like coffee.")
    await harness.learn()
    memories = await harness.memory.list(ANN.key)
    outcome = await harness.rights.forget_time_range(
        ANN.key, TimeRange.of(memories, again.at, last.at.replace(hour=23))
    )
    assert outcome.memories == 1
    assert await harness.known() == ["I like tea.", "I live in Porto."]
    (tea,) = await harness.memory.list(ANN.key, "tea")
    assert again.id not in [source.event_id for source in tea.sources]
    assert await harness.turns(last) == ["I like tea.", "Noted.", "I live in Porto.", "Noted."]


async def test_what_is_learned_while_a_stretch_is_being_forgotten_goes_too(harness: BotHarness) -> None:
    """A lesson that ends between the listing of what is remembered and the forgetting leaves nothing behind."""
    event = await harness.hear(f"My bird is a {CANARY}.")
    erasures: Any = Between(harness.journal.erasures, "add", harness.learn)
    rights = make_privacy(
        harness.journal, harness.memory, harness.identities, harness.learner, erasures=erasures
    ).rights
    outcome = await rights.forget_time_range(ANN.key, TimeRange.of([], event.at, event.at.replace(hour=23)))
    assert outcome.memories == 1
    assert await harness.known() == []
    assert harness.holding(CANARY) == []


async def test_the_command_knows_times(harness: BotHarness) -> None:
    """`/forget today` proposes what was learned today, and one click forgets it."""
    harness.clock.now += 3600
    await harness.tell("I like tea.")
    view = await harness.run("forget", "today")
    assert "That is 1 thing" in view.title
    assert (await harness.press(view, "Forget")).title.startswith("Forgotten: 1 thing")
    assert await harness.known() == []


# Deleted and edited on the platform


# Words


async def test_words_find_what_is_not_learned_yet(harness: BotHarness) -> None:
    """Seconds after it was told, words find the message that waits; it goes with its answer, and is never learned."""
    event = await harness.hear(f"My {CANARY}s are called Zoe and Zack.", answer="Lovely.")
    await harness.hear("I like tea.")
    view = await harness.run("forget", f"{CANARY.upper()} zoe")
    assert view.title == "Forget 1 message that I have yet to learn from?"
    assert f"My {CANARY}s are called" in view.footer
    done = await harness.press(view, "Forget")
    assert done.title == "Forgotten: 0 things that I remembered, and 3 entries of recent conversation."
    await harness.learn()
    assert await harness.known() == ["I like tea."]
    assert await harness.turns(event) == ["I like tea.", "Noted."]
    assert harness.holding(CANARY) == []


async def test_words_find_memories_and_conversation_together(harness: BotHarness) -> None:
    """What matches goes at once: a memory, what was said without teaching it, and an answer that holds the words."""
    await harness.tell(f"My bird is a {CANARY}.")
    await harness.tell("Who sings?")
    event = await harness.hear("And what is blue?", answer=f"Your {CANARY}.")
    await harness.learn()
    await harness.hear(f"Is the {CANARY} asleep?")
    view = await harness.run("forget", CANARY)
    assert view.title == "Forget this, and 2 messages of our recent conversation (1 of them not yet learned)?"
    assert [item.text for item in view.items] == [f"My bird is a {CANARY}."]
    await harness.press(view, "Forget")
    assert await harness.turns(event) == ["Who sings?", "Noted."]
    assert (await harness.run("forget", CANARY)).buttons == ()
    assert harness.holding(CANARY) == []


async def test_what_is_learned_before_the_click_goes_too(harness: BotHarness) -> None:
    """A message that is learned between the question and the click is forgotten with what it taught."""
    await harness.hear(f"My bird is a {CANARY}.")
    view = await harness.run("forget", CANARY)
    await harness.learn()
    assert await harness.known() == [f"My bird is a {CANARY}."]
    done = await harness.press(view, "Forget")
    assert done.title.startswith("Forgotten")
    assert await harness.known() == []
    assert harness.holding(CANARY) == []


async def test_words_reach_what_is_under_way(harness: BotHarness) -> None:
    """Neither an extraction nor an answer that is under way brings back what words have forgotten."""
    await harness.tell(f"My bird is a {CANARY}.")
    await harness.hear(f"The {CANARY} sings.")
    lesson = await harness.journal.outbox.claim(ANN.key, "private")
    events = [
        replace(await harness.hear("Hello."), id=f"slack:T1:D1:9{number}", text=text)
        for number, text in enumerate((f"Is my {CANARY} pretty?", "What was my bird again?"))
    ]
    conversations = [await harness.journal.inbox.admit(event) for event in events]
    await harness.press(await harness.run("forget", CANARY), "Forget")
    assert await harness.memory.learn(lesson) == 0
    for event, conversation in zip(events, conversations, strict=True):
        assert conversation is not None
        await harness.answer(event, conversation, f"A {CANARY}.")
    assert (await harness.turns(events[0]))[-1] == "What was my bird again?"
    await harness.learn()
    assert CANARY not in json.dumps(await harness.rights.export(ANN.key))
    assert harness.holding(CANARY) == []


async def test_words_are_the_callers_own(harness: BotHarness) -> None:
    """Nobody finds, or forgets, what others have said."""
    event = await harness.hear(f"My bird is a {CANARY}.", BOB)
    assert (await harness.run("forget", CANARY)).buttons == ()
    await harness.learn()
    assert await harness.known(BOB) == [f"My bird is a {CANARY}."]
    assert await harness.turns(event) == [f"My bird is a {CANARY}.", "Noted."]


# Answers that repeat


async def test_a_forgotten_memory_stays_in_no_answer(harness: BotHarness) -> None:
    """With a memory, answers that repeat it go: the person's own anywhere, and in its conversation anybody's."""
    told = await harness.tell(f"My bird is a {CANARY}.", place=GENERAL)
    await harness.tell("I like tea.")
    asked = await harness.hear("Which bird is it?", answer=f"It is a {CANARY}.")
    await harness.hear("Which bird is hers?", BOB, GENERAL, answer=f"A {CANARY}.")
    await harness.hear("Good morning.", BOB, GENERAL, answer="Good morning.")
    (memory, *_) = await harness.memory.list(ANN.key, CANARY)
    await harness.rights.forget_memories(ANN.key, [memory])
    assert await harness.turns(asked) == ["I like tea.", "Noted.", "Which bird is it?"]
    assert await harness.turns(told) == ["Which bird is hers?", "Good morning.", "Good morning."]
    await harness.learn()
    assert harness.holding(CANARY) == []


async def test_a_deleted_message_stays_in_no_answer(harness: BotHarness) -> None:
    """With a message, answers to others that repeat it go; what they say that it didn't stays."""
    event = await harness.tell(f"My bird is a {CANARY}.")
    await harness.tell("Which bird is it?")
    await harness.hear("And what is it called?", answer=f"The {CANARY}? Zoe.")
    await harness.changes.on_deleted([event.id])
    assert await harness.turns(event) == ["Which bird is it?", "Noted.", "And what is it called?"]
    await harness.learn()
    assert harness.holding(CANARY) == []


async def test_an_edited_message_stays_in_no_answer(harness: BotHarness) -> None:
    """Words that an edit takes out of a message go from its answer's turn; an answer under way isn't kept."""
    event = await harness.hear(f"My bird is a {CANARY}.", answer=f"A {CANARY}, nice.")
    await harness.hear("Does my bird sing?", answer="Your bird does.")
    open_ = replace(event, id="slack:T1:D1:77", text=f"Feed the {CANARY}.")
    conversation = await harness.journal.inbox.admit(open_)
    assert conversation is not None
    await harness.changes.on_edited(replace(event, text="My bird is a wren."))
    await harness.changes.on_edited(replace(open_, text="Feed the wren."))
    await harness.answer(open_, conversation, f"The {CANARY} is fed.")
    kept = ["My bird is a wren.", "Does my bird sing?", "Your bird does.", "Feed the wren."]
    assert await harness.turns(event) == kept
    await harness.learn()
    assert harness.holding(CANARY) == []


# What platforms tell


async def test_a_deleted_message_takes_along_what_it_alone_taught(harness: BotHarness) -> None:
    """What no other message taught is forgotten, with the turns; what another taught too stays."""
    first = await harness.tell("I like tea.")
    second = await harness.tell("I like tea.")
    third = await harness.tell("I live in Porto.")
    await harness.changes.on_deleted([first.id, third.id])
    assert await harness.known() == ["I like tea."]
    (tea,) = await harness.memory.list(ANN.key)
    assert [source.event_id for source in tea.sources] == [second.id]
    assert await harness.turns(second) == ["I like tea.", "Noted."]
    await harness.changes.on_deleted([second.id, "slack:T1:D1:never-seen"])
    assert await harness.known() == []


@pytest.mark.slow
async def test_a_deletion_outlasts_a_journal_that_fails(tmp_path: Path) -> None:
    """A platform tells of a deletion once: with the file locked for longer than SQLite waits, it is held on to."""
    async with opened(tmp_path / "data") as harness:
        event = await harness.tell("My bird is a zebrafinch.")
        with contextlib.closing(connect(tmp_path / "data" / "bot.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            deleting = asyncio.create_task(harness.changes.on_deleted([event.id]))
            await asyncio.sleep(BUSY_TIMEOUT_MS / 1000 + 1)
            assert not deleting.done()
            other.execute("ROLLBACK")
        await deleting
        assert await harness.known() == []


async def test_a_deleted_message_is_not_answered_into_memory(harness: BotHarness) -> None:
    """A message deleted while it is being answered leaves no turn, and nothing to be learned."""
    event = replace(await harness.hear("Hello."), id="slack:T1:D1:77", text=f"My bird is a {CANARY}.")
    conversation = await harness.journal.inbox.admit(event)
    assert conversation is not None
    await harness.changes.on_deleted([event.id])
    await harness.answer(event, conversation)
    await harness.learn()
    assert harness.holding(CANARY) == []


async def test_the_bots_own_answer_deleted_is_no_more_than_that(harness: BotHarness) -> None:
    """Deleting an answer drops its turn; what the person said and taught stays."""
    event = await harness.tell("I like tea.")
    await harness.changes.on_deleted([f"{event.id}/answer"])
    assert await harness.turns(event) == ["I like tea."]
    assert await harness.known() == ["I like tea."]


async def test_what_a_deleted_message_had_replaced_is_in_force_again(harness: BotHarness) -> None:
    """Where the newer of two messages goes, the memory that it had replaced counts again."""
    await harness.tell("I live in Porto.")
    moved = await harness.tell("I live in Lisbon.")
    lisbon, porto = await harness.memory.list(ANN.key)
    with harness.memory._store._writing() as conn:
        conn.execute("UPDATE memories SET superseded_by = ? WHERE memory_id = ?", (lisbon.id, porto.id))
    assert await harness.known() == ["I live in Lisbon."]
    await harness.changes.on_deleted([moved.id])
    assert await harness.known() == ["I live in Porto."]


@pytest.mark.parametrize("learned", [True, False])
async def test_an_edited_message_is_learned_anew(harness: BotHarness, learned: bool) -> None:
    """Learned or still waiting, the old text is gone from memory, turns and files, and the new one is learned."""
    other = await harness.tell("I like tea.")
    event = await harness.hear(f"My bird is a {CANARY}.")
    if learned:
        await harness.learn()
    await harness.changes.on_edited(replace(event, text="My bird is a wren."))
    await harness.learn()
    assert await harness.known() == ["I like tea.", "My bird is a wren."]
    assert await harness.turns(other) == ["I like tea.", "Noted.", "My bird is a wren.", "Noted."]
    assert harness.holding(CANARY) == []


async def test_an_edit_of_long_ago_counts_too(harness: BotHarness) -> None:
    """Though turns and records are pruned, the memory's own source tells that the message had taught it."""
    event = await harness.tell("My bird is a finch.")
    await harness.tell("Hello there, friend.", place=GENERAL)
    harness.clock.now += 30 * 24 * 3600
    await harness.tell("I like tea.")
    await harness.journal.prune()
    await harness.changes.on_edited(replace(event, text="My bird is a wren."))
    await harness.learn()
    assert await harness.known() == ["Hello there, friend.", "I like tea.", "My bird is a wren."]


async def test_an_edit_of_nothing_is_none(harness: BotHarness) -> None:
    """The same text (a preview was added), or a message that was never ours, changes nothing."""
    event = await harness.tell("I like tea.")
    (before,) = await harness.memory.list(ANN.key)
    await harness.changes.on_edited(event)
    await harness.changes.on_edited(replace(event, id="slack:T1:D1:foreign", text="I like rum."))
    await harness.learn()
    assert await harness.memory.list(ANN.key) == [before]


async def test_an_edit_that_meets_the_answer_is_learned(harness: BotHarness) -> None:
    """A message that is answered while its edit is looked into is kept, and learned, as it reads now."""
    event = replace(await harness.hear("Hello."), id="slack:T1:D1:77", text=f"My bird is a {CANARY}.")
    conversation = await harness.journal.inbox.admit(event)
    assert conversation is not None
    changes: Any = Between(harness.journal.changes, "compare", lambda: harness.answer(event, conversation))
    privacy = make_privacy(harness.journal, harness.memory, harness.identities, harness.learner, changes=changes)
    await privacy.changes.on_edited(replace(event, text="It is a wren."))
    await harness.learn()
    assert "It is a wren." in await harness.known()
    assert harness.holding(CANARY) == []


async def test_an_edit_while_it_is_answered_is_what_is_kept(harness: BotHarness) -> None:
    """A message edited before its answer is out is kept, and learned, as it reads now."""
    event = replace(await harness.hear("Hello."), id="slack:T1:D1:77", text=f"My bird is a {CANARY}.")
    conversation = await harness.journal.inbox.admit(event)
    assert conversation is not None
    await harness.changes.on_edited(replace(event, text="My bird is a wren."))
    await harness.answer(event, conversation)
    await harness.learn()
    assert "My bird is a wren." in await harness.known()
    assert harness.holding(CANARY) == []


async def test_an_edit_while_paused_teaches_nothing(harness: BotHarness) -> None:
    """Memory paused, an edit still takes away what the old text taught, and learns nothing new."""
    event = await harness.tell("My bird is a finch.")
    await harness.journal.pauses.set(ANN.key, True)
    await harness.changes.on_edited(replace(event, text="My bird is a wren."))
    await harness.learn()
    assert await harness.known() == []


# Pausing


async def test_paused_learns_nothing_and_says_so_once(harness: BotHarness) -> None:
    """While memory is paused nothing is learned; one answer after each pausing is the one that says so."""
    await harness.press(await harness.run("memories"), "Pause memory")
    await harness.tell("I like tea.")
    assert await harness.known() == []
    assert [await harness.journal.pauses.announce(ANN.key) for _ in range(3)] == [True, False, False]
    account = await harness.journal.accounts.account(ANN.key)
    assert (account.paused, account.pause_announced) == (True, True)
    await harness.press(await harness.run("memories"), "Resume memory")
    await harness.tell("I like coffee.")
    assert await harness.known() == ["I like coffee."]
    assert not (await harness.journal.accounts.account(ANN.key)).paused


async def said(harness: BotHarness, text: str, number: int, **about: Any) -> tuple[MessageEvent, str]:
    """A message that is written at this moment, and its conversation; its answer is still to come."""
    at = datetime.fromtimestamp(harness.clock.now, UTC)
    event = replace(message(text, number=number, person=ANN), at=at, **about)
    conversation = await harness.journal.inbox.admit(event)
    assert conversation is not None
    return event, conversation


async def set_paused(harness: BotHarness, paused: bool, person: Person = ANN) -> None:
    """Pause or resume, ten seconds from now, and let ten more pass."""
    harness.clock.now += 10
    await harness.press(
        await harness.run("memories", person=person), "Pause memory" if paused else "Resume memory", person
    )
    harness.clock.now += 10


async def test_what_is_said_while_paused_is_never_learned(harness: BotHarness) -> None:
    """However late it is answered, and though memory is on again by then; what is said after the pause is learned."""
    before = await said(harness, "I like tea.", 1)
    await set_paused(harness, True)
    during = await said(harness, f"My bird is a {CANARY}.", 2)
    await harness.answer(*before)
    await set_paused(harness, False)
    after = await said(harness, "I like coffee.", 3)
    await harness.answer(*during)
    await harness.answer(*after)
    assert [exchange.text for exchange in await harness.journal.outbox.claim(ANN.key, "private")] == ["I like coffee."]
    await harness.learn()
    assert await harness.known() == ["I like coffee."]
    # Nor is it by an edit that comes later: a mistake put right is no leave to keep it.
    await harness.changes.on_edited(replace(during[0], text=f"My bird is a blue {CANARY}."))
    await harness.learn()
    assert await harness.known() == ["I like coffee."]


async def test_what_waited_when_memory_was_paused_may_be_learned(harness: BotHarness) -> None:
    """Said and answered before the pause, it is learned during it; as it was said then, not as it is edited now."""
    first = await harness.hear("I like tea.")
    second = await harness.hear("I like coffee.")
    await set_paused(harness, True)
    await harness.changes.on_edited(replace(second, text=f"My bird is a {CANARY}."))
    await harness.learn()
    await harness.eraser.tick()
    await harness.learn()
    assert await harness.known() == ["I like tea."]
    assert await harness.turns(first) == ["I like tea.", "Noted.", f"My bird is a {CANARY}.", "Noted."]


async def test_a_pause_is_remembered_across_a_link(harness: BotHarness) -> None:
    """What an account said while paused is learned for neither, though it is answered once both are one person's."""
    await set_paused(harness, True)
    during = await said(harness, f"My bird is a {CANARY}.", 1)
    await set_paused(harness, False)
    code = (await harness.run("link", person=ANN_ON_DISCORD)).title.removeprefix("Your code is ")
    await harness.press(await harness.run("link", code), "Join")
    await harness.answer(*during)
    await harness.learn()
    assert await harness.known() == []
    assert await harness.known(ANN_ON_DISCORD) == []
    exported = await harness.rights.export(ANN_ON_DISCORD.key)
    assert len(exported["settings"]["memory_was_paused"]) == 1
    await harness.rights.forget_everything(ANN_ON_DISCORD.key)
    assert (await harness.rights.export(ANN_ON_DISCORD.key))["settings"]["memory_was_paused"] == []


# Removed from a workspace


async def test_a_removed_workspace_is_erased_after_the_grace(harness: BotHarness) -> None:
    """Before the grace is over all is there; after it, what was learned in that workspace is in no file."""
    await harness.tell(f"My bird is a {CANARY}.")
    await harness.tell(f"The {CANARY} is blue.", place=GENERAL)
    await harness.tell("I like tea.", ANN_ON_DISCORD, DISCORD_DM)
    await harness.changes.on_removed("slack", "T1")
    harness.clock.now += 3500
    await harness.changes.on_removed(
        "slack", "T1"
    )  # platforms tell it more than once: the grace is counted from the first
    await harness.eraser.tick()
    assert len(await harness.known()) == 2
    harness.clock.now += 200
    await harness.eraser.tick()
    assert await harness.known() == []
    assert await harness.known(ANN_ON_DISCORD) == ["I like tea."]
    assert harness.holding(CANARY) == []


async def test_a_workspace_that_returns_keeps_everything(harness: BotHarness) -> None:
    """Added again within the grace, nothing is erased."""
    await harness.tell("I like tea.")
    await harness.changes.on_removed("slack", "T1")
    await harness.changes.on_returned("slack", "T1")
    harness.clock.now += 10_000
    await harness.eraser.tick()
    assert await harness.known() == ["I like tea."]


async def test_a_guild_takes_along_its_channels_and_no_direct_messages(harness: BotHarness) -> None:
    """Discord's people are not a guild's own: what they said in its channels goes, their direct messages stay."""
    closed = Place("discord", "G1", "C8", None, Audience.MEMBERS, "#closed")
    await harness.tell("I like tea.", ANN_ON_DISCORD, DISCORD_DM)
    for place, text in (
        (GUILD, "Guild tea."),
        (closed, "Closed tea."),
        (replace(GUILD, workspace="G11"), "Other tea."),
    ):
        await harness.tell(text, ANN_ON_DISCORD, place)
    await harness.changes.on_removed("discord", "G1")
    harness.clock.now += 3700
    await harness.eraser.tick()
    assert await harness.known(ANN_ON_DISCORD) == ["I like tea.", "Other tea."]


async def test_a_person_who_removes_the_bot_is_forgotten_alone(harness: BotHarness) -> None:
    """One person's removal erases that account, and nobody else's."""
    await harness.tell("I like tea.")
    await harness.tell("I like coffee.", BOB)
    await harness.changes.on_removed("slack", "T1", ANN)
    harness.clock.now += 3700
    await harness.eraser.tick()
    assert (await harness.known(), await harness.known(BOB)) == ([], ["I like coffee."])


async def test_a_removal_without_a_workspace_erases_nothing(harness: BotHarness) -> None:
    """An event that names no workspace can't mean everybody."""
    await harness.tell("I like tea.", ANN_ON_DISCORD, DISCORD_DM)
    await harness.changes.on_removed("discord", "")
    harness.clock.now += 10_000
    await harness.eraser.tick()
    assert await harness.known(ANN_ON_DISCORD) == ["I like tea."]


# Changed and shared


async def test_an_edited_memory_is_found_by_its_new_text_alone(harness: BotHarness) -> None:
    """After an edit the new words are recalled and dated, and no file holds the old ones."""
    event = await harness.tell(f"My bird is a {CANARY}.")
    await harness.journal.texts.forget_events(ANN.key, [event.id])
    (memory,) = await harness.memory.list(ANN.key)
    changed = await harness.memory.edit(ANN.key, memory.id, "I play the theremin", event.at)
    assert changed is not None
    assert changed.edited_at == event.at
    assert changed.sources == memory.sources
    assert await harness.recalled("theremin") == ["I play the theremin"]
    assert await harness.memory.list(ANN.key, CANARY) == []
    assert harness.holding(CANARY) == []


async def test_a_shared_memory_is_used_in_channels_until_it_is_closed(harness: BotHarness) -> None:
    """Opened, a DM's memory is recalled in any channel; closed, in none; and another person can do neither."""
    await harness.tell("I am allergic to nuts.")
    (memory,) = await harness.memory.list(ANN.key)
    assert await harness.memory.share(BOB.key, memory.id, shared=True) is None
    assert await harness.memory.edit(BOB.key, memory.id, "mine", memory.learned_at) is None
    for place in (GENERAL, SECRET, GUILD):
        assert await harness.recalled("nuts", place=place) == []
    await harness.memory.share(ANN.key, memory.id, shared=True)
    for place in (GENERAL, SECRET, GUILD, DM):
        assert await harness.recalled("nuts", place=place) == ["I am allergic to nuts."]
    await harness.tell("I am allergic to nuts.")  # said again where it was learned: one memory still
    assert await harness.known() == ["I am allergic to nuts."]
    await harness.memory.share(ANN.key, memory.id, shared=False)
    assert await harness.recalled("nuts", place=GENERAL) == []
    assert [found.scope for found in await harness.memory.list(ANN.key)] == ["private"]


# The operator's


@pytest.mark.parametrize(
    ("text", "key"),
    [("discord:7", "discord:7"), ("slack:T1:UANN", ANN.key), ("terminal:ann-b", "terminal:ann-b")],
)
def test_a_person_is_named_by_their_account(text: str, key: str) -> None:
    """An operator names a person as the platforms do."""
    assert parse_person(text, PLATFORMS).key == key


@pytest.mark.parametrize(
    "text",
    [
        *("", "ann", "slack:T1", "discord:ann", "discord:", "terminal:", "irc:ann", "slack::U"),
        *("slack:*:*", "slack:T1:*", "slack:t1:uann", "discord:*", "discord:0", "discord:١٢٣", "discord:１２３"),
        *("discord:7\n", " discord:7", "slack:T1:UANN\r\n", "terminal:ann b", "terminal:\x1bann", "discord:7:8"),
    ],
)
def test_what_names_nobody_is_refused(text: str) -> None:
    """Anything else is refused with the three forms."""
    with pytest.raises(ValueError, match="discord:<id>"):
        parse_person(text, PLATFORMS)


async def test_the_export_holds_everything(harness: BotHarness) -> None:
    """Memories with their messages, recent turns, what waits, and settings are all in it, as plain JSON."""
    await harness.tell("I like tea.")
    await harness.hear("I like coffee.")
    await harness.journal.pauses.set(ANN.key, True)
    exported = json.loads(json.dumps(await harness.rights.export(ANN.key)))
    assert [memory["text"] for memory in exported["memories"]] == ["I like tea."]
    assert exported["memories"][0]["sources"][0]["link"] == "https://example.org/1"
    assert [turn["text"] for turn in exported["turns"]] == ["I like tea.", "Noted.", "I like coffee.", "Noted."]
    assert [waiting["text"] for waiting in exported["waiting_to_be_learned"]] == ["I like coffee."]
    assert exported["settings"]["memory_paused_since"] is not None


# Floods


class Counting:
    """A part of a journal that counts how often it is asked to erase."""

    def __init__(self, part: object) -> None:
        self._part = part
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self._part, name)


async def test_many_deletions_are_followed_together(harness: BotHarness) -> None:
    """Messages that are deleted one by one, in a flood, are all forgotten, in a few transactions; others' stay."""
    events = [await harness.hear(f"Note {number} of mine.") for number in range(60)]
    await harness.tell("I like tea.", BOB, replace(DM, channel="D2"))
    await harness.learn()
    counting: Any = Counting(harness.journal.changes)
    privacy = make_privacy(harness.journal, harness.memory, harness.identities, harness.learner, changes=counting)
    await asyncio.gather(*(privacy.changes.on_deleted([event.id]) for event in events))
    assert await harness.known() == []
    assert await harness.known(BOB) == ["I like tea."]
    assert await harness.turns(events[0]) == []
    assert counting.calls["forget"] <= 60 / TOGETHER + 2


async def test_many_edits_are_followed_together(harness: BotHarness) -> None:
    """Messages that are edited in a flood are learned as they are in the end, in a few transactions."""
    events = [await harness.hear(f"Note {number} of mine.") for number in range(40)]
    await harness.learn()
    counting: Any = Counting(harness.journal.changes)
    privacy = make_privacy(harness.journal, harness.memory, harness.identities, harness.learner, changes=counting)
    edits = [
        replace(event, text=f"Word {number}, {version}.")
        for version in ("draft", "final")
        for number, event in enumerate(events)
    ]
    await asyncio.gather(*map(privacy.changes.on_edited, edits))
    await harness.learn()
    assert await harness.known() == sorted(f"Word {number}, final." for number in range(40))
    assert counting.calls["edit"] <= 80 / TOGETHER + 2


async def test_edits_past_the_allowance_are_learned_later(harness: BotHarness) -> None:
    """Who edits more than a minute's allowance has the former texts forgotten at once, the new ones learned later."""
    events = [await harness.tell(f"Note {number} of mine.") for number in range(3)]
    privacy = make_privacy(harness.journal, harness.memory, harness.identities, harness.learner, edits_per_minute=2)
    for event in events:
        await privacy.changes.on_edited(replace(event, text=event.text.replace("Note", "Word")))
    await harness.learn()
    assert await harness.known() == ["Word 0 of mine.", "Word 1 of mine."]
    harness.clock.now += 61
    await privacy.eraser.tick()
    await harness.learn()
    assert await harness.known() == ["Word 0 of mine.", "Word 1 of mine.", "Word 2 of mine."]


async def test_one_that_fails_takes_none_along(harness: BotHarness) -> None:
    """Where following one flood fails, what comes after it is followed all the same."""
    event = await harness.tell("I like tea.")
    work: Batches[int] = Batches(_odd_fails, 2)
    outcomes = await asyncio.gather(*(work.add(number) for number in (0, 2, 3, 5, 4)), return_exceptions=True)
    assert [isinstance(outcome, ValueError) for outcome in outcomes] == [False, False, True, True, False]
    await harness.changes.on_deleted([event.id])
    assert await harness.known() == []


async def _odd_fails(numbers: list[int]) -> None:
    if any(number % 2 for number in numbers):
        raise ValueError("odd")
