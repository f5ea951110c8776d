"""Facts kept word for word: embedded memory and the journal on one database, SQLite and PostgreSQL alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.events import MessageEvent
from bot.journal.journal import SqlJournal
from bot.journal.learned import mark_learned, require_open
from bot.journal.opening import open_journal
from bot.memory.embedded.memory import EmbeddedMemory
from bot.memory.embedded.opening import open_embedded
from bot.model import PRIVATE_SCOPE, Source, Told
from bot.ports import Superseded
from tests.fakes.claude import FakeClaude, facts
from tests.makers import ANN, MONDAY, message
from tests.memory.embedding import PUBLIC, settings
from tests.stubs import StubSpending

LOCKER = "My locker is 4711"


@dataclass
class Process:
    """One process of the bot: its journal and its memory."""

    journal: SqlJournal
    memory: EmbeddedMemory

    async def ask(self, event: MessageEvent) -> None:
        """Have a message admitted, which is answered from then on."""
        assert await self.journal.inbox.admit(event) is not None

    async def answer(self, event: MessageEvent) -> int:
        """End its answer and learn from it; return how many facts are new."""
        await self.journal.inbox.answered(event, ANN.key, f"{event.place.key}#x", "I see.", [], learn=True)
        return await self.memory.learn(await self.journal.outbox.claim(ANN.key, event.place.scope))

    async def texts(self) -> list[str]:
        return [memory.text for memory in await self.memory.list(ANN.key)]


@dataclass
class Database:
    """Where processes keep everything, and what extracts for them."""

    folder: Path
    url: str | None
    claude: FakeClaude

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Process]:
        configured = settings(self.folder, self.claude, database_url=self.url)
        journal = await open_journal(configured)
        memory = open_embedded(configured, mark_learned, StubSpending(), require_open)
        try:
            yield Process(journal, memory)
        finally:
            await memory.close()
            await journal.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    async with FakeClaude() as claude:
        yield Database(tmp_path, url, claude)


def told(event: MessageEvent, *texts: str) -> Told:
    """What a message asks to have kept."""
    source = Source(event.id, event.at, event.place.name, event.link, event.person.key)
    return Told(ANN.key, event.place.scope, texts, source, asked_by=event.id)


async def test_it_is_recalled_by_the_next_process_and_forgotten_with_its_message(database: Database) -> None:
    """Kept as it was said, at once, with its source; nothing of it is left once its message is deleted."""
    event = message("Remember that my locker is 4711.")
    async with database.process() as bot:
        await bot.ask(event)
        assert await bot.memory.remember(told(event, LOCKER)) == [True]
    async with database.process() as bot:
        (found,) = await bot.memory.recall(ANN.key, event.place.recallable, "Which locker is mine?", [], MONDAY)
        assert (found.text, found.scope, found.learned_at) == (LOCKER, PRIVATE_SCOPE, event.at)
        assert [source.event_id for source in found.sources] == [event.id]
        assert await bot.memory.forget_sources([event.id]) == 1
        assert await bot.texts() == []


async def test_an_answer_that_is_redone_keeps_nothing_twice(database: Database) -> None:
    """In the same words or in others; and it still counts as kept by that message, not as known before."""
    event = message("Remember that my locker is 4711.")
    async with database.process() as bot:
        await bot.ask(event)
        assert await bot.memory.remember(told(event, LOCKER)) == [True]
    async with database.process() as bot:
        assert await bot.memory.remember(told(event, LOCKER, "my locker number is 4711.")) == [True, True]
        assert await bot.texts() == [LOCKER]


async def test_what_was_known_before_is_said_to_be(database: Database) -> None:
    """It gains that source, so that deleting the first message leaves it."""
    first, second = message("Remember: locker 4711.", number=1), message("Remember my locker, 4711!", number=2)
    async with database.process() as bot:
        for event, kept in ((first, True), (second, False)):
            await bot.ask(event)
            assert await bot.memory.remember(told(event, LOCKER)) == [kept]
        await bot.memory.forget_sources([first.id])
        assert await bot.texts() == [LOCKER]


@pytest.mark.parametrize(
    "learned",
    [
        LOCKER,
        "User's locker is 4711",
        "The user's locker has the number 4711",
        "User's locker number is 4711.",
    ],
)
async def test_what_is_learned_from_the_same_message_is_not_kept_beside_it(database: Database, learned: str) -> None:
    """Whatever the extractor makes of the same words, and whether or not it is shown what was kept."""
    event = message("Remember that my locker is 4711. By the way, I have moved to Porto.")
    database.claude.handler = lambda request: facts(
        {"text": learned, "source": 1}, {"text": "User has moved to Porto", "source": 1}
    )
    async with database.process() as bot:
        await bot.ask(event)
        await bot.memory.remember(told(event, LOCKER))
        assert await bot.answer(event) == 1
        assert sorted(await bot.texts()) == [LOCKER, "User has moved to Porto"]
    assert LOCKER in str(database.claude.extractions[0])


@pytest.mark.parametrize("learned", ["User's locker is 4712", "User's gym is in Porto, and the locker there is red"])
async def test_what_says_something_else_is_learned(database: Database, learned: str) -> None:
    """Another number, or more than a word or two besides."""
    event = message("Remember that my locker is 4711. The old one was 4712.")
    database.claude.handler = lambda request: facts({"text": learned, "source": 1})
    async with database.process() as bot:
        await bot.ask(event)
        await bot.memory.remember(told(event, LOCKER))
        assert await bot.answer(event) == 1
        assert len(await bot.texts()) == 2


async def test_the_same_words_in_another_message_are_no_repetition_of_it(database: Database) -> None:
    """Only what the very message taught is held against what it was asked to keep."""
    first, second = message("Remember my locker, 4711.", number=1), message("Locker 4711 is broken.", number=2)
    database.claude.handler = lambda request: facts({"text": "Locker 4711 is broken", "source": 1})
    async with database.process() as bot:
        await bot.ask(first)
        await bot.memory.remember(told(first, LOCKER))
        await bot.ask(second)
        assert await bot.answer(second) == 1
        assert len(await bot.texts()) == 2


async def test_a_channel_keeps_its_own(database: Database) -> None:
    """The same fact told in a channel and in a DM is kept for each, and the channel recalls only its own."""
    private = message("Remember my locker, 4711.", number=1)
    async with database.process() as bot:
        await bot.ask(private)
        await bot.memory.remember(told(private, LOCKER))
        public = replace(told(private, LOCKER), scope=PUBLIC)
        assert await bot.memory.recall(ANN.key, frozenset({PUBLIC}), "locker", [], MONDAY) == []
        assert await bot.memory.remember(public) == [True]
        (found,) = await bot.memory.recall(ANN.key, frozenset({PUBLIC}), "locker", [], MONDAY)
        assert found.scope == PUBLIC


async def test_a_message_that_is_forgotten_meanwhile_keeps_nothing(database: Database) -> None:
    """What goes while its answer is in progress doesn't come back through a tool."""
    event = message("Remember that my locker is 4711.")
    async with database.process() as bot:
        await bot.ask(event)
        await bot.journal.texts.forget_person(ANN.key, [ANN.key])
        with pytest.raises(Superseded):
            await bot.memory.remember(told(event, LOCKER))
        assert await bot.texts() == []


async def test_facts_have_words(database: Database) -> None:
    """A blank one is the caller's mistake, and none of those told with it is kept."""
    event = message("Remember…")
    async with database.process() as bot:
        await bot.ask(event)
        with pytest.raises(ValueError, match="words"):
            await bot.memory.remember(told(event, LOCKER, " "))
        assert await bot.texts() == []
