"""Messages that wait for their turn, over a real journal: what becomes of them meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from bot.core.answer import FOLLOWS
from bot.core.identity import Identities
from bot.core.learning import Learner
from bot.events import Edited
from bot.journal.journal import SqlJournal
from bot.loop import STALE, MemoryBot
from bot.model import Asked, Place, Prompt
from bot.ports import LimitReached
from bot.usage import Usage
from tests.makers import ANN, BOB, DM, message, until
from tests.stubs import StubChat, StubMemory, StubReplyHandle, StubSpending


def make_bot(journal: SqlJournal, chat: StubChat, spending: StubSpending | None = None) -> MemoryBot:
    """The loop, which answers one message at a time."""
    memory = StubMemory()
    return MemoryBot(
        *(journal.inbox, journal.turns, journal.pauses, Identities(journal.accounts), memory, chat),
        *(Learner(journal.outbox, memory), spending or StubSpending(), journal.notices),
        concurrent=1,
    )


class Gated(StubChat):
    """Answers once it is let go."""

    def __init__(self) -> None:
        super().__init__(reply=lambda prompt: prompt.messages[-1][1])
        self.open = asyncio.Event()

    async def answer(self, prompt: Prompt) -> AsyncGenerator[str | Usage | Asked, None]:
        async for piece in super().answer(prompt):
            await self.open.wait()
            yield piece

    @property
    def asked(self) -> str:
        """All that the model was asked, in one text."""
        return "\n".join(prompt.messages[-1][1] for prompt in self.prompts)


def apart(number: int) -> Place:
    """A thread of its own in a DM: what is said there joins nothing."""
    return replace(DM, thread=str(number))


async def test_what_is_forgotten_while_it_waits_is_never_asked(journal: SqlJournal) -> None:
    """Claude is not shown what its author has had forgotten, or has deleted, before its turn came."""
    chat = Gated()
    bot = make_bot(journal, chat)
    replies = [StubReplyHandle() for _ in range(5)]
    said = [
        message("What is first?", number=1, person=BOB, place=apart(1)),
        message("I hid the gooseberries.", number=2),
        message("Quinces are delicious.", number=3, person=BOB, place=apart(3)),
        message("Tell me about plums.", number=4, person=BOB, place=apart(4)),
        message("What is last?", number=5, person=BOB, place=apart(5)),
    ]
    asking = [asyncio.create_task(bot.on_message(said[0], replies[0]))]
    await until(lambda: len(chat.prompts) == 1)  # who is first is not left to the database
    behind = zip(said[1:], replies[1:], strict=True)
    asking += [asyncio.create_task(bot.on_message(event, reply)) for event, reply in behind]
    await asyncio.sleep(STALE + 0.1)
    await journal.texts.forget_person(ANN.key, [ANN.key])
    await journal.texts.forget_events(BOB.key, [said[2].id])
    edited = replace(said[3], text="Tell me about pears.")
    await journal.changes.edit([Edited(edited, BOB.key, learn=True)])
    chat.open.set()
    await asyncio.gather(*asking)
    assert [bool(reply.shown) for reply in replies] == [True, False, False, True, True]
    assert not any(word in chat.asked for word in ("gooseberries", "Quinces", "plums"))
    assert "pears" in replies[3].shown[-1]
    assert (await journal.backlog())[:2] == (0, 3)
    turns = await journal.turns.recent("slack:T1:D1:4#private")
    assert [turn.author for turn in turns if turn.text == replies[3].shown[-1]] == ["user", "assistant"]


async def test_who_was_promised_no_answer_is_told_of_the_limit_once(journal: SqlJournal) -> None:
    """Messages that waited for their turn when the bot was stopped, and find the limit reached after its restart.

    Nothing was shown of their answers: one sentence an hour is enough. Where an answer was promised, it is said there.
    """
    bot = make_bot(journal, StubChat(), StubSpending(LimitReached(person=False, seconds=60)))
    replies = [StubReplyHandle() for _ in range(4)]
    replies[3].there = (f"This is taking longer than usual. {FOLLOWS}", ("m",))
    for number, reply in enumerate(replies, 1):
        event = message("Hello?", number=number)
        conversation = await journal.inbox.admit(event)
        assert conversation is not None
        await bot.resume(event, conversation, 1, lambda _, reply=reply: reply)  # type: ignore[misc]
    assert [reply.whispers for reply in replies] == [[LimitReached.sentence], [], [], []]
    assert [reply.shown for reply in replies] == [[], [], [], [LimitReached.sentence]]
    assert (await journal.backlog()).unanswered == 0
