"""Answers in progress: edited, deleted and stopped questions, on stubs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.commands.interactions import TOO_MUCH
from bot.core.answer import FOLLOWS
from bot.core.elsewhere import Elsewhere
from bot.core.in_progress import STOPPED, InProgress
from bot.core.learning import Learner
from bot.events import Signal
from bot.loop import MemoryBot
from bot.model import Prompt
from bot.ports import ChatOverloaded, LimitReached
from bot.usage import Usage
from tests.makers import ANN, BOB, DM, GENERAL, MONDAY, message, until
from tests.parts import make_bot, make_privacy
from tests.stub_journal import StubJournal
from tests.stubs import StubChat, StubMemory, StubReplyHandle, StubSpending


class SlowChat(StubChat):
    """Says the first word of a question at once, and the rest when it is let go; counts what was broken off."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.broken_off = 0

    async def answer(self, prompt: Prompt) -> AsyncGenerator[str | Usage, None]:
        self.prompts.append(prompt)
        first, _, rest = prompt.messages[-1][1].partition(" ")
        try:
            yield Usage(written=10, output=1)
            yield first
            await self.open.wait()
            yield f" {rest}"
        except (asyncio.CancelledError, GeneratorExit):
            self.broken_off += 1
            raise


class StubSignals:
    """What other processes tell, and are told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Signal, str]] = []
        self.stops: list[tuple[str, str]] = []
        self.answers = False

    async def take(self) -> list[tuple[str, Signal, str]]:
        told, self.told = self.told, []
        return told

    async def stop(self, person_key: str, conversation: str) -> bool:
        self.stops.append((person_key, conversation))
        return self.answers

    async def stop_one(self, event_id: str, person_key: str) -> bool:
        self.stops.append((event_id, person_key))
        return self.answers


class World:
    """A bot on stubs, whose model is slow."""

    def __init__(self, chat: StubChat | None = None, *, allowance: int = 0) -> None:
        self.journal = StubJournal()
        self.chat = chat or SlowChat()
        self.spending = StubSpending()
        self.in_progress = InProgress()
        self.signals = StubSignals()
        self.elsewhere = Elsewhere(self.in_progress, self.signals, every=0.01)
        memory = StubMemory()
        learner = Learner(self.journal.outbox, memory)
        privacy = make_privacy(self.journal, memory, None, learner, in_progress=self.in_progress)
        self.changes = privacy.changes
        self.reply = StubReplyHandle()
        self.bot: MemoryBot = make_bot(
            self.journal,
            memory,
            self.chat,
            learner,
            privacy.identities,
            allowance=allowance,
            in_progress=self.in_progress,
            elsewhere=self.elsewhere,
            spending=self.spending,
            clock=lambda: MONDAY + timedelta(minutes=1),
        )
        self.asking: asyncio.Task[None] | None = None

    async def ask(self, text: str = "badgers are slow", shown: str = "badgers") -> None:
        """Ask, and wait for the first word."""
        self.asking = asyncio.create_task(self.bot.on_message(message(text), self.reply))
        await until(lambda: self.reply.shown[-1:] == [shown])

    def edit(self, text: str) -> None:
        """What the journal and the loop are told when the question is edited."""
        self.journal.inbox.changed[message("").id] = replace(message(text))
        self.in_progress.edited([message("").id])

    async def done(self) -> None:
        """Let the model finish, and wait for the answer's end."""
        assert isinstance(self.chat, SlowChat)
        assert self.asking is not None
        self.chat.open.set()
        await self.asking


async def test_an_edit_restarts_the_answer() -> None:
    """To the new text, through the same handle; the former request is broken off and settled at what is known."""
    world = World()
    await world.ask()
    world.edit("otters are quick")
    await until(lambda: world.reply.shown[-1] == "otters")
    assert [charge.usage for charge in world.spending.ended] == [Usage(written=10, output=1)]
    await world.done()
    assert world.reply.shown == ["badgers", "otters", "otters are quick"]
    assert world.chat.broken_off == 1  # type: ignore[attr-defined]
    assert [(exchange.text, exchange.answer) for exchange in world.journal.outbox.kept] == [
        ("otters are quick", "otters are quick")
    ]
    assert world.reply.busy == [True, False, True, False]


async def test_an_edit_restarts_an_answer_that_is_whole_but_not_written_down() -> None:
    """Until the commit the question is open."""
    world = World(StubChat(["badgers"], ["otters"]))

    class Late(StubReplyHandle):
        async def stream(self, snapshots: object) -> tuple[str, ...]:
            ids = await super().stream(snapshots)  # type: ignore[arg-type]
            if len(world.chat.prompts) == 1:
                world.edit("otters?")
            return ids

    world.reply = Late()
    await world.bot.on_message(message("badgers?"), world.reply)
    assert [(exchange.text, exchange.answer) for exchange in world.journal.outbox.kept] == [("otters?", "otters")]


async def test_edits_count_as_messages() -> None:
    """Past the allowance the answer is withdrawn, and the person is told."""
    world = World(allowance=2)
    await world.ask()
    world.edit("otters are quick")
    await until(lambda: world.reply.shown[-1] == "otters")
    world.edit("voles are small")
    assert world.asking is not None
    await world.asking
    assert world.reply.whispers == [TOO_MUCH]
    assert world.reply.withdrawn
    assert world.journal.outbox.kept == []


async def test_an_edit_past_the_limit_says_so_in_place() -> None:
    """What is shown of the former answer doesn't stay unfinished."""
    world = World()
    await world.ask()
    world.spending.limit = LimitReached(person=True, seconds=60)
    world.edit("otters are quick")
    assert world.asking is not None
    await world.asking
    assert world.reply.shown == ["badgers", world.spending.limit.sentence]


async def test_a_deletion_withdraws_the_answer() -> None:
    """What is shown is removed, nothing is kept, and the model is broken off."""
    world = World()
    await world.ask()
    await world.changes.on_deleted([message("").id])
    assert world.asking is not None
    await world.asking
    assert world.reply.withdrawn
    assert world.journal.inbox.log == [f"dismissed {message('').id}"]
    assert world.journal.outbox.kept == []
    assert world.chat.broken_off == 1  # type: ignore[attr-defined]


async def test_a_deletion_withdraws_a_promise() -> None:
    """Of an answer that would have followed after an outage."""
    world = World(StubChat([ChatOverloaded()]))
    await world.bot.on_message(message("badgers?"), world.reply)
    assert world.reply.shown[-1].endswith(FOLLOWS)
    await world.changes.on_deleted([message("").id])
    assert world.reply.withdrawn


async def test_a_deletion_of_something_else_changes_nothing() -> None:
    """The answer goes on."""
    world = World()
    await world.ask()
    await world.changes.on_deleted([message("", number=2).id])
    await world.done()
    assert world.reply.shown[-1] == "badgers are slow"
    assert not world.reply.withdrawn


async def test_stop_ends_the_answer_where_it_is() -> None:
    """Marked; the question is kept, the answer isn't; "stop" itself is neither answered nor kept."""
    world = World()
    await world.ask()
    stop = StubReplyHandle()
    await world.bot.on_message(message("Stop!", number=2), stop)
    assert world.asking is not None
    await world.asking
    assert world.reply.shown == ["badgers", f"badgers {STOPPED}"]
    assert stop.shown == []
    assert world.journal.inbox.log == [f"dismissed {message('', number=2).id}", "answered"]
    assert [(exchange.text, exchange.answer) for exchange in world.journal.outbox.kept] == [("badgers are slow", "")]
    assert world.chat.broken_off == 1  # type: ignore[attr-defined]


async def test_stop_means_ones_own_answer_in_that_conversation() -> None:
    """Somebody else's "stop", one elsewhere, and one with nothing to stop are messages like any other."""
    world = World()
    await world.ask()
    others = [message("stop", number=2, person=BOB), message("stop", number=3, place=GENERAL)]
    replies = [StubReplyHandle() for _ in others]
    asking = [
        asyncio.create_task(world.bot.on_message(event, reply)) for event, reply in zip(others, replies, strict=True)
    ]
    await until(lambda: all(reply.shown for reply in replies))
    await world.done()
    await asyncio.gather(*asking)
    assert world.reply.shown[-1] == "badgers are slow"
    assert not any(STOPPED in reply.shown[-1] for reply in replies)


async def test_a_button_stops_for_the_asker_alone() -> None:
    """Whoever else clicks it changes nothing."""
    world = World()
    await world.ask()
    assert not await world.bot.on_stop(message("").id, BOB)
    assert not await world.bot.on_stop("slack:T1:D1:404", ANN)
    assert await world.bot.on_stop(message("").id, ANN)
    assert world.asking is not None
    await world.asking
    assert world.reply.shown[-1] == f"badgers {STOPPED}"
    assert not await world.bot.on_stop(message("").id, ANN)


async def test_a_stop_in_a_code_block_is_seen() -> None:
    """The block is closed before the mark."""
    world = World()
    await world.ask("```python\nprint()", "```python\nprint()")
    await world.bot.on_stop(message("").id, ANN)
    assert world.asking is not None
    await world.asking
    assert world.reply.shown[-1] == f"```python\nprint()\n```\n\n{STOPPED}"


async def test_a_stopped_answer_found_after_a_crash_is_not_learned() -> None:
    """It is as it would have been written down."""
    world = World()
    world.reply.there = (f"badgers {STOPPED}", ("m1",))
    await world.bot.resume(message("badgers?"), DM.key, 1, lambda _: world.reply)
    assert [(exchange.text, exchange.answer) for exchange in world.journal.outbox.kept] == [("badgers?", "")]


@pytest.fixture
async def listening() -> AsyncIterator[World]:
    """A bot that asks every moment what other processes tell."""
    world = World()
    looking = asyncio.create_task(world.elsewhere.run())
    yield world
    looking.cancel()


async def test_an_edit_that_another_process_hears_of(listening: World) -> None:
    """Restarts the answer; told of again, it doesn't."""
    await listening.ask()
    event_id = message("").id
    listening.journal.inbox.changed[event_id] = message("otters are quick")
    listening.signals.told.append((event_id, Signal.EDITED, "otters are quick"))
    await until(lambda: listening.reply.shown[-1] == "otters")
    listening.signals.told.append((event_id, Signal.EDITED, "otters are quick"))
    await until(lambda: not listening.signals.told)
    await listening.done()
    assert listening.reply.shown == ["badgers", "otters", "otters are quick"]


@pytest.mark.parametrize("signal", [Signal.DELETED, Signal.STOP])
async def test_what_else_another_process_hears_of(listening: World, signal: Signal) -> None:
    """Ends the answer as if it had been heard of here."""
    await listening.ask()
    listening.signals.told.append((message("").id, signal, ""))
    assert listening.asking is not None
    await listening.asking
    assert listening.reply.withdrawn == (signal is Signal.DELETED)
    assert listening.reply.shown[-1] == (f"badgers {STOPPED}" if signal is Signal.STOP else "badgers")


async def test_a_deletion_heard_of_elsewhere_in_the_last_moment() -> None:
    """The commit finds the event gone: only then it is asked why, and what is shown goes."""
    world = World(StubChat(["badgers"]))
    world.journal.inbox.gone = True
    world.signals.told.append((message("").id, Signal.DELETED, ""))
    await world.bot.on_message(message("badgers?"), world.reply)
    assert world.reply.withdrawn


async def test_all_forgotten_in_the_last_moment() -> None:
    """The event is gone, but its message isn't: the answer stays."""
    world = World(StubChat(["badgers"]))
    world.journal.inbox.gone = True
    await world.bot.on_message(message("badgers?"), world.reply)
    assert world.reply.shown == ["badgers"]
    assert not world.reply.withdrawn


@pytest.mark.parametrize("answers", [True, False])
async def test_a_stop_that_another_process_is_told_of(answers: bool) -> None:
    """The word is no question where another process stops something for it; a button's press asks there, too."""
    world = World(StubChat(["What?"]))
    world.signals.answers = answers
    await world.bot.on_message(message("stop"), world.reply)
    assert world.reply.shown == ([] if answers else ["What?"])
    assert await world.bot.on_stop("slack:T1:D1:404", ANN) is answers
    assert world.signals.stops == [(ANN.key, DM.key), ("slack:T1:D1:404", ANN.key)]


async def test_a_shutdown_amid_an_answer_is_no_stop() -> None:
    """A cancelled task stays cancelled, even if a signal comes with it."""
    world = World()
    await world.ask()
    assert world.asking is not None
    await world.bot.on_stop(message("").id, ANN)
    world.asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await world.asking
    assert world.journal.outbox.kept == []


def test_what_asks_to_stop() -> None:
    """The word alone."""
    assert all(message(text).stops for text in ("stop", "Stop", "STOP!", " stop. "))
    assert not any(message(text).stops for text in ("stop it", "don't stop", "stopp", ""))
