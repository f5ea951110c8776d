"""Journal, embedded memory (notebook mode: what is said is kept as it is) and rights together, all of them real."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.config import Settings
from bot.core.learning import Learner
from bot.events import CommandEvent, MessageEvent, PressEvent
from bot.journal import mark_learned, require_open
from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from bot.memory.embedded.memory import EmbeddedMemory
from bot.memory.embedded.opening import open_embedded
from bot.model import Audience, Person, Place
from bot.views import View
from tests.makers import MONDAY
from tests.parts import Privacy, make_commands, make_privacy
from tests.stubs import StubSpending

ANN = Person("slack", "T1", "UANN")
ANN_ON_DISCORD = Person("discord", "", "7")
ANN_ELSEWHERE = Person("discord", "", "8")
DM = Place("slack", "T1", "D1", None, Audience.PRIVATE, "DM")
GENERAL = Place("slack", "T1", "C1", "100.1", Audience.PUBLIC, "#general")
SECRET = Place("slack", "T1", "C2", "200.1", Audience.MEMBERS, "#secret")
DISCORD_DM = Place("discord", "", "D7", None, Audience.PRIVATE, "DM")
GUILD = Place("discord", "G1", "C9", None, Audience.PUBLIC, "#guild")


@dataclass(slots=True)
class Clock:
    """Seconds since 1970, moved by hand."""

    now: float = field(default_factory=MONDAY.timestamp)

    def __call__(self) -> float:
        return self.now


class Between:
    """A part of a journal at a step of which something else happens: `then`, after it, or (with `before`) before it."""

    def __init__(self, part: Any, step: str, then: Callable[[], Awaitable[object]], *, before: bool = False) -> None:
        self._part = part
        self._step = step
        self._then = then
        self._before = before

    def __getattr__(self, name: str) -> Any:
        step = getattr(self._part, name)

        async def followed(*args: Any, **kwargs: Any) -> Any:
            if self._before:
                await self._then()
            result = await step(*args, **kwargs)
            if not self._before:
                await self._then()
            return result

        return followed if name == self._step else step


class BotHarness:
    """One process of the bot, without its platforms and without a model."""

    def __init__(self, settings: Settings, clock: Clock, journal: SqlJournal, memory: EmbeddedMemory) -> None:
        self.settings = settings
        self.clock = clock
        self.journal = journal
        self.memory = memory
        self.learner = Learner(journal.outbox, memory, quiet=0, latest=0)
        self.bind(make_privacy(journal, memory, None, self.learner, grace=3600))
        self._numbers = 0

    def bind(self, privacy: Privacy) -> None:
        """Have people's requests, commands and the platforms' changes go by way of these parts."""
        self.identities = privacy.identities
        self.eraser = privacy.eraser
        self.rights = privacy.rights
        self.changes = privacy.changes
        self.commands = make_commands(self.journal, self.memory, privacy)

    async def hear(
        self, text: str, person: Person = ANN, place: Place = DM, *, event_id: str = "", answer: str = "Noted."
    ) -> MessageEvent:
        """Take a message in and answer it; what it teaches waits. The answer's message is `<event>/answer`."""
        self._numbers += 1
        at = MONDAY + timedelta(minutes=self._numbers)
        prefix = f"slack:{place.workspace}:{place.channel}" if person.platform == "slack" else person.platform
        event = MessageEvent(event_id or f"{prefix}:{self._numbers}", person, place, text, "Ann", at)
        event = replace(event, link=f"https://example.org/{self._numbers}")
        conversation = await self.journal.inbox.admit(event)
        assert conversation is not None
        await self.answer(event, conversation, answer)
        return event

    async def answer(self, event: MessageEvent, conversation: str, answer: str = "Noted.") -> None:
        """Answer a message that was admitted, as the core does."""
        account = await self.identities.account(event.person)
        learn = not account.paused
        ids = [f"{event.id}/answer"]
        await self.journal.inbox.answered(event, account.user_id, conversation, answer, ids, learn=learn)

    async def learn(self) -> None:
        """Learn what waits."""
        await self.learner.resume()
        await self.learner.flush()

    async def tell(self, text: str, person: Person = ANN, place: Place = DM, *, event_id: str = "") -> MessageEvent:
        """Say something, and have it learned."""
        event = await self.hear(text, person, place, event_id=event_id)
        await self.learn()
        return event

    async def known(self, person: Person = ANN) -> list[str]:
        """What is remembered of a person that is still in force, in the order of the alphabet."""
        user_id = await self.identities.user_id(person)
        return sorted(memory.text for memory in await self.memory.list(user_id) if not memory.superseded_by)

    async def recalled(self, query: str, person: Person = ANN, place: Place = DM) -> list[str]:
        """What goes into the prompt of a message, in the order of the alphabet."""
        user_id = await self.identities.user_id(person)
        found = await self.memory.recall(user_id, place.recallable, query, [], MONDAY + timedelta(days=1))
        return sorted(memory.text for memory in found)

    async def turns(self, event: MessageEvent) -> list[str]:
        """The recent turns of a message's conversation, in a DM or a thread."""
        place = event.place
        return [turn.text for turn in await self.journal.turns.recent(f"{place.key}#{place.audience}")]

    async def run(self, name: str, argument: str = "", person: Person = ANN, place: Place = DM) -> View:
        """Run a command."""
        now = datetime.fromtimestamp(self.clock.now, UTC)
        return await self.commands.run(CommandEvent(person, place, name, argument, now))

    async def press(self, view: View, label: str, person: Person = ANN) -> View:
        """Press a button."""
        action = next(button.action for button in view.buttons if button.label == label)
        now = datetime.fromtimestamp(self.clock.now, UTC)
        return await self.commands.press(PressEvent(person, DM, action, now))

    def holding(self, words: str) -> list[str]:
        """The files of the data folder that hold these words."""
        folder = self.settings.bot_data_dir
        return [
            file.name for file in sorted(folder.iterdir()) if file.is_file() and words.encode() in file.read_bytes()
        ]


@asynccontextmanager
async def opened(folder: Path, clock: Clock | None = None, url: str | None = None) -> AsyncIterator[BotHarness]:
    """A harness on a folder, or on the PostgreSQL at `url`."""
    clock = clock or Clock()
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg] # pydantic-settings' own argument, unknown to its types
        bot_data_dir=folder,
        anthropic_api_key=None,
        database_url=SecretStr(url) if url else None,
    )
    journal = await open_journal(settings, clock)
    memory = await asyncio.to_thread(open_embedded, settings, mark_learned, StubSpending(), require_open)
    harness = BotHarness(settings, clock, journal, memory)
    try:
        yield harness
    finally:
        await harness.learner.stop(5)
        await memory.close()
        await journal.close()
