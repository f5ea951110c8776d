"""Tracks adds to hosted mem0, from before the request until the outcome is known.

mem0 queues its work, has no idempotency keys, and can't cancel what is queued. So each add is recorded first, under a
token of ours that its memories carry. Whoever finds it later (this process, the next one, another worker) follows it by
mem0's event or, if a crash or a broken connection came before the event's id, by the token. What has become void
meanwhile is hidden from then on, and deleted as it appears.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol, TypeVar

from bot.memory.hosted.client import ATTEMPTS, MAX_PAUSE, HostedClient, Json, NoAnswer, RequestRefused
from bot.memory.hosted.rows import filters, metadata_of, owned
from bot.model import QueuedAdd
from bot.ports import LearningFailed, MemoryUnavailable

log = logging.getLogger(__name__)

#: Seconds without a result after which an add whose answer was lost is requested again.
AGAIN_AFTER = 30.0
#: Seconds for which its result may still appear: until then, nobody is told that everything is forgotten.
COMING = 600.0
#: Seconds for which its result is looked for, to be deleted should it appear after all.
WATCHED = 3600.0
#: Seconds after which an add that mem0 has an event for, but never finishes, counts as lost.
GIVEN_UP = 24 * 3600.0
#: Concurrent requests for one operation.
CONCURRENCY = 8
#: Replaces an event's id if mem0 did the work immediately.
NO_EVENT = "-"


Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class AddJournal(Protocol):
    """The journal's record of adds, and what the store must know about accounts."""

    async def begin(self, add: QueuedAdd, person: str = "", epoch: int = 0, asked_by: str = "") -> bool:
        """Record an add before it is requested.

        False if its exchange no longer waits or, without an exchange, `person` has forgotten everything since `epoch`,
        or the message `asked_by` is no longer to be answered.
        """
        ...

    async def note(self, token: str, event: str) -> None:
        """Record mem0's event id of a queued add."""
        ...

    async def unfinished(self, user_ids: Sequence[str] | None = None) -> list[QueuedAdd]:
        """Adds whose outcome is unknown, for these mem0 users or (None) anybody, oldest first."""
        ...

    async def void(self, user_ids: Sequence[str], about: Sequence[str] | None = None) -> None:
        """Mark adds as void that are about these messages, memories or tokens (None: all of these users' adds)."""
        ...

    async def finish(self, token: str) -> bool:
        """Record that an add has succeeded, and its exchange is learned; False if it is void or no longer recorded."""
        ...

    async def drop(self, token: str) -> None:
        """Remove an add that left nothing, and of which nothing can come any more."""
        ...

    async def linked_to(self, user_id: str) -> list[str]:
        """The accounts linked to a mem0 user id, without that id's own account."""
        ...

    async def epoch(self, user_id: str) -> int:
        """How often that person has had everything forgotten."""
        ...


class AddState(Enum):
    """The state of an add."""

    DONE = "done"
    FAILED = "failed"
    OPEN = "open"
    #: Nothing is known of it, and nothing has come of it for so long that it may be requested again.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class AddStatus:
    """An add's state, and the ids of the memories that have come of it."""

    state: AddState
    ids: tuple[str, ...] = ()


def new_token() -> str:
    """A random token for one add."""
    return secrets.token_hex(16)


class Adds:
    """Requests adds and follows them. Methods raise MemoryUnavailable if the service fails."""

    def __init__(
        self, client: HostedClient, journal: AddJournal, patience: float, clock: Callable[[], float] = time.time
    ) -> None:
        """`patience` is how many seconds a queued add is followed; `clock` is the journal's."""
        self._client = client
        self._journal = journal
        self._patience = patience
        self._clock = clock

    def now(self) -> float:
        """The present in seconds since 1970, by which adds are dated."""
        return self._clock()

    async def ask(self, add: QueuedAdd, messages: Sequence[Mapping[str, str]], fields: Mapping[str, Any]) -> QueuedAdd:
        """Request an add that is already recorded. Raises RequestRefused or NoAnswer.

        Drops the record again if mem0 can't have queued the add.
        """
        for attempt in range(ATTEMPTS):
            try:
                event, _ = await self._client.add(messages, **fields)
                break
            except RequestRefused:
                await self._journal.drop(add.token)
                raise
            except NoAnswer as exc:
                if exc.done:
                    raise
                if attempt + 1 == ATTEMPTS or (exc.after or 0) > MAX_PAUSE:
                    await self._journal.drop(add.token)
                    raise
                await self._client.pause(attempt, exc.after)
        await self._journal.note(add.token, event or NO_EVENT)
        return replace(add, event=event or NO_EVENT)

    async def status(self, add: QueuedAdd, patience: float | None = None) -> AddStatus:
        """Follow an add for `patience` seconds, and return its status."""
        age = self._clock() - add.at
        if add.event and add.event != NO_EVENT:
            status, results = await self._client.follow(add.event, self._patience if patience is None else patience)
            ids = tuple(str(row["id"]) for row in results if row.get("id") and row.get("event", "ADD") == "ADD")
            if status == "SUCCEEDED":
                return AddStatus(AddState.DONE, ids)
            if status == "FAILED":
                return AddStatus(AddState.FAILED, ids)
            if age < (COMING if status == "UNKNOWN" else GIVEN_UP):
                return AddStatus(AddState.OPEN)
        ids = tuple(str(row["id"]) for row in await self.rows(add))
        if ids or add.event == NO_EVENT:
            return AddStatus(AddState.DONE, ids)
        return AddStatus(AddState.OPEN if age < AGAIN_AFTER else AddState.LOST)

    async def rows(self, add: QueuedAdd) -> list[Json]:
        """The memories that have come of an add."""
        found = await self._client.all(filters([add.user_id], [{"metadata": {"add": add.token}}]), hidden=True)
        return [row for row in found if owned(row, [add.user_id]) and metadata_of(row).get("add") == add.token]

    async def resolve(self, adds: Sequence[QueuedAdd]) -> tuple[QueuedAdd, int] | None:
        """Choose one of several adds of one exchange; return it and how many memories came of it.

        None if none has succeeded. The others become void. Raises LearningFailed if one may still be in progress.
        """
        statuses = [(add, await self.status(add)) for add in adds]
        for add, status in statuses:
            if status.state is AddState.FAILED:
                await self._remove(add, status)
                await self._journal.drop(add.token)
        done = [(add, status) for add, status in statuses if status.state is AddState.DONE]
        if done:
            stays, status = done[0]
            others = [add.token for add in adds if add != stays]
            if others:
                await self._journal.void([stays.user_id], others)
            return stays, len(status.ids)
        if any(status.state is AddState.OPEN for _, status in statuses):
            raise LearningFailed("mem0 has not worked on it yet")
        return None

    async def clear(self, add: QueuedAdd, patience: float | None = None) -> bool:
        """Delete what has come of a void add; return whether nothing can come of it any more."""
        status = await self.status(add, patience)
        await self._remove(add, status)
        age = self._clock() - add.at
        ended = bool(add.event) and status.state in (AddState.DONE, AddState.FAILED)
        if ended or (age >= WATCHED and status.state is not AddState.OPEN):
            await self._journal.drop(add.token)
        return ended or (age >= COMING and status.state is not AddState.OPEN)

    async def clear_void(self, accounts: Sequence[str], about: Collection[str] | None, patience: float) -> None:
        """Delete what has come of these accounts' void adds, if about these messages or memories (None: all).

        Raises MemoryUnavailable if more may come.
        """
        void = [add for add in await self._journal.unfinished(accounts) if add.void]
        chosen = [add for add in void if about is None or add.source in about or add.replaces in about]
        if not all(await concurrently(lambda add: self.clear(add, patience), chosen)):
            raise MemoryUnavailable("mem0 is still working on what was said")

    async def void_tokens(self, accounts: Sequence[str]) -> frozenset[str]:
        """The tokens whose memories must not be shown."""
        return frozenset(add.token for add in await self._journal.unfinished(accounts) if add.void)

    async def _remove(self, add: QueuedAdd, status: AddStatus) -> None:
        ids = {*status.ids, *(str(row["id"]) for row in await self.rows(add))}
        await concurrently(self._client.delete, sorted(ids))
        if left := await self.rows(add):
            raise MemoryUnavailable(f"mem0 still holds {len(left)} memories")


async def concurrently(ask: Callable[[Asked], Awaitable[Answer]], what: Iterable[Asked]) -> list[Answer]:
    """Call `ask` for each, several at a time; return the answers in order. Raises a failure once all have ended."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def limited(item: Asked) -> Answer:
        async with slots:
            return await ask(item)

    tasks = [asyncio.ensure_future(limited(item)) for item in what]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]
