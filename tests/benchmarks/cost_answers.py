"""What answers cost, beside learning: the sample's messages through the real core, and through the naive loop.

The same person twice: new, and known for weeks, with as many recent turns and memories in the prompt as the defaults
allow. Learning is measured along with it, on prompts that others' learning has just put into the cache.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.events import MessageEvent
from bot.model import Audience, Person, Place
from tests.benchmarks.cost_sample import BURSTS, EARLIER, MESSAGES, NEIGHBOUR, Bill, StoredMessage, respond
from tests.benchmarks.load_naive import Naive
from tests.fakes.claude import FakeClaude, Request, briefing, system_text, turns_of
from tests.stubs import StubReplyHandle

if TYPE_CHECKING:
    from bot.app import App

NORA = Person("discord", "", "1")
OLAF = Person("discord", "", "2")


@dataclass(frozen=True)
class Costs:
    """What the sample's answers and learning from them took, and the characters of the answers' prompts by part."""

    answers: Bill
    learning: Bill
    turns: int = 0
    memories: int = 0
    fixed: int = 0


class Counter:
    """Adds up what the fake has billed, for answers and learning apart."""

    def __init__(self, claude: FakeClaude) -> None:
        self._claude = claude
        self.answers = Bill()
        self.learning = Bill()

    async def answering(self, step: Awaitable[Any]) -> None:
        """Take a step that is billed as answers."""
        self.answers += await self._taken(step)

    async def learn(self, step: Awaitable[Any]) -> None:
        """Take a step that is billed as learning."""
        self.learning += await self._taken(step)

    async def _taken(self, step: Awaitable[Any]) -> Bill:
        before = Bill(calls=self._claude.calls, **self._claude.tokens)
        await step
        return Bill(calls=self._claude.calls, **self._claude.tokens) - before


async def naive(folder: Path, *, known: bool) -> Costs:
    """The naive loop: what it finds and the message, then an `add` of mem0's own."""
    async with FakeClaude(respond, record=False) as claude:
        os.environ |= {"ANTHROPIC_BASE_URL": claude.url, "ANTHROPIC_API_KEY": "sk-test", "BOT_DATA_DIR": str(folder)}
        bot = Naive()

        async def answer(said: StoredMessage) -> None:
            async for text in bot.answer("nora", said.text):
                expect(text == said.answer)

        counter = Counter(claude)
        for said in (*(EARLIER if known else ()), *MESSAGES):
            if said is MESSAGES[0]:
                counter = Counter(claude)
            await counter.answering(answer(said))
            await counter.learn(bot.learn("nora", said.text, said.answer))
        return Costs(counter.answers, counter.learning)


async def ours(folder: Path, *, known: bool) -> Costs:
    """The whole bot but for its platforms, which learns after each burst."""
    async with FakeClaude(respond) as claude, Bot.open(folder, claude) as bot:
        await bot.talk(OLAF, [NEIGHBOUR], Counter(claude))
        for start in range(0, len(EARLIER) if known else 0, 4):
            await bot.talk(NORA, EARLIER[start : start + 4], Counter(claude))
        counter, before = Counter(claude), len(claude.chats)
        waiting = list(MESSAGES)
        for size in BURSTS:
            await bot.talk(NORA, waiting[:size], counter)
            del waiting[:size]
        return _parted(counter, claude.chats[before:])


def _parted(counter: Counter, requests: Sequence[Request]) -> Costs:
    from bot.core.briefing import KNOWN

    told = [system_text(request) + briefing(request) for request in requests]
    shown = [briefing(request).partition(KNOWN)[2] for request in requests]
    turns = [text for request in requests for _, text in turns_of(request)[:-1]]
    expect(len(requests) == len(MESSAGES), any(shown), any(turns))
    memories = sum(map(len, shown))
    fixed = sum(map(len, told)) - memories
    return Costs(counter.answers, counter.learning, sum(map(len, turns)), memories, fixed)


class Bot:
    """The whole bot but for its platforms."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._number = 0
        # Recent enough for the turns to be kept, and a minute between two.
        self._start = datetime.now(UTC) - timedelta(hours=6)

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, claude: FakeClaude, **options: Any) -> AsyncIterator["Bot"]:
        """Open it on a folder."""
        # These decide how mem0 is imported, without what its own store needs: not before `naive` has it.
        from bot.app import open_app
        from tests.memory.embedding import settings

        async with open_app(settings(folder, claude, bot_messages_per_minute=0, **options)) as app:
            await app.build()
            yield cls(app)

    async def say(self, person: Person, said: StoredMessage, counter: Counter, place: Place | None = None) -> None:
        """Say a message, in a direct message unless a place is given, and have it answered."""
        self._number += 1
        at = self._start + timedelta(minutes=self._number)
        place = place or Place("discord", "", f"D{person.user}", None, Audience.PRIVATE, "DM")
        event = MessageEvent(f"discord:{self._number}", person, place, said.text, f"Nora {person.user}", at)
        reply = StubReplyHandle()
        await counter.answering(self._app.messages.on_message(event, reply))
        expect(reply.shown[-1].startswith(said.answer))  # below the first, it introduces itself

    async def learn(self) -> None:
        """Learn what waits."""
        await self._app.learner.flush()

    async def talk(
        self, person: Person, burst: Sequence[StoredMessage], counter: Counter, place: Place | None = None
    ) -> None:
        """Say several, and learn from them."""
        for said in burst:
            await self.say(person, said, counter, place)
        await counter.learn(self.learn())


def expect(*holds: bool) -> None:
    """Raise where the bot did something else than what is to be measured."""
    if not all(holds):
        raise RuntimeError("the conversation went another way than the sample's")
