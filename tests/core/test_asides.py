"""What is said with an answer and is no part of it."""

import asyncio
from dataclasses import replace

import pytest

from bot.core import briefing
from bot.core.answer import SLOW
from bot.core.asides import INTRODUCTION, PAUSED_LINE, off_record, without
from bot.core.learning import Learner
from bot.events import MessageEvent
from bot.model import Account, Place
from bot.ports import ChatMisconfigured, JournalUnavailable
from tests.makers import ANN, BOB, DM, GENERAL, message
from tests.parts import make_bot, make_privacy
from tests.stub_journal import StubAccounts, StubJournal
from tests.stubs import StubChat, StubMemory, StubReplyHandle

TOLD = f"ok\n\n{INTRODUCTION}"


class Introductions(StubAccounts):
    """Who was told, by person and workspace, with the event that told them."""

    def __init__(self, journal: StubJournal) -> None:
        super().__init__(journal.pauses, journal.erasures)
        self.by: dict[tuple[str, str], str] = {}
        self.fails = False
        self._journal = journal

    async def account(self, person_key: str, place: Place | None = None) -> Account:
        account = await super().account(person_key)
        told = self._journal.inbox.introduced
        known = place is None or self.by.get((person_key, place.workspace_key)) in told
        kept = place is not None and (person_key, place.channel_key) in self._journal.off_record.kept
        return replace(account, introduced=known, off_record=kept)

    async def due(self, person_key: str, workspace: str, event_id: str) -> bool:
        if self.fails:
            raise JournalUnavailable("full")
        return self.by.setdefault((person_key, workspace), event_id) == event_id


class World:
    """A bot on stubs whose people are strangers."""

    def __init__(self, chat: StubChat | None = None, *, remember: bool = True) -> None:
        self.journal = StubJournal()
        self.told = self.journal.accounts = Introductions(self.journal)
        self.chat, memory = chat or StubChat(), StubMemory()
        learner = Learner(self.journal.outbox, memory)
        privacy = make_privacy(self.journal, memory, None, learner)
        introductions = self.told if remember else None
        parts = self.journal, memory, self.chat, learner, privacy.identities
        self.bot = make_bot(*parts, introductions=introductions, later=False, remember=remember)

    async def say(self, event: MessageEvent, reply: StubReplyHandle | None = None) -> StubReplyHandle:
        """Send it, and return what is shown."""
        reply = reply or StubReplyHandle()
        await self.bot.on_message(event, reply)
        return reply


async def test_the_first_answer_tells_that_people_are_remembered() -> None:
    """It ends with that line, whoever asks and once in each workspace; the line is neither kept nor learned."""
    world = World()
    for event, shown in (
        (message("hi", number=1), ["ok", TOLD]),
        (message("hi", number=2), ["ok"]),
        (message("hi", number=3, place=GENERAL), ["ok"]),
        (message("hi", number=4, person=BOB), ["ok", TOLD]),
        (message("hi", number=5, place=Place("slack", "T2", "C1", "1.1", GENERAL.audience)), ["ok", TOLD]),
    ):
        assert (await world.say(event)).shown == shown
    assert {turn.text for turns in world.journal.turns.of.values() for turn in turns} == {"hi", "ok"}
    assert {exchange.answer for exchange in world.journal.outbox.kept} == {"ok"}


async def test_of_answers_at_once_one_tells_it() -> None:
    """Whichever is whole first."""
    world = World()
    replies = await asyncio.gather(*(world.say(message("hi", number=number)) for number in range(1, 5)))
    assert sorted(len(reply.shown) for reply in replies) == [1, 1, 1, 2]


async def test_a_pause_is_said_instead() -> None:
    """Who has paused memory knows of it; once it is on again, the next answer tells the rest."""
    world = World()
    await world.journal.pauses.set(ANN.key, True)
    assert (await world.say(message("hi", number=1))).shown == [f"{PAUSED_LINE}\n\nok"]
    assert (await world.say(message("hi", number=2))).shown == ["ok"]
    await world.journal.pauses.set(ANN.key, False)
    assert (await world.say(message("hi", number=3))).shown == ["ok", TOLD]


async def test_without_memory_nothing_is_said_of_it() -> None:
    """Where it is off there is nothing to tell."""
    world = World(remember=False)
    assert (await world.say(message("hi"))).shown == ["ok"]


async def test_an_apology_tells_nothing() -> None:
    """What isn't an answer leaves it to the next one."""
    world = World(StubChat([ChatMisconfigured("no key")]))
    assert INTRODUCTION not in (await world.say(message("hi", number=1))).shown[-1]
    assert (await world.say(message("hi", number=2))).shown == ["ok", TOLD]


async def test_who_was_told_may_be_unknown() -> None:
    """Then they are told: twice does less harm than never."""
    world = World()
    world.told.fails = True
    assert (await world.say(message("hi"))).shown == ["ok", TOLD]


async def test_what_was_shown_before_a_crash_is_told_once() -> None:
    """An answer that is found on its platform is written down without the lines around it, and counts as told."""
    world = World()
    event, reply = message("hi", number=1), StubReplyHandle()
    reply.there = f"{PAUSED_LINE}\nok\n({INTRODUCTION[1:-1].replace('`', '')})", ("m:1",)
    await world.told.due(ANN.key, DM.workspace_key, event.id)
    await world.bot.resume(event, DM.key, 1, lambda _: reply)
    assert reply.shown == []
    assert [exchange.answer for exchange in world.journal.outbox.kept] == ["ok"]
    assert (await world.say(message("hi", number=2))).shown == ["ok"]


async def test_a_message_off_the_record_is_said_to_be() -> None:
    """Before what else is said; nothing of it is learned, whatever the model does."""
    world = World()
    shown = (await world.say(message("Off the record: I quit", number=1))).shown
    assert shown == ["ok", f"ok\n\n{off_record(24)}\n\n{INTRODUCTION}"]
    await world.say(message("I like tea", number=2))
    assert [exchange.text for exchange in world.journal.outbox.kept] == ["I like tea"]
    assert world.journal.inbox.off_record == [message("", number=1).id]


async def test_a_crash_keeps_it_off_the_record() -> None:
    """What was shown and not written down is read with the line that says so."""
    world = World()
    event, reply = message("je démissionne", number=1), StubReplyHandle()
    reply.there = f"D'accord.\n{off_record(12)}", ("m:1",)
    await world.bot.resume(event, DM.key, 1, lambda _: reply)
    assert world.journal.outbox.kept == []
    assert [turn.text for turn in world.journal.turns.of[DM.key]] == ["je démissionne", "D'accord."]


async def test_a_conversation_off_the_record_is_the_models_to_know() -> None:
    """It is told in the briefing, and so is a message; no line is said each time."""
    world = World()
    await world.journal.off_record.begin(ANN.key, DM)
    world.journal.inbox.introduced.append(message("", number=1).id)
    await world.told.due(ANN.key, DM.workspace_key, message("", number=1).id)
    assert (await world.say(message("I quit", number=1))).shown == ["ok"]
    assert briefing.OFF_RECORD in world.chat.prompts[0].briefing
    assert world.chat.prompts[0].off_record
    await world.say(message("Off the record: I quit", number=2, place=GENERAL))
    assert briefing.UNLEARNED in world.chat.prompts[1].briefing
    await world.say(message("I like tea", number=3, place=GENERAL))
    assert briefing.UNLEARNED not in world.chat.prompts[2].briefing


async def test_an_open_code_block_is_closed_first() -> None:
    """Else it would hold the line as well."""
    world = World(StubChat(["```\nprint()"]))
    assert (await world.say(message("hi"))).shown[-1] == f"```\nprint()\n```\n\n{INTRODUCTION}"


@pytest.mark.parametrize(
    ("shown", "made", "said"),
    [
        (f"ok\n\n{INTRODUCTION}", "ok", (True, False)),
        (f"ok\n{INTRODUCTION}", "ok", (True, False)),
        ("ok\n" + INTRODUCTION.replace("`", "").replace("(", "\\(").replace(". ", ".\n"), "ok", (True, False)),
        (f"```\nok\n```\n\n{INTRODUCTION}", "```\nok\n```", (True, False)),
        (INTRODUCTION, "", (True, False)),
        (f"{INTRODUCTION}\n\nok", f"{INTRODUCTION}\n\nok", (False, False)),
        (f"I say: {INTRODUCTION[1:-1]}", "I say:", (True, False)),
        (f"It is 4711.\n\n{off_record(24)}\n\n{INTRODUCTION}", "It is 4711.", (True, True)),
        (f"ok\n\n{off_record(1.5)}", "ok", (False, True)),
        (f"ok\n\n{off_record(0)}", "ok", (False, True)),
        (SLOW, SLOW, (False, False)),
        ("", "", (False, False)),
        ("!" * 100, "!" * 100, (False, False)),
    ],
)
def test_lines_around_an_answer_are_known_whatever_their_markup(shown: str, made: str, said: tuple[bool, bool]) -> None:
    """By their letters alone, at its end; elsewhere they are the answer's own words."""
    assert without(shown) == (made, *said)
