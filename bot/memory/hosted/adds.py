"""What mem0 is asked to add, from before it is asked until it is known how that ended.

mem0 works behind a queue, knows no idempotency key, and can't take back what is queued. So each add is written down
first, under a token of ours that its memories carry; whoever finds it afterwards (this process, the next one, another
worker) follows it by mem0's event, or where a crash or a cut connection came before the event's id, by the token. What
has become void meanwhile is deleted as it appears, and isn't shown from the moment when it became void.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol, TypeVar

from bot.memory.hosted.client import ATTEMPTS, PAUSE_MOST, HostedClient, Lost, Refused, Row
from bot.memory.hosted.rows import filters, metadata_of, owned
from bot.model import QueuedAdd
from bot.ports import LearningFailed, MemoryUnavailable

log = logging.getLogger(__name__)

#: An add whose answer was lost is asked for again where nothing has come of it in so many seconds.
AGAIN_AFTER = 30.0
#: For so long it may still turn up: until then nobody is told that everything is forgotten.
COMING = 600.0
#: And for so long it is looked for, and deleted should it turn up all the same.
WATCHED = 3600.0
#: An add that mem0 has an id for, and doesn't end in so many seconds, is taken for one that it lost.
GIVEN_UP = 24 * 3600.0
#: Requests at once, for one thing that is wanted.
AT_ONCE = 8
#: In place of an event's id, where mem0 did the work at once.
AT_ONCE_DONE = "-"


Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Ledger(Protocol):
    """Where adds are written down, and what the store must know of accounts. In the journal."""

    async def begin(self, add: QueuedAdd, person: str = "", epoch: int = 0) -> bool:
        """Write an add down before it is asked for.

        False where its exchange no longer waits, or (it has none) `person` has forgotten everything since `epoch`.
        """
        ...

    async def note(self, token: str, event: str) -> None:
        """mem0 has queued it, under this id."""
        ...

    async def unfinished(self, user_ids: Sequence[str] | None = None) -> list[QueuedAdd]:
        """What is not known to have ended, for these mem0 users or (None) for anybody, oldest first."""
        ...

    async def void(self, user_ids: Sequence[str], about: Sequence[str] | None = None) -> None:
        """Nothing may stay of what is about these messages, memories or tokens (None: of all)."""
        ...

    async def finish(self, token: str) -> bool:
        """It has ended and stays, its exchange is learned; False where it is void or no longer written down."""
        ...

    async def drop(self, token: str) -> None:
        """Nothing of it is there, and nothing can come."""
        ...

    async def linked_to(self, user_id: str) -> list[str]:
        """The accounts linked to a mem0 user id, that id's own not among them."""
        ...

    async def epoch(self, user_id: str) -> int:
        """How often that person has had everything forgotten."""
        ...


class State(Enum):
    """How an add stands."""

    DONE = "done"
    FAILED = "failed"
    OPEN = "open"
    #: Nothing is known of it, and nothing has come of it for so long that it may be asked for again.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an add stands, and the ids of the memories that have come of it."""

    state: State
    ids: tuple[str, ...] = ()


def new_token() -> str:
    """A name for one add."""
    return secrets.token_hex(16)


class Adds:
    """Asks for adds and follows them. Methods raise MemoryUnavailable where the service fails."""

    def __init__(
        self, client: HostedClient, ledger: Ledger, patience: float, clock: Callable[[], float] = time.time
    ) -> None:
        """`patience` is how long a queued add is followed, in seconds; `clock` that of the ledger."""
        self._client = client
        self._ledger = ledger
        self._patience = patience
        self._clock = clock

    def now(self) -> float:
        """Seconds since 1970, as adds are dated."""
        return self._clock()

    async def ask(self, add: QueuedAdd, messages: Sequence[Mapping[str, str]], fields: Mapping[str, Any]) -> QueuedAdd:
        """Queue what is written down already. Raises Refused or Lost; where mem0 can't have it, it is dropped again."""
        for attempt in range(ATTEMPTS):
            try:
                event, _ = await self._client.add(messages, **fields)
                break
            except Refused:
                await self._ledger.drop(add.token)
                raise
            except Lost as exc:
                if exc.done:
                    raise
                if attempt + 1 == ATTEMPTS or (exc.after or 0) > PAUSE_MOST:
                    await self._ledger.drop(add.token)
                    raise
                await self._client.pause(attempt, exc.after)
        await self._ledger.note(add.token, event or AT_ONCE_DONE)
        return replace(add, event=event or AT_ONCE_DONE)

    async def standing(self, add: QueuedAdd, patience: float | None = None) -> Standing:
        """Follow an add for as long as there is patience, and say how it stands."""
        age = self._clock() - add.at
        if add.event and add.event != AT_ONCE_DONE:
            status, results = await self._client.follow(add.event, self._patience if patience is None else patience)
            ids = tuple(str(row["id"]) for row in results if row.get("id") and row.get("event", "ADD") == "ADD")
            if status == "SUCCEEDED":
                return Standing(State.DONE, ids)
            if status == "FAILED":
                return Standing(State.FAILED, ids)
            if age < (COMING if status == "UNKNOWN" else GIVEN_UP):
                return Standing(State.OPEN)
        ids = tuple(str(row["id"]) for row in await self.rows(add))
        if ids or add.event == AT_ONCE_DONE:
            return Standing(State.DONE, ids)
        return Standing(State.OPEN if age < AGAIN_AFTER else State.LOST)

    async def rows(self, add: QueuedAdd) -> list[Row]:
        """The memories that have come of an add."""
        found = await self._client.all(filters([add.user_id], [{"metadata": {"add": add.token}}]), hidden=True)
        return [row for row in found if owned(row, [add.user_id]) and metadata_of(row).get("add") == add.token]

    async def settle(self, adds: Sequence[QueuedAdd]) -> tuple[QueuedAdd, int] | None:
        """Of several tries at one exchange, the one that stays, and how many memories came of it; None where none did.

        The others are void from then on. Raises LearningFailed where one may still be at work.
        """
        standings = [(add, await self.standing(add)) for add in adds]
        for add, standing in standings:
            if standing.state is State.FAILED:
                await self._remove(add, standing)
                await self._ledger.drop(add.token)
        done = [(add, standing) for add, standing in standings if standing.state is State.DONE]
        if done:
            stays, standing = done[0]
            others = [add.token for add in adds if add != stays]
            if others:
                await self._ledger.void([stays.user_id], others)
            return stays, len(standing.ids)
        if any(standing.state is State.OPEN for _, standing in standings):
            raise LearningFailed("mem0 has not worked on it yet")
        return None

    async def clear(self, add: QueuedAdd, patience: float | None = None) -> bool:
        """Delete what has come of a void add; whether nothing can come of it any more."""
        standing = await self.standing(add, patience)
        await self._remove(add, standing)
        age = self._clock() - add.at
        ended = bool(add.event) and standing.state in (State.DONE, State.FAILED)
        if ended or (age >= WATCHED and standing.state is not State.OPEN):
            await self._ledger.drop(add.token)
        return ended or (age >= COMING and standing.state is not State.OPEN)

    async def clear_void(self, accounts: Sequence[str], about: Collection[str] | None, patience: float) -> None:
        """Delete what has come of these accounts' void adds, those about these messages or memories (None: all).

        Raises MemoryUnavailable where more may come.
        """
        void = [add for add in await self._ledger.unfinished(accounts) if add.void]
        chosen = [add for add in void if about is None or add.source in about or add.replaces in about]
        if not all(await at_once(lambda add: self.clear(add, patience), chosen)):
            raise MemoryUnavailable("mem0 is still working on what was said")

    async def void_tokens(self, accounts: Sequence[str]) -> frozenset[str]:
        """The tokens whose memories must not be shown."""
        return frozenset(add.token for add in await self._ledger.unfinished(accounts) if add.void)

    async def _remove(self, add: QueuedAdd, standing: Standing) -> None:
        ids = {*standing.ids, *(str(row["id"]) for row in await self.rows(add))}
        await at_once(self._client.delete, sorted(ids))
        if left := await self.rows(add):
            raise MemoryUnavailable(f"mem0 still holds {len(left)} memories")


async def at_once(ask: Callable[[Asked], Awaitable[Answer]], what: Iterable[Asked]) -> list[Answer]:
    """Ask about each, several at once; the answers in the same order. What fails is raised once all have ended."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(each: Asked) -> Answer:
        async with slots:
            return await ask(each)

    tasks = [asyncio.ensure_future(one(each)) for each in what]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]
