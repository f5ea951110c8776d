"""Two platforms, the people on them, and what these see of the bot: one way to ask and to look for both."""

import itertools
import signal
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import unquote_plus

from adapters.discord.foot import without
from tests.fakes.claude import FakeClaude
from tests.fakes.discord import Channel, FakeDiscord
from tests.fakes.slack import BOT, TEAM, FakeSlack
from tests.faults.gate import Gate, Seen
from tests.faults.talk import Model, others, words
from tests.makers import alone, until
from tests.whole.process import BotProcess


class Side(Protocol):
    """A platform as a person sees it. `place` is a channel's name there; an empty one is the DM."""

    name: str
    gate: Gate

    async def open(self, stack: AsyncExitStack) -> object:
        """Start the server, and the gate before it, until the stack is closed."""
        ...

    @property
    def env(self) -> dict[str, str]:
        """The settings that turn it on."""
        ...

    async def ask(self, person: str, text: str, place: str = "") -> None:
        """Write to the bot."""
        ...

    def shown(self) -> list[str]:
        """The texts of all messages of the bot's that are there, place by place, oldest first."""
        ...

    def user_id(self, person: str) -> str:
        """The mem0 user id of that person."""
        ...

    def shows(self, seen: Seen, words: str) -> bool:
        """Whether a request sends or edits a message so that it holds these words."""
        ...


class DiscordSide:
    """Discord; its places are channels of one guild."""

    name = "discord"

    def __init__(self, *places: str) -> None:
        self.fake = FakeDiscord()
        guild = self.fake.add_guild()
        self._places: dict[str, Channel] = {name: self.fake.add_channel(guild, name) for name in places}

    async def open(self, stack: AsyncExitStack) -> Self:
        """Start the server and the gate before it."""
        await stack.enter_async_context(self.fake)
        self.gate = await stack.enter_async_context(Gate(self.fake.url.removesuffix("/api/v10")))
        return self

    @property
    def env(self) -> dict[str, str]:
        return {"DISCORD_TOKEN": self.fake.token, "DISCORD_API_BASE": f"{self.gate.url}/api/v10"}

    async def ask(self, person: str, text: str, place: str = "") -> None:
        if place:
            await self.fake.say(self._places[place], person, text)
        else:
            await self.fake.dm(person, text)

    def shown(self) -> list[str]:
        return [
            alone(without(str(message["content"])))
            for channel in self.fake.channels.values()
            for message in channel.messages.values()
            if message["author"]["id"] == self.fake.bot.id
        ]

    def user_id(self, person: str) -> str:
        return f"discord:{self.fake.user(person).id}"

    def shows(self, seen: Seen, words: str) -> bool:
        return seen.method in ("POST", "PATCH") and "/messages" in seen.path and words in seen.body


class SlackSide:
    """Slack over Socket Mode."""

    name = "slack"

    def __init__(self, *places: str) -> None:
        self.fake = FakeSlack(patience=60)
        self._places = {name: self.fake.add_channel(f"C{name.upper()}", name) for name in places}

    async def open(self, stack: AsyncExitStack) -> Self:
        """Start the server and the gate before it."""
        await stack.enter_async_context(self.fake)
        self.gate = await stack.enter_async_context(Gate(self.fake.url))
        return self

    @property
    def env(self) -> dict[str, str]:
        return self.fake.environment() | {"SLACK_API_BASE": f"{self.gate.url}/api"}

    async def ask(self, person: str, text: str, place: str = "") -> None:
        user = f"U{person.upper()}"
        if place:
            await self.fake.mention(self._places[place], user, text)
        else:
            await self.fake.dm(user, text)

    def shown(self) -> list[str]:
        return [
            alone(str(message["text"]))
            for messages in self.fake.messages.values()
            for message in messages
            if message.get("user") == BOT
        ]

    def user_id(self, person: str) -> str:
        return f"slack:{TEAM}:U{person.upper()}"

    def shows(self, seen: Seen, words: str) -> bool:
        return seen.path.startswith(("/api/chat.postMessage", "/api/chat.update")) and words in unquote_plus(seen.body)


class World:
    """Claude and the platforms. `async with World(DiscordSide(), SlackSide()) as world`."""

    def __init__(self, *sides: Side, model: Model | None = None, **claude: float) -> None:
        """`claude` goes to `FakeClaude`: delays and gaps, in seconds."""
        self.sides = sides
        self.model = model or Model()
        self.claude = FakeClaude(self.model, **claude)  # type: ignore[arg-type]  # all of these are floats
        self.asked: dict[str, str] = {}
        #: The tags of what was asked where others read along.
        self.shared: set[str] = set()
        self._bots: list[BotProcess] = []
        self._tags = itertools.count(1)

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(self.claude)
        for side in self.sides:
            await side.open(self._stack)
        return self

    async def __aexit__(self, *_: object) -> None:
        for bot in self._bots:
            if bot.process.returncode is None:  # the test failed
                await bot.end(signal.SIGKILL)
        self.claude.release()
        await self._stack.aclose()

    @property
    def env(self) -> dict[str, str]:
        """The settings of a bot on all of these platforms."""
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": self.claude.url}
        for side in self.sides:
            env |= side.env
        return env

    async def start(self, folder: Path, **env: str) -> BotProcess:
        """Start a bot that the test ends by itself; `env` is beside the settings of these platforms."""
        bot = BotProcess(folder, self.env | env)
        await bot.start()
        self._bots.append(bot)
        return bot

    async def ask(
        self, side: Side, person: str, place: str = "", *, words: int | None = None, text: str = "is what I like"
    ) -> str:
        """Tell the bot a fact of its own, to be answered in so many words; return its tag."""
        tag = f"q{next(self._tags)}"
        if words is not None:
            self.model.sizes[tag] = words
        self.asked[tag] = side.user_id(person)
        if place:
            self.shared.add(tag)
        await side.ask(person, f"{tag} {text}", place)
        return tag

    async def ask_all(self, person: str = "ann", words: int | None = None) -> list[str]:
        """Write a DM on each platform; return the tags."""
        return [await self.ask(side, person, words=words) for side in self.sides]

    def shown(self) -> dict[str, list[int]]:
        """The words of each answer, as they are shown."""
        return words(text for side in self.sides for text in side.shown())

    def wrong(self, tags: Iterable[str] | None = None) -> dict[str, list[int]]:
        """The tags whose answers aren't shown whole and once, with the words that are."""
        shown = self.shown()
        return {
            tag: shown.get(tag, [])
            for tag in (self.asked if tags is None else tags)
            if shown.get(tag) != list(range(self.model.sizes.get(tag, self.model.size)))
        }

    def others(self) -> list[str]:
        """What the bot shows that is no part of an answer."""
        return others(text for side in self.sides for text in side.shown())

    async def answered(self, tags: Iterable[str] | None = None, seconds: float = 40) -> None:
        """Wait until these questions (or all) are answered whole."""
        chosen = None if tags is None else list(tags)
        try:
            await until(lambda: not self.wrong(chosen), seconds)
        except TimeoutError:
            raise AssertionError(
                f"not answered once and whole: {self.wrong(chosen)}, beside: {self.others()}"
            ) from None
