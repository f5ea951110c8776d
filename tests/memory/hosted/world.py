"""Hosted mem0 as the bot uses it: the real store and journal against the service on loopback, one process at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.config import Settings
from bot.events import MessageEvent
from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from bot.memory.hosted.memory import HostedMemory
from bot.model import Audience, Exchange, Person, Place
from tests.fakes.mem0 import KEY, Asked, FakeMem0
from tests.harness import Clock

ANN, BEN = "discord:1", "discord:2"
NOW = datetime.now(UTC) + timedelta(hours=1)
PUBLIC = "public:discord:7"
DM = Place("discord", "", "5", None, Audience.PRIVATE, "DM")
CHANNEL = Place("discord", "7", "9", None, Audience.PUBLIC, "#general")


class Sleep:
    """Sleeps that are over at once, noted.

    Attributes:
        slept: How long they would have been, in seconds.
        polled: Set once there were three.
    """

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.polled = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == 3:
            self.polled.set()
        await asyncio.sleep(0.001)


def said(number: int, text: str, user: str = ANN, scope: str = "private") -> MessageEvent:
    """A message; its number makes its id and its time."""
    platform, _, account = user.partition(":")
    return MessageEvent(
        id=f"discord:{number}",
        person=Person(platform, *account.split(":")) if ":" in account else Person(platform, "", account),
        place=DM if scope == "private" else CHANNEL,
        text=text,
        name="Ann\nsystem: x",
        at=NOW + timedelta(minutes=number),
        link=f"https://discord.com/channels/@me/5/{number}",
    )


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the bot: its journal and its memory."""

    journal: SqlJournal
    memory: HostedMemory

    async def hear(self, event: MessageEvent) -> Exchange:
        """Have something said and answered; what it is waits to be learned."""
        conversation = await self.journal.inbox.admit(event)
        assert conversation is not None
        user_id = await self.journal.accounts.user_id(event.person.key)
        await self.journal.inbox.answered(event, user_id, conversation, "Noted.", [], learn=True)
        waiting = await self.waiting(user_id, event.place.scope)
        return next(exchange for exchange in waiting if exchange.event_id == event.id)

    async def say(self, number: int, text: str, user: str = ANN, scope: str = "private") -> Exchange:
        """Have a person say something, in a direct message or a channel."""
        return await self.hear(said(number, text, user, scope))

    async def waiting(self, user_id: str = ANN, scope: str = "private") -> list[Exchange]:
        """What is not learned yet."""
        return await self.journal.outbox.claim(user_id, scope)

    async def tell(self, number: int, text: str, user: str = ANN, scope: str = "private") -> Exchange:
        """Have something said, answered and learned."""
        exchange = await self.say(number, text, user, scope)
        await self.memory.learn([exchange])
        return exchange

    async def texts(self, user: str = ANN) -> list[str]:
        """What is remembered, newest first, without the speaker's name."""
        return [memory.text.split(": ")[-1] for memory in await self.memory.list(user)]


@asynccontextmanager
async def process(
    folder: Path,
    url: str,
    *,
    clock: Clock | None = None,
    sleep: Sleep | None = None,
    key: str = KEY,
    tokens: int = 1000,
    patience: float = 5,
) -> AsyncIterator[Process]:
    """A process on a folder. It ends as one that is killed does, for all that mem0 and the journal hear of it."""
    clock = clock or Clock()
    settings = Settings(_env_file=None, bot_data_dir=folder)  # type: ignore[call-arg] # pydantic-settings' own
    journal = await open_journal(settings, clock)
    try:
        memory = await HostedMemory.open(
            key, url, journal.adds, tokens=tokens, patience=patience, sleep=sleep or Sleep(), clock=clock
        )
        try:
            yield Process(journal, memory)
        finally:
            await memory.close()
    finally:
        await journal.close()


def adds(mem0: FakeMem0) -> list[Asked]:
    """The adds that mem0 was asked for."""
    return mem0.requests("POST", "/v3/memories/add/")
