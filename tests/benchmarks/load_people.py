"""The people of the load benchmark: each writes to the bot, the next message once the answer is there.

They write directly, or mention it in a thread of their own in which others have written before.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from tests.benchmarks.load_claude import AROUND
from tests.fakes.discord import Channel, FakeDiscord
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


def around(person: int, number: int) -> str:
    """What somebody else has said in that person's thread."""
    return f"On {DAYS[number % 7]} we moved the {THINGS[(person + number) % len(THINGS)]}, and {AROUND}."


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

    def prepare(self, people: int, context: int) -> None:
        """Before a bot connects: with `context`, people will mention it in threads with so many messages of others."""
        ...

    def listening(self) -> bool:
        """Whether a bot gets events by now."""
        ...

    async def ask(self, person: int, message: int, within: float) -> float:
        """Write and wait for the whole answer; return the time at which the first of it was shown.

        Raises AssertionError or TimeoutError where there is no answer in time.
        """
        ...


class Discord(FakeDiscord):
    """Discord, by direct messages or in threads."""

    def __init__(self) -> None:
        super().__init__()
        self._threads: dict[int, Channel] = {}

    def environment(self) -> dict[str, str]:
        """The settings by which a bot reaches it: this Discord keeps no limits."""
        settings = {"DISCORD_REQUESTS_PER_SECOND": "100000"}
        if self._threads:
            settings["DISCORD_MESSAGE_CONTENT"] = "true"
        return {"DISCORD_TOKEN": self.token, "DISCORD_API_BASE": self.url} | settings

    def prepare(self, people: int, context: int) -> None:
        """A thread for each person, in which others have written."""
        if not context:
            return
        self.gateway.content = True
        guild = self.add_guild()
        general = self.add_channel(guild, "general")
        for person in range(people + 1):
            thread = self._threads[person] = self.add_channel(guild, f"thread {person}", parent=general)
            for number in range(context):
                said = self.message(thread, self.user(f"o{number % 3}"), around(person, number))
                thread.messages[said["id"]] = said

    def listening(self) -> bool:
        """Whether a bot has identified itself."""
        return bool(self.gateway.live)

    async def ask(self, person: int, message: int, within: float) -> float:
        """Write and wait for the whole answer."""
        name, said = f"p{person}", text(person, message)
        thread = self._threads.get(person)
        sent = await (self.say(thread, name, said) if thread else self.dm(name, said))
        changed = self.change_of(sent)
        async with asyncio.timeout(within):
            while not self.answers(sent):
                changed.clear()
                await changed.wait()
        first = time.perf_counter()
        await self.answer_to(sent, contains=mark(person, message), settle=0, within=within)
        return first


@dataclass(slots=True)
class _Asked:
    """Who waits on Slack: for an answer that ends with `mark`, in messages after `since`."""

    mark: str
    since: str
    first: float = 0.0
    whole: asyncio.Event = field(default_factory=asyncio.Event)


class Slack(FakeSlack):
    """Slack over Socket Mode, by direct messages or in threads."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[tuple[str, str | None], _Asked] = {}
        self._threads: dict[int, tuple[str, str]] = {}

    def prepare(self, people: int, context: int) -> None:
        """A thread for each person, in which others have written."""
        for person in range(people + 1 if context else 0):
            # Slack takes one post a second in each channel.
            channel = self.add_channel(f"C{person:07d}", f"room-{person}")
            root = self.unheard(channel, "U00THER0", around(person, 0))
            for number in range(1, context):
                self.unheard(channel, f"U00THER{number % 3}", around(person, number), root)
            self._threads[person] = (channel, root)

    def listening(self) -> bool:
        """Whether a socket is open."""
        return self.opened > 0

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def posted(self, channel: str, event: Json) -> None:
        """Wake the one who waits for this answer: `answer` would wake everybody at every call."""
        message: Any = event.get("message", event)
        asked = self._asked.get((channel, message.get("thread_ts")))
        if asked is not None and str(message.get("ts")) > asked.since:
            asked.first = asked.first or time.perf_counter()
            if asked.mark in str(message.get("text")):
                asked.whole.set()
        await super().posted(channel, event)

    async def ask(self, person: int, message: int, within: float) -> float:
        """Write and wait for the whole answer."""
        user, said = f"U{person:07d}", text(person, message)
        channel, root = self._threads.get(person) or (self.dm_channel(user), None)
        asked = self._asked[channel, root] = _Asked(mark(person, message), self.next_ts())
        await (self.mention(channel, user, said, root) if root else self.dm(user, said))
        await asyncio.wait_for(asked.whole.wait(), within)
        return asked.first


@dataclass
class Talk:
    """What people saw: when the first message was sent and the last answer came; and for each, in seconds, the wait.

    `words` are the waits for the first of an answer, and `waits` those for the whole.
    """

    first: float = 0.0
    last: float = 0.0
    words: list[float] = field(default_factory=list)
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
                word = await platform.ask(person, message, within)
            except (AssertionError, TimeoutError):
                seen.unanswered += 1
                return
            seen.last = time.perf_counter()
            seen.words.append(word - begun)
            seen.waits.append(seen.last - begun)

    await asyncio.gather(*(one(person) for person in range(1, people + 1)))
    return seen
