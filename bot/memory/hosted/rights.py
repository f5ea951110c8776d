"""What people may do with their memories in hosted mem0: change, share and forget them, by id or by source.

mem0 keeps a changed memory's former text in its history, so a change here is a new memory that replaces the former one,
which is deleted. It is an add like any other, recorded before it is requested: an interrupted change is finished later,
the last of several wins, and if the memory (or everything) is forgotten meanwhile, the change is undone.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from bot.memory.hosted.adds import COMING, AddJournal, Adds, AddState, concurrently, new_token
from bot.memory.hosted.client import HostedClient, Json
from bot.memory.hosted.rows import filters, memory_of, metadata_of, owned, owner_of, person_id, text_of
from bot.memory.vectors import sources
from bot.model import PRIVATE_SCOPE, SHARED_SCOPE, Memory, QueuedAdd
from bot.ports import MemoryUnavailable, Superseded
from bot.text.clean import clean

log = logging.getLogger(__name__)

#: Seconds for which an erasure waits for queued adds; then it is retried later.
FORGET_PATIENCE = 20.0


class HostedRights:
    """Methods of `HostedMemory`."""

    _client: HostedClient
    _journal: AddJournal
    _adds: Adds

    async def edit(self, user_id: str, memory_id: str, text: str, now: datetime) -> Memory | None:
        """Edit, see the port."""
        epoch = await self._journal.epoch(user_id)
        row = await self._mine(user_id, memory_id)
        if row is None:
            return None
        metadata = {**metadata_of(row), "edited_at": now.astimezone(UTC).isoformat()}
        return await self._replace(row, owner_of(row), text, metadata, user_id, epoch)

    async def share(self, user_id: str, memory_id: str, *, shared: bool) -> Memory | None:
        """Share, see the port."""
        epoch = await self._journal.epoch(user_id)
        row = await self._mine(user_id, memory_id)
        if row is None:
            return None
        metadata = metadata_of(row)
        own = str(metadata.get("own") or metadata.get("audience") or PRIVATE_SCOPE)
        audience = SHARED_SCOPE if shared else own
        if metadata.get("audience") == audience:
            return memory_of(row, [owner_of(row)])
        metadata = {**metadata, "audience": audience, "own": own}
        return await self._replace(row, owner_of(row), text_of(row), metadata, user_id, epoch)

    async def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Erase these memories, or what has replaced them, if they are that person's; return how many.

        Raises MemoryUnavailable if one is left, or a change to one is still queued.
        """
        accounts = await self._accounts(user_id)
        wanted = [memory_id for memory_id in dict.fromkeys(ids) if memory_id.strip()]
        rows = await concurrently(self._client.get, wanted)
        mine = [memory_id for memory_id, row in zip(wanted, rows, strict=True) if row and owned(row, accounts)]
        gone = [memory_id for memory_id, row in zip(wanted, rows, strict=True) if row is None]
        heirs = await concurrently(lambda memory_id: self._with(accounts, "stands_for", memory_id), gone)
        mine += [str(row["id"]) for found in heirs for row in found]
        return await self._erase(accounts, mine, [*wanted, *mine])

    async def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Forget by source, see the port. Each memory here has one source; without a person none can be found."""
        if user_id is None:
            return 0
        accounts = await self._accounts(user_id)
        found = await concurrently(lambda event_id: self._with(accounts, "source", event_id), event_ids)
        ids = [str(row["id"]) for rows in found for row in rows]
        count = await self._erase(accounts, ids, [*event_ids, *ids])
        if left := [row for event_id in event_ids for row in await self._with(accounts, "source", event_id)]:
            raise MemoryUnavailable(f"mem0 still holds {len(left)} memories")
        return count

    async def move(self, user_id: str, to: str, accounts: Sequence[str] | None = None) -> int:
        """Move, see the port. Memories are stored under the account that taught them, so linking moves none.

        Unlinking only returns what an earlier version had stored under another account.
        """
        if accounts is None:
            return 0
        epoch = await self._journal.epoch(to)
        homes = {account: person_id(account) for account in accounts}
        strays = []
        for row in await self._own(await self._accounts(user_id)):
            home = homes.get(str(metadata_of(row).get("account") or ""))
            if home is not None and home != owner_of(row):
                strays.append((row, home))
        moved = await concurrently(
            lambda stray: self._replace(stray[0], stray[1], text_of(stray[0]), metadata_of(stray[0]), to, epoch), strays
        )
        return sum(memory is not None for memory in moved)

    async def people(self, platform: str) -> Sequence[str]:
        """Nobody: mem0's entities may be another application's. The journal records whose memories there are."""
        return []

    async def forget_workspace(
        self, platform: str, workspace: str, people: Sequence[str], former: Sequence[str] = ()
    ) -> int:
        """Forget a workspace, see the port. Only for `people`: mem0 can't search everybody's memories."""
        if not workspace:
            raise ValueError("a workspace has an id")
        count = 0
        for user_id in dict.fromkeys([*people, *former]):
            accounts = [person_id(user_id)]
            rows = await self._own(accounts)
            gone = [row for row in rows if sources.outside(_payload(row, user_id), platform, workspace, former) == []]
            ids = [str(row["id"]) for row in gone]
            count += await self._erase(accounts, ids, ids)
        return count

    async def _accounts(self, user_id: str) -> Sequence[str]:
        """The mem0 users that a person's memories are stored under. Raises ValueError for an empty id."""
        person = person_id(user_id)
        return [person, *(person_id(account) for account in await self._journal.linked_to(user_id))]

    async def _own(self, accounts: Sequence[str]) -> Sequence[Json]:
        return [row for row in await self._client.all(filters(accounts), hidden=True) if owned(row, accounts)]

    async def _mine(self, user_id: str, memory_id: str) -> Json | None:
        accounts = await self._accounts(user_id)
        row = await self._client.get(memory_id)
        return row if row is not None and owned(row, accounts) else None

    async def _with(self, accounts: Sequence[str], key: str, value: str) -> Sequence[Json]:
        """These accounts' memories with this value in their metadata."""
        rows = await self._client.all(filters(accounts, [{"metadata": {key: value}}]), hidden=True)
        return [row for row in rows if owned(row, accounts) and metadata_of(row).get(key) == value]

    async def _erase(self, accounts: Sequence[str], ids: Sequence[str], about: Sequence[str]) -> int:
        """Delete these memories, and what is queued about them or these messages; return how many there were."""
        # Void before and after: a change started in between either finds its memory gone or is found here.
        await self._journal.void(accounts, about)
        count = sum(await concurrently(self._client.delete, ids))
        await self._journal.void(accounts, about)
        if left := [row for row in await concurrently(self._client.get, ids) if row is not None]:
            raise MemoryUnavailable(f"mem0 still holds {len(left)} memories")
        await self._adds.clear_void(accounts, about, FORGET_PATIENCE)
        return count

    async def _replace(
        self, row: Json, account: str, text: str, metadata: Json, person: str, epoch: int
    ) -> Memory | None:
        """Replace a memory; None if it was forgotten meanwhile, or everything was since `epoch`.

        Raises MemoryUnavailable if mem0 doesn't accept it (yet).
        """
        former = str(row["id"])
        own = str(metadata.get("own") or metadata.get("audience") or PRIVATE_SCOPE)
        add = QueuedAdd(new_token(), account, str(metadata.get("source") or ""), former, at=self._adds.now())
        if not await self._journal.begin(add, person, epoch):
            return None
        # Check again now that the change is recorded: from here on, forgetting the memory finds the change.
        if await self._client.get(former) is None:
            await self._journal.drop(add.token)
            return None
        unfinished = await self._journal.unfinished([account])
        earlier = [other.token for other in unfinished if other.replaces == former and other.token != add.token]
        await self._journal.void([account], earlier)
        asked = await self._adds.ask(
            add,
            [{"role": "user", "content": clean(text)}],
            {
                "user_id": account,
                "run_id": f"{account}/{own}",
                "metadata": {**metadata, "owner": account, "stands_for": former, "add": add.token},
                "infer": False,
            },
        )
        status = await self._adds.status(asked)
        if status.state is not AddState.DONE:
            if status.state is AddState.FAILED:
                await self._journal.drop(add.token)
            raise MemoryUnavailable(f"mem0 says of a change that it is {status.state.value}")
        return await self._finish(asked)

    async def _finish(self, add: QueuedAdd) -> Memory | None:
        """Complete a change that has succeeded: delete the former memory. None if it was forgotten meanwhile."""
        recorded = await self._recorded(add)
        rows = await self._adds.rows(add)
        if recorded and not recorded.void:
            if not rows:
                raise MemoryUnavailable("mem0 doesn't show what it was given")
            await self._client.delete(add.replaces)
            if await self._journal.finish(add.token):
                return memory_of(rows[0], [add.user_id])
        await self._clear_if_void(add)
        # Not void and no longer recorded: another process has finished it.
        return next((memory for row in await self._adds.rows(add) if (memory := memory_of(row, [add.user_id]))), None)

    async def _ended(self, add: QueuedAdd, patience: float = 0) -> bool:
        """Follow a fact that is kept word for word; whether its add has ended, or is lost and may be repeated.

        Raises MemoryUnavailable if mem0 has failed, and Superseded if it was forgotten meanwhile.
        """
        status = await self._adds.status(add, patience)
        if status.state is AddState.FAILED:
            await self._journal.drop(add.token)
            raise MemoryUnavailable("mem0 reports FAILED")
        if status.state is AddState.LOST:
            await self._journal.void([add.user_id], [add.token])
        elif status.state is AddState.DONE and not await self._journal.finish(add.token):
            await self._clear_if_void(add)
            raise Superseded("it was forgotten meanwhile")
        return status.state is not AddState.OPEN

    async def _clear_if_void(self, add: QueuedAdd) -> None:
        recorded = await self._recorded(add)
        if recorded and recorded.void:
            await self._adds.clear(add)

    async def _recorded(self, add: QueuedAdd) -> QueuedAdd | None:
        """The add as it is recorded now; None if it no longer is."""
        unfinished = await self._journal.unfinished([add.user_id])
        return next((recorded for recorded in unfinished if recorded.token == add.token), None)

    async def tidy(self) -> None:
        """Finish what was left unfinished, and delete what has become void. Raises only JournalUnavailable."""
        for add in await self._journal.unfinished():
            try:
                await self._tidy(add)
            except MemoryUnavailable as exc:
                log.info("what mem0 was asked for is looked after later: %s", exc)

    async def _tidy(self, add: QueuedAdd) -> None:
        if add.void:
            await self._adds.clear(add, 0)
        elif add.told:
            with suppress(Superseded):
                await self._ended(add)
        elif add.replaces:  # the learner sees to those that learn an exchange
            status = await self._adds.status(add, 0)
            old = self._adds.now() - add.at >= COMING
            if status.state is AddState.DONE and (status.ids or not old):
                await self._finish(add)
            elif status.state is AddState.FAILED:
                await self._journal.drop(add.token)
            elif old and status.state is not AddState.OPEN:
                await self._journal.void([add.user_id], [add.token])


def _payload(row: Json, user_id: str) -> dict[str, Any]:
    """A row in the form that `sources` reads."""
    metadata = metadata_of(row)
    source = {"event_id": str(metadata.get("source", "")), "account": str(metadata.get("account") or user_id)}
    return {
        "user_id": user_id,
        "audience": metadata.get("audience"),
        "own": metadata.get("own"),
        "sources": [source] if metadata.get("source") else [],
    }
