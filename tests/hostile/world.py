"""A whole bot without its platforms: the core on the real journal, the real memory and the real chat model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from bot.chat.claude import ClaudeChat
from bot.config import Settings
from bot.core.learning import Learner
from bot.core.spending import LimitedSpending
from bot.events import CommandEvent, MessageEvent
from bot.journal import mark_learned
from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from bot.memory.embedded.opening import open_embedded
from bot.model import Attachment, Memory, Person, Place
from bot.ports import Chat, MemoryStore
from bot.prices import Prices
from bot.storage.sqlite import connect
from bot.usage import Limits
from bot.views import View
from tests.fakes.claude import FakeClaude
from tests.harness import Clock
from tests.makers import ANN, DM, MONDAY, message
from tests.parts import make_bot, make_commands, make_privacy
from tests.stubs import StubReplyHandle


class World:
    """One process of the bot; its messages are numbered from `first`."""

    def __init__(
        self,
        journal: SqlJournal,
        memory: MemoryStore,
        chat: Chat,
        folder: Path,
        first: int = 1,
        spending: LimitedSpending | None = None,
    ) -> None:
        self.journal = journal
        self.memory = memory
        self.chat = chat
        self.folder = folder
        self.learner = Learner(journal.outbox, memory, quiet=3600, latest=3600)
        privacy = make_privacy(journal, memory, None, self.learner)
        self.identities = privacy.identities
        self.eraser = privacy.eraser
        self.rights = privacy.rights
        self.changes = privacy.changes
        self.commands = make_commands(journal, memory, privacy)
        now = MONDAY + timedelta(hours=1)
        self.spending = spending or spend(journal)
        options = {"spending": self.spending, "notices": journal.notices, "later": False, "clock": lambda: now}
        self.bot = make_bot(journal, memory, chat, self.learner, self.identities, **options)
        self._numbers = first - 1

    async def say(
        self, text: str, person: Person = ANN, place: Place = DM, *, name: str = "Ann", files: tuple[str, ...] = ()
    ) -> MessageEvent:
        """Say something and have it answered; what it teaches waits."""
        self._numbers += 1
        place = place if place.audience != DM.audience else replace(place, channel=f"D{person.user}")
        event = message(text, number=self._numbers, person=person, place=place, name=name)
        event = replace(
            event,
            link=f"https://example.org/{self._numbers}",
            attachments=tuple(Attachment("", file) for file in files),
        )
        reply = StubReplyHandle()
        await self.bot.on_message(event, reply)
        assert reply.shown, reply.whispers
        return event

    async def learn(self) -> None:
        """Learn what waits."""
        await self.learner.flush()

    async def memories(self, person: Person = ANN) -> list[Memory]:
        """What is remembered of a person."""
        return list(await self.memory.list(await self.identities.user_id(person)))

    async def run(self, name: str, argument: str = "", person: Person = ANN) -> View:
        """Run a command."""
        return await self.commands.run(CommandEvent(person, DM, name, argument, MONDAY + timedelta(hours=1)))

    def owners(self) -> int:
        """How many people have memories, as the database of embedded mem0 has it."""
        with closing(connect(self.folder / "bot.db")) as conn:
            (count,) = conn.execute("SELECT count(*) FROM memory_people WHERE count > 0").fetchone()
        return int(count)

    def holding(self, words: str) -> list[str]:
        """The files of the data folder that hold these words."""
        files = [file for file in sorted(self.folder.rglob("*")) if file.is_file()]
        return [file.name for file in files if words.encode() in file.read_bytes()]


def spend(journal: SqlJournal) -> LimitedSpending:
    """What counts a world's requests, with no limits."""
    return LimitedSpending(journal.ledger, Prices(), Limits())


@asynccontextmanager
async def embedded(folder: Path, claude: FakeClaude) -> AsyncIterator[World]:
    """A world on a folder, with embedded mem0."""
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg] # pydantic-settings' own argument, unknown to its types
        bot_data_dir=folder,
        anthropic_api_key=SecretStr("key"),
        anthropic_base_url=claude.url,
    )
    journal = await open_journal(settings, Clock())
    spending = spend(journal)
    memory = await asyncio.to_thread(open_embedded, settings, mark_learned, spending)
    chat = ClaudeChat(settings)
    world = World(journal, memory, chat, folder, spending=spending)
    try:
        yield world
    finally:
        await world.learner.stop(5)
        await memory.close()
        await spending.close()
        await chat.close()
        await journal.close()
