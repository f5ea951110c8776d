"""What people may do with their memories at hosted mem0: change, share, move, and forget by where they came from.

mem0 keeps a changed memory's former text in its history, so a change here is a new memory in place of the former one,
which is deleted. The new one names what it stands for, so that an interrupted change is finished by another try. It is
an add like any other: whoever forgets everything meanwhile waits for it, and what comes after that is taken back.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.events import PRIVATE_SCOPE, SHARED_SCOPE, Memory
from bot.memory import belonging
from bot.memory.hosted_client import HostedClient, Row
from bot.memory.hosted_rows import clean, filters, memory_of, metadata_of, owned, person_id
from bot.ports import MemoryUnavailable

log = logging.getLogger(__name__)


class HostedRights:
    """Methods of `HostedMemory`."""

    _client: HostedClient
    _patience: float
    _queued: dict[tuple[str, str], str]
    _forgotten: Counter[str]
    _own: Callable[[str], Awaitable[Sequence[Row]]]
    _delete: Callable[[Sequence[str]], Awaitable[int]]
    _taught_by: Callable[[str, str], Awaitable[list[Row]]]

    async def edit(self, user_id: str, memory_id: str, text: str, now: datetime) -> Memory | None:
        """Edit, see the port."""
        person = person_id(user_id)
        generation = self._forgotten[person]
        row = await self._mine(person, memory_id)
        if row is None:
            return None
        metadata = {**metadata_of(row), "edited_at": now.astimezone(UTC).isoformat()}
        return await self._replace(row, person, text, metadata, generation)

    async def share(self, user_id: str, memory_id: str, *, shared: bool) -> Memory | None:
        """Share, see the port."""
        person = person_id(user_id)
        generation = self._forgotten[person]
        row = await self._mine(person, memory_id)
        if row is None:
            return None
        metadata = metadata_of(row)
        own = str(metadata.get("own") or metadata.get("audience") or PRIVATE_SCOPE)
        audience = SHARED_SCOPE if shared else own
        if metadata.get("audience") == audience:
            return memory_of(row, person)
        metadata = {**metadata, "audience": audience, "own": own}
        return await self._replace(row, person, _text(row), metadata, generation)

    async def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Forget by source, see the port. Here each memory has one source; without a person nothing can be found."""
        if user_id is None:
            return 0
        person = person_id(user_id)
        found = [row["id"] for event_id in event_ids for row in await self._taught_by(person, event_id)]
        return await self._delete(found)

    async def move(self, user_id: str, to: str, accounts: Sequence[str] | None = None) -> int:
        """Move, see the port."""
        person, target = person_id(user_id), person_id(to)
        generation = self._forgotten[target]
        moved = 0
        for row in await self._own(person) if person != target else ():
            account = str(metadata_of(row).get("account") or user_id)
            if accounts is None or account in accounts:
                metadata = {**metadata_of(row), "account": account}
                moved += await self._replace(row, target, _text(row), metadata, generation) is not None
        return moved

    async def forget_workspace(self, platform: str, workspace: str, people: Sequence[str]) -> int:
        """Forget a workspace, see the port: of `people` alone, for mem0 can't look through everybody's."""
        if not workspace:
            raise ValueError("a workspace has an id")
        count = 0
        for user_id in people:
            rows = await self._own(person_id(user_id))
            gone = [row["id"] for row in rows if belonging.outside(_payload(row, user_id), platform, workspace) == []]
            count += await self._delete(gone)
        return count

    async def _mine(self, person: str, memory_id: str) -> Row | None:
        row = await self._client.get(memory_id) if memory_id.strip() else None
        return row if row is not None and owned(row, person) else None

    async def _replace(
        self, row: Row, person: str, text: str, metadata: dict[str, Any], generation: int
    ) -> Memory | None:
        """Put a memory in place of another; None where that person has forgotten everything since `generation`.

        Raises MemoryUnavailable where mem0 doesn't take it (yet).
        """
        own = str(metadata.get("own") or metadata.get("audience") or PRIVATE_SCOPE)
        metadata = {**metadata, "owner": person, "stands_for": str(row["id"])}
        there = await self._standing_for(person, str(row["id"]))
        if not there:
            event, there = await self._client.add(
                [{"role": "user", "content": clean(text)}],
                user_id=person,
                run_id=f"{person}/{own}",
                metadata=metadata,
                infer=False,
            )
            if event is not None:
                self._queued[person, event] = event
                status, _ = await self._client.follow(event, self._patience)
                if status != "PENDING":
                    self._queued.pop((person, event), None)
                if status != "SUCCEEDED":
                    raise MemoryUnavailable(f"mem0 reports {status}")
            there = await self._standing_for(person, str(row["id"]))
        if self._forgotten[person] != generation:
            await self._delete([str(each["id"]) for each in (*there, row)])
            return None
        memory = next((found for each in there if (found := memory_of(each, person))), None)
        if memory is None:
            raise MemoryUnavailable("mem0 doesn't show what it was given")
        await self._delete([str(row["id"])])
        return memory

    async def _standing_for(self, person: str, memory_id: str) -> list[Row]:
        rows = await self._client.all(filters(person, [{"metadata": {"stands_for": memory_id}}]))
        return [row for row in rows if owned(row, person) and metadata_of(row).get("stands_for") == memory_id]


def _text(row: Row) -> str:
    return str(row.get("memory") or row.get("text") or "")


def _payload(row: Row, user_id: str) -> dict[str, Any]:
    """A row as `belonging` reads memories."""
    metadata = metadata_of(row)
    source = {"event_id": str(metadata.get("source", "")), "account": str(metadata.get("account") or user_id)}
    return {
        "user_id": user_id,
        "audience": metadata.get("audience"),
        "own": metadata.get("own"),
        "sources": [source] if metadata.get("source") else [],
    }
