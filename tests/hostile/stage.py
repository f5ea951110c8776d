"""Two platforms, a model and one or two processes of the bot: what people tell there, and what of it is left where."""

import asyncio
import contextlib
import os
import re
import secrets
import signal
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from tests.fakes import claude as fake
from tests.fakes.claude import FakeClaude, Reply, Request
from tests.fakes.claude_tools import Calling, results
from tests.fakes.discord import Channel, FakeDiscord
from tests.fakes.slack import TEAM, FakeSlack
from tests.hostile import probe, traces
from tests.makers import until
from tests.whole.process import BotProcess

#: Ends every answer, so that a whole one is known.
DONE = "Noted."
#: A message with these words is refused, with an error that quotes it.
REFUSE = "refuse this"
#: A message that begins so is a wish to have its last word forgotten.
WISH = "please forget"
#: What the model has remembered at once, after a look at what is remembered already.
KEEP = "please remember"
#: A message with these words has its answer, or what it teaches, held back until `Model.release`.
HOLD_ANSWER = "answer slowly"
HOLD_LESSON = "learn slowly"


def new_word() -> str:
    """A word that nobody has ever used, and that word endings leave as it is."""
    return "qzk" + "".join(secrets.choice("bdfghjkmpvwz") + secrets.choice("aou") for _ in range(5)) + "x"


class Model:
    """Claude: it learns what it is told word by word, and says all that it knows where it is asked something."""

    def __init__(self) -> None:
        self.learning = asyncio.Event()
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let go of the lessons that are held back."""
        self._released.set()

    async def __call__(self, request: Request) -> Reply:
        """The handler of a `FakeClaude`."""
        if fake.is_extraction(request):
            told = fake.new_messages(fake.last_text(request))
            if any(HOLD_LESSON in user for _, user, _ in told) and not self._released.is_set():
                self.learning.set()
                await self._released.wait()
            return Reply(fake.facts(*({"text": user, "source": number} for number, user, _ in told if user.strip())))
        asked = fake.last_text(request)
        if REFUSE in asked:
            return Reply(f"unsupported: {asked}", status=400, error="invalid_request_error")
        if asked.startswith(WISH) and not results(request):
            return Reply("", calls=(Calling("forget", {"what": asked.rpartition(" ")[2]}),))
        if asked.startswith(KEEP) and not results(request):
            fact = asked.removeprefix(KEEP).strip()
            calls = (Calling("search_memory", {"query": fact}), Calling("remember", {"text": fact}))
            return Reply("Let me see.", calls=(*calls, Calling("list_memories", {})))
        known = re.findall(r"^- \[\S+\] (.*)$", fake.briefing(request), re.MULTILINE) if "?" in asked else [asked]
        return Reply(f"{' / '.join(known)} {DONE}", hang_after=1 if HOLD_ANSWER in asked else None)


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to write: a channel of Discord, or one of Slack by its id; a DM where there is neither."""

    platform: str
    discord: Channel | None = None
    slack: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A message that was answered: its id on the platform, and the channel it is in."""

    place: Place
    channel: Any
    id: str


class Stage:
    """All of it together. `workers` are the processes, each with the eye of `tests.hostile.probe`."""

    def __init__(self, folder: Path, url: str | None, words: Sequence[str], **settings: str) -> None:
        self._folder = folder
        self._settings = settings
        self._url = url
        self._words = tuple(words)
        self.model = Model()
        self.claude = FakeClaude(self.model)
        self.discord = FakeDiscord()
        self.slack = FakeSlack(patience=30)
        self.workers: list[BotProcess] = []
        self._speaking: defaultdict[tuple[str, int, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        count = self.count
        guilds = [self.discord.add_guild(f"Guild {shard}", shard=(shard, count)) for shard in range(count)]
        channels = [self.discord.add_channel(guild, "general") for guild in guilds]
        self.dms = (Place("discord"), Place("slack"))
        self.channels = (*(Place("discord", channel) for channel in channels), Place("slack", slack="C0GENERAL"))
        # Slack's workspace is one of an organisation's three, one channel is all of theirs, and Ann is of another one.
        self.slack.enterprise, self.slack.teams["UANN"] = "E0FAKEORG", "T0SISTER1"
        teams = [TEAM, "T0SISTER1", "T0THIRD01"]
        shared = self.slack.add_channel("C0SHARED", "shared", is_org_shared=True, shared_team_ids=teams)
        self.places = (*self.dms, *self.channels, Place("slack", slack=shared))

    @property
    def count(self) -> int:
        """How many processes there are: one on SQLite, two that share a database on PostgreSQL."""
        return 1 if self._url is None else 2

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Stage"]:
        """Start everything; at the end the bot has stopped in order."""
        async with self.claude, self.discord, self.slack:
            for number in range(self.count):
                self.workers.append(BotProcess(self._folder, self._env(number), module="tests.hostile.probe"))
            try:
                for worker in self.workers:
                    await worker.start()
                for worker in self.workers:
                    await worker.said("memory is ready")
                await self.slack.connected(self.count)
                yield self
                for code in await asyncio.gather(*(worker.end() for worker in self.workers)):
                    assert code == 0, [worker.log[-20:] for worker in self.workers]
            finally:
                self.release()
                for worker in self.workers:
                    if worker.process.returncode is None:
                        await worker.end(signal.SIGKILL)

    def _env(self, number: int) -> dict[str, str]:
        env = self.slack.environment() | {
            "ANTHROPIC_API_KEY": "sk-test",
            "ANTHROPIC_BASE_URL": self.claude.url,
            "DISCORD_TOKEN": self.discord.token,
            "DISCORD_API_BASE": self.discord.url,
            "BOT_LOG_LEVEL": "DEBUG",
            probe.WORDS: ",".join(map(probe.masked, self._words)),
            probe.OUT: str(self._folder / f"found{number}"),
        }
        env |= self._settings
        if self._url is not None:
            env |= {"DATABASE_URL": self._url, "DISCORD_SHARD_IDS": str(number), "DISCORD_SHARD_COUNT": "2"}
        return env

    def told(self) -> set[str]:
        """What tools have answered the model."""
        return {text for request in self.claude.chats for text, _ in results(request)}

    def release(self) -> None:
        """Let go of what the model holds back."""
        self.model.release()
        self.claude.release()

    # What people do

    async def say(
        self, place: Place, text: str, person: str = "ann", *, files: Mapping[str, bytes] | None = None
    ) -> Told:
        """Write to the bot."""
        if place.platform == "discord":
            if place.discord is None:
                return Told(place, self.discord.dm_with(person), await self.discord.dm(person, text, files=files))
            return Told(place, place.discord, await self.discord.say(place.discord, person, text, files=files))
        user = f"U{person.upper()}"
        shared = [self.slack.file(name, content) for name, content in (files or {}).items()]
        extra: dict[str, Any] = {"files": shared, "subtype": "file_share"} if shared else {}
        if place.slack is None:
            return Told(place, self.slack.dm_channel(user), await self.slack.dm(user, text, **extra))
        return Told(place, place.slack, await self.slack.mention(place.slack, user, text, **extra))

    async def talk(self, place: Place, text: str, person: str = "bob") -> None:
        """Write to others in a channel, and not to the bot."""
        if place.discord is not None:
            await self.discord.say(place.discord, person, text, mention=False)
        elif place.slack is not None:
            await self.slack.say(place.slack, f"U{person.upper()}", text)

    async def answer(self, told: Told, ending: str = DONE) -> str:
        """The whole answer to a message."""
        if told.place.platform == "discord":
            return await self.discord.answer_to(told.id, contains=ending, settle=0.05, within=30)
        thread = told.id if told.place.slack else None
        return await self.slack.answer(told.channel, thread, lambda text: text.endswith(ending), after=told.id)

    async def tell(self, place: Place, text: str, person: str = "ann") -> Told:
        """Write to the bot, and wait for its answer: what a person says in one place meanwhile would join it."""
        async with self._speaking[place.platform, id(place.discord or place.slack), person]:
            told = await self.say(place, text, person)
            await self.answer(told)
        return told

    async def tell_all(self, *told: tuple[Place, str]) -> list[Told]:
        """Write several messages, each in its place, and wait for all the answers."""
        return list(await asyncio.gather(*(self.tell(place, text) for place, text in told)))

    async def edit(self, told: Told, text: str) -> None:
        """Change a message on its platform."""
        if told.place.platform == "discord":
            mention = f"<@{self.discord.bot.id}> " if told.place.discord else ""
            await self.discord.edit(told.channel, told.id, f"{mention}{text}")
        else:
            await self.slack.edit(told.channel, told.id, text=text)

    async def delete(self, told: Told) -> None:
        """Delete a message on its platform."""
        if told.place.platform == "discord":
            await self.discord.delete(told.channel, told.id)
        else:
            await self.slack.delete(told.channel, told.id)

    # What is left

    async def learned(self, seconds: float = 40) -> None:
        """Wait until nothing waits to be answered, learned or erased."""
        end = asyncio.get_running_loop().time() + seconds
        waiting = self._waiting()
        while any(waiting) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.1)
            waiting = self._waiting()
        assert not any(waiting), f"still to be answered, learned, erased: {waiting}\n{self.trouble()}"

    def trouble(self) -> str:
        """What the processes' logs say beside the usual."""
        return "\n".join(line for worker in self.workers for line in worker.log if " INFO " not in line)

    def _waiting(self) -> tuple[int, ...]:
        tables = ("inbox", "exchanges", "erasures")
        query = f"SELECT {', '.join(f'(SELECT count(*) FROM {table})' for table in tables)}"
        if self._url is not None:
            with psycopg.connect(self._url, autocommit=True) as conn:
                return tuple(conn.execute(query.encode()).fetchone() or ())
        path = self._folder / "data" / "bot.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
            return tuple(reader.execute(query).fetchone())

    def analyze(self) -> None:
        """Have PostgreSQL take samples of what is stored, as it does by itself after some time."""
        if self._url is not None:
            with psycopg.connect(self._url, autocommit=True) as conn:
                conn.execute("ANALYZE")

    def stored(self, *words: str) -> list[str]:
        """Where the words are on disk: files of the data folder, rows, pages."""
        words = words or self._words
        found = traces.in_files(self._folder / "data", words) if (self._folder / "data").exists() else []
        if self._url is not None:
            found += traces.in_rows(self._url, words) + traces.in_pages(self._url, words)
        return found

    def counted(self) -> set[str]:
        """The accounts that usage is ascribed to, that of requests in flight included."""
        return self._accounts("SELECT person_key FROM usage UNION SELECT person_key FROM reservations")

    def introduced(self) -> set[str]:
        """The accounts that were told that they are remembered."""
        return self._accounts("SELECT person_key FROM introductions")

    def off_record(self) -> set[str]:
        """The accounts that keep, or kept, a conversation off the record."""
        return self._accounts("SELECT person_key FROM off_record")

    def _accounts(self, query: LiteralString) -> set[str]:
        if self._url is not None:
            with psycopg.connect(self._url) as conn:
                return {key for (key,) in conn.execute(query)} - {""}
        with contextlib.closing(sqlite3.connect(self._folder / "data" / "bot.db")) as file:
            return {key for (key,) in file.execute(query)} - {""}

    def logged(self) -> list[str]:
        """The lines with any of the words that the processes have written to their outputs."""
        needles = [form for word in self._words for form in probe.forms(word)]
        lines = [line for worker in self.workers for line in (*worker.out, *worker.log)]
        return [line for line in lines if probe.holds(line.encode(), needles)]

    def said(self, words: str) -> bool:
        """Whether any process has a line with these words in its log."""
        return any(words in line for worker in self.workers for line in worker.log)

    async def alive(self) -> list[str]:
        """What live objects of the processes hold the words."""
        outs = [self._folder / f"found{number}" for number in range(self.count)]
        for out, worker in zip(outs, self.workers, strict=True):
            out.unlink(missing_ok=True)
            os.kill(worker.process.pid, signal.SIGUSR1)
        await until(lambda: all(out.exists() for out in outs), 60)
        return [f"worker {number}: {line}" for number, out in enumerate(outs) for line in out.read_text().splitlines()]

    def asked_since(self, mark: int, *words: str) -> list[str]:
        """The requests since the `mark`-th that the model received with any of these words."""
        needles = [form for word in words for form in probe.forms(word)]
        requests: Iterable[Request] = self.claude.requests[mark:]
        return [str(request) for request in requests if probe.holds(str(request).encode(), needles)]
