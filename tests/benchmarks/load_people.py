"""The people of the load benchmark: each writes to the bot directly, the next message once the answer is there."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from tests.fakes.discord import FakeDiscord
from tests.fakes.slack import FakeSlack, Json

THINGS = ("bicycle", "violin", "passport", "tent", "camera", "kayak", "typewriter", "telescope", "sewing kit", "drone")
ROOMS = ("cellar", "attic", "garage", "hall", "kitchen", "shed", "office", "garden house", "guest room", "car")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def text(person: int, message: int) -> str:
    """A message that tells one fact; it ends with its mark (`load_claude.MARK`)."""
    thing = THINGS[(person + message) % len(THINGS)]
    room = ROOMS[(person * 3 + message) % len(ROOMS)]
    return f"Please note that since {DAYS[message % 7]} my {thing} is kept in the {room} {mark(person, message)}"


def mark(person: int, message: int) -> str:
    """What that message and the answer to it end with."""
    return f"({person}.{message})"


class Platform(Protocol):
    """A platform on loopback."""

    async def __aenter__(self) -> Self:
        """Listen."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        ...

    def environment(self) -> dict[str, str]:
        """The settings by which a bot reaches it."""
        ...

    def listening(self) -> bool:
        """Whether a bot gets events by now."""
        ...

    async def ask(self, person: int, message: int, within: float) -> None:
        """Write and wait for the whole answer; raises AssertionError or TimeoutError where there is none in time."""
        ...


class Discord(FakeDiscord):
    """Discord, by direct messages."""

    def environment(self) -> dict[str, str]:
        """The settings by which a bot reaches it: this Discord keeps no limits."""
        unlimited = {"DISCORD_REQUESTS_PER_SECOND": "100000"}
        return {"DISCORD_TOKEN": self.token, "DISCORD_API_BASE": self.url} | unlimited

    def listening(self) -> bool:
        """Whether a bot has identified itself."""
        return bool(self.gateway.live)

    async def ask(self, person: int, message: int, within: float) -> None:
        """Write and wait for the whole answer."""
        sent = await self.dm(f"p{person}", text(person, message))
        await self.answer_to(sent, contains=mark(person, message), settle=0, within=within)


class Slack(FakeSlack):
    """Slack, by direct messages over Socket Mode."""

    def __init__(self) -> None:
        super().__init__()
        self._marks: dict[str, tuple[str, asyncio.Event]] = {}

    def listening(self) -> bool:
        """Whether a socket is open."""
        return self.opened > 0

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def posted(self, channel: str, event: Json) -> None:
        """Wake the one who waits for this answer: `answer` would wake everybody at every call."""
        wanted, there = self._marks.get(channel, ("", None))
        message: Any = event.get("message", event)
        if there and wanted in str(message.get("text")):
            there.set()
        await super().posted(channel, event)

    async def ask(self, person: int, message: int, within: float) -> None:
        """Write and wait for the whole answer."""
        user = f"U{person:07d}"
        there = asyncio.Event()
        self._marks[self.dm_channel(user)] = (mark(person, message), there)
        await self.dm(user, text(person, message))
        await asyncio.wait_for(there.wait(), within)


@dataclass
class Talk:
    """What people saw: when the first message was sent and the last answer came, the wait for each, in seconds."""

    first: float = 0.0
    last: float = 0.0
    waits: list[float] = field(default_factory=list)
    unanswered: int = 0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.waits) / (self.last - self.first) if self.waits else 0.0


async def talk(platform: Platform, people: int, messages: int, within: float) -> Talk:
    """Let everybody talk at once. One whose message stays unanswered for `within` seconds gives up."""
    seen = Talk(first=time.perf_counter())

    async def one(person: int) -> None:
        for message in range(1, messages + 1):
            begun = time.perf_counter()
            try:
                await platform.ask(person, message, within)
            except (AssertionError, TimeoutError):
                seen.unanswered += 1
                return
            seen.last = time.perf_counter()
            seen.waits.append(seen.last - begun)

    await asyncio.gather(*(one(person) for person in range(1, people + 1)))
    return seen
