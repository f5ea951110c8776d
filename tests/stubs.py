"""The core's ports (the journal's apart) in a few lines each, in memory, for tests of what stands between them."""

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.model import PRIVATE_SCOPE, SHARED_SCOPE, Asked, Attachment, Exchange, Held, Memory, Nearby, Prompt, Told
from bot.ports import CannotOpen, LimitReached, MaxUsage
from bot.text.keywords import Words
from bot.usage import Payer, Purpose, Usage
from bot.views import Foot, View


class StubMemory:
    """A memory store over a dict; `failure` is raised by every call while it is set."""

    def __init__(self, **memories: list[Memory]) -> None:
        self.of: dict[str, list[Memory]] = defaultdict(list)
        for user_id, rows in memories.items():
            self.of[user_id] = rows
        self.failure: Exception | None = None

    def _check(self) -> None:
        if self.failure:
            raise self.failure

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        self._check()
        return [row for row in self.of[user_id] if scopes is None or row.scope in scopes]

    async def search(
        self,
        user_id: str,
        scopes: frozenset[str] | None,
        query: str,
        now: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Memory]:
        self._check()
        return [row for row in self.of[user_id] if scopes is None or row.scope in scopes]

    async def count(self, user_id: str, scopes: frozenset[str] | None) -> Held | None:
        self._check()
        here = sum(scopes is None or row.scope in scopes for row in self.of[user_id])
        return Held(here, here < len(self.of[user_id]))

    async def learn(self, exchanges: Sequence[Exchange], taught: set[str] | None = None) -> int:
        self._check()
        if taught is not None:
            taught.update(exchange.event_id for exchange in exchanges)
        return len(exchanges)

    async def remember(self, told: Told) -> Sequence[bool]:
        self._check()
        known = [row.text for row in self.of[told.user_id] if row.scope == told.scope]
        new = [text not in known for text in told.texts]
        self.of[told.user_id] += [
            Memory(f"{told.source.event_id}/{number}", text, told.source.at, told.scope, (told.source,))
            for number, text in enumerate(told.texts)
            if new[number]
        ]
        return new

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        self._check()
        # As in the stores, what can't be seen is in everything.
        words = [] if Words(search).empty else search.casefold().split()
        rows = [row for row in self.of[user_id] if all(word in row.text.casefold() for word in words)]
        return sorted(rows, key=lambda row: row.learned_at, reverse=True)

    async def scrub(self) -> None:
        self._check()

    async def forget(self, user_id: str, ids: Sequence[str]) -> int:
        self._check()
        before = len(self.of[user_id])
        self.of[user_id] = [row for row in self.of[user_id] if row.id not in ids]
        return before - len(self.of[user_id])

    async def forget_all(self, user_id: str) -> int:
        self._check()
        return len(self.of.pop(user_id, []))

    async def edit(self, user_id: str, memory_id: str, text: str, now: datetime) -> Memory | None:
        return self._change(user_id, memory_id, text=text, edited_at=now)

    async def share(self, user_id: str, memory_id: str, *, shared: bool) -> Memory | None:
        return self._change(user_id, memory_id, scope=SHARED_SCOPE if shared else PRIVATE_SCOPE)

    def _change(self, user_id: str, memory_id: str, **changed: Any) -> Memory | None:
        self._check()
        for place, row in enumerate(self.of[user_id]):
            if row.id == memory_id:
                self.of[user_id][place] = replace(row, **changed)
                return self.of[user_id][place]
        return None

    async def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        self._check()
        touched = 0
        for owner in [user_id] if user_id is not None else list(self.of):
            kept = []
            for row in self.of[owner]:
                left = tuple(source for source in row.sources if source.event_id not in event_ids)
                touched += left != row.sources
                if left or not row.sources:
                    kept.append(replace(row, sources=left))
            self.of[owner] = kept
        return touched

    async def move(self, user_id: str, to: str, accounts: Sequence[str] | None = None) -> int:
        self._check()
        moved = self.of.pop(user_id, [])
        self.of[to] += moved
        return len(moved)

    async def forget_workspace(
        self, platform: str, workspace: str, people: Sequence[str], former: Sequence[str] = ()
    ) -> int:
        self._check()
        return 0

    async def people(self, platform: str) -> Sequence[str]:
        self._check()
        return [user_id for user_id, rows in self.of.items() if rows and user_id.startswith(f"{platform}:")]

    async def close(self) -> None:
        self._check()


class StubChat:
    """Answers from a script: each entry is a list of pieces, of which an exception ends the stream."""

    def __init__(
        self, *script: list[str | Usage | Asked | Exception], reply: Callable[[Prompt], str] | None = None
    ) -> None:
        self.script = list(script)
        self.reply = reply
        self.prompts: list[Prompt] = []

    async def max_usage(self, prompt: Prompt) -> MaxUsage:
        return MaxUsage("stub", Usage(written=1000, output=1000))

    async def answer(self, prompt: Prompt) -> AsyncGenerator[str | Usage | Asked, None]:
        self.prompts.append(prompt)
        pieces: list[str | Usage | Asked | Exception] = self.script.pop(0) if self.script else ["ok"]
        if self.reply:
            pieces = [self.reply(prompt)]
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def close(self) -> None:
        self.script.clear()


class StubCharge:
    """One request; appended to `ended` when it has ended."""

    def __init__(self, ended: list["StubCharge"], usage: Usage) -> None:
        self.usage = usage
        self._ended = ended

    @property
    def nanodollars(self) -> int:
        return self.usage.tokens

    async def __aenter__(self) -> "StubCharge":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.append(self)


class StubSpending:
    """Lets everything through while `limit` is None; a token costs a billionth of a dollar."""

    def __init__(self, limit: LimitReached | None = None) -> None:
        self.limit = limit
        self.begun: list[tuple[Payer, Purpose]] = []
        self.ended: list[StubCharge] = []

    def check(self, user_id: str) -> None:
        if self.limit is not None:
            raise self.limit

    async def charge(self, payer: Payer, purpose: Purpose, model: str, max_usage: Usage) -> StubCharge:
        self.check(payer.user_id)
        self.begun.append((payer, purpose))
        return StubCharge(self.ended, max_usage)


class StubNotices:
    """Each notice is due once."""

    def __init__(self) -> None:
        self.given: set[tuple[str, str]] = set()

    async def first(self, kind: str, key: str, seconds: float) -> bool:
        due = (kind, key) not in self.given
        self.given.add((kind, key))
        return due


class StubReplyHandle:
    """Keeps what a person would see."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.whispers: list[str] = []
        self.feet: list[Foot] = []
        self.views: list[View] = []
        self.near: list[Nearby] = []
        self.busy: list[bool] = []
        self.failure: Exception | None = None
        self.withdrawn = False
        self.there: tuple[str, tuple[str, ...]] | None = None
        self.files: dict[str, bytes] = {}
        self.opened: list[str] = []

    async def found(self) -> tuple[str, tuple[str, ...]] | None:
        return self.there

    @property
    def begun(self) -> bool:
        return bool(self.there or self.shown)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        self.busy.append(True)
        try:
            yield
        finally:
            self.busy.append(False)

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        if self.failure:
            raise self.failure
        async for snapshot in snapshots:
            self.shown.append(snapshot)
        return ("reply:1",)

    async def around(self, limit: int) -> list[Nearby]:
        return self.near[-limit:]

    async def withdraw(self) -> None:
        self.withdrawn = True

    async def open(self, file: Attachment, limit: int) -> bytes:
        self.opened.append(file.id)
        if file.id not in self.files:
            raise CannotOpen
        return self.files[file.id]

    async def below(self, message_ids: Sequence[str], foot: Foot) -> None:
        self.feet.append(foot)

    async def show(self, view: View) -> None:
        self.views.append(view)

    async def whisper(self, text: str) -> None:
        self.whispers.append(text)
