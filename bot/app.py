"""The composition root: builds the objects from the settings. The one module that knows every concrete class."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from adapters.discord import DISCORD
from adapters.slack import SLACK
from adapters.terminal import TERMINAL
from bot.commands import Commands, kept
from bot.commands.forgetting import Forgetting
from bot.commands.interactions import LimitedCommands
from bot.commands.learned_lines import LearnedLines
from bot.commands.linking import Linking
from bot.commands.offers import Offers
from bot.commands.private import Private
from bot.config import Settings, SettingsError
from bot.core import rules
from bot.core.elsewhere import Elsewhere
from bot.core.files import FileReader
from bot.core.identity import Identities
from bot.core.in_progress import InProgress
from bot.core.lazy import Later, LaterChat, LaterMemory
from bot.core.learning import Learner
from bot.core.served import Doorkeeper, Served
from bot.core.spending import LimitedSpending
from bot.journal import mark_learned, open_journal, require_open
from bot.loop import MemoryBot
from bot.memory.unused import warn_of_unused
from bot.ports import Adapter, Chat, Core, MemoryStore, Notify, Spending
from bot.privacy.changes import PlatformChanges
from bot.privacy.eraser import Eraser
from bot.privacy.rights import Rights
from bot.storage.sqlite import database_path

if TYPE_CHECKING:
    from bot.chat.claude import ClaudeChat
    from bot.journal.journal import SqlJournal  # SQLAlchemy is imported with the first journal that is opened

#: Every platform there is.
PLATFORMS = (DISCORD, SLACK, TERMINAL)
#: Seconds that recall may take before the answer goes out without memories.
RECALL_BUDGET = 2.0


@asynccontextmanager
async def open_app(settings: Settings, *, notify: Notify | None = None, later: bool = True) -> AsyncIterator["App"]:
    """Everything but the platforms, on an open journal; closed at the end."""
    persona = settings.persona() or rules.PERSONA
    served = Served.of(settings, PLATFORMS)
    if settings.database_url is not None or settings.mem0_api_key is not None:
        await asyncio.to_thread(warn_of_unused, settings, database_path(settings))
    journal = await open_journal(settings)
    app = App(settings, journal, persona, served, notify, later=later)
    try:
        yield app
    finally:
        await app.close()
        await journal.close()


def build_adapters(settings: Settings, core: Core) -> list[Adapter]:
    """An adapter for each platform that is configured."""
    return [platform.build(settings, core) for platform in PLATFORMS if platform.build and platform.is_on(settings)]


class App:
    """The wired objects, and what adapters hand their events to (`bot.ports.Core`).

    The chat model and the memory are slow to import, so they are built in threads.
    """

    def __init__(
        self,
        settings: Settings,
        journal: "SqlJournal",
        persona: str,
        served: Served,
        notify: Notify | None,
        *,
        later: bool,
    ) -> None:
        self._chat: Later[Chat] = Later(lambda: _build_chat(settings))
        self._memory: Later[MemoryStore] = Later(lambda: _build_memory(settings, journal, self.spending))
        self.chat = LaterChat(self._chat)
        self.memory = LaterMemory(self._memory, RECALL_BUDGET)
        self.journal = journal
        self.identities = Identities(journal.accounts, self.memory)
        self.spending = LimitedSpending(journal.ledger, settings.prices, settings.limits)
        self.learned_lines = LearnedLines(journal.answers, journal.preferences)
        notice = settings.bot_memory_notice == "line"
        taught = self.learned_lines.taught if notice else None
        self.learner = Learner(journal.outbox, self.memory, notify, taught=taught)
        self.eraser = Eraser(
            journal.erasures,
            journal.texts,
            journal.taught,
            journal.accounts,
            self.memory,
            self.learner if settings.bot_memory else None,
        )
        self.identities.follow(self.eraser.joined)
        self.rights = Rights(journal.texts, journal.erasures, self.memory, self.identities, self.eraser)
        in_progress = InProgress()
        self.elsewhere = Elsewhere(in_progress, journal.signals)
        self.changes = PlatformChanges(
            journal.changes,
            journal.taught,
            journal.accounts,
            journal.erasures,
            self.memory,
            self.identities,
            self.eraser,
            remember=settings.bot_memory,
            grace=settings.bot_erase_grace_hours * 3600,
            edits_per_minute=settings.bot_messages_per_minute,
            served=served,
            in_progress=in_progress,
        )
        # Whoever talks in the terminal spends their own money, and a script may be piped in.
        allowance = settings.bot_messages_per_minute if later else 0
        turns_hours = settings.bot_turns_ttl_hours if settings.bot_turns else 0
        forgetting = Forgetting(journal.intents, self.memory, self.identities, self.rights)
        self.messages = MemoryBot(
            journal.inbox,
            journal.turns,
            journal.pauses,
            self.identities,
            self.memory,
            self.chat,
            self.learner,
            self.spending,
            journal.notices,
            persona=persona,
            allowance=allowance,
            context=settings.bot_context_messages,
            concurrent=settings.bot_concurrent_answers,
            notify=notify,
            remember=settings.bot_memory,
            later=later,
            operator=not later,
            files=FileReader(enabled=settings.anthropic_api_key is not None),
            door=Doorkeeper(served, journal.notices),
            offers=Offers(forgetting),
            in_progress=in_progress,
            elsewhere=self.elsewhere,
            turns_hours=turns_hours,
            off_record=journal.off_record,
            introductions=journal.introductions if settings.bot_memory else None,
        )
        self.interactions = LimitedCommands(
            Commands(
                journal.pauses,
                self.memory,
                self.identities,
                self.rights,
                forgetting,
                Linking(journal.codes, journal.intents, journal.accounts, self.identities, self.eraser, PLATFORMS),
                Private(journal.off_record, self.identities, hours=turns_hours, remember=settings.bot_memory),
                kept=kept(turns_hours, hosted=settings.mem0_api_key is not None),
                remember=settings.bot_memory,
                # The terminal says it as it happens.
                preferences=journal.preferences if notice and later else None,
            ),
            allowance,
        )
        self.history = journal.history

    async def build(self) -> None:
        """Wait for the slow parts; raise SettingsError if a setting is wrong."""
        self._chat.start()
        self._memory.start()
        await self._chat.get()
        await self._memory.get()

    async def close(self) -> None:
        """Release what was built."""
        await self.chat.close()
        await self.memory.close()
        await self.spending.close()


async def _build_chat(settings: Settings) -> Chat:
    """The chat model, its key and model checked; raises SettingsError if either is plainly wrong."""
    if settings.anthropic_api_key is None:
        from bot.chat.notebook import Notebook

        return Notebook()
    claude = await asyncio.to_thread(_open_claude, settings)
    try:
        await claude.check()
    except SettingsError:
        await claude.close()
        raise
    return claude


def _open_claude(settings: Settings) -> "ClaudeChat":
    """Blocks for seconds while its SDK is imported."""
    from bot.chat.claude import ClaudeChat

    return ClaudeChat(settings)


async def _build_memory(settings: Settings, journal: "SqlJournal", spending: Spending) -> MemoryStore:
    if not settings.bot_memory:
        from bot.memory.off import NoMemory

        return NoMemory()
    if settings.mem0_api_key is not None:
        from bot.memory.hosted.memory import HostedMemory

        key = settings.mem0_api_key.get_secret_value()
        return await HostedMemory.open(key, settings.mem0_host, journal.adds, tokens=settings.bot_memory_tokens)
    return await asyncio.to_thread(_open_embedded, settings, spending)


def _open_embedded(settings: Settings, spending: Spending) -> MemoryStore:
    from bot.memory.embedded.opening import open_embedded

    return open_embedded(settings, mark_learned, spending, require_open)
