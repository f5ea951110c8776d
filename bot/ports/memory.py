"""Long-term memory."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from bot.events import Learned, Recalled
from bot.model import Exchange, Memory

#: Told of what the memory does, for platforms that show it (the terminal).
Notify = Callable[[Recalled | Learned], None]


class MemoryStore(Protocol):
    """Long-term memory: mem0, embedded or hosted. All calls are about one mem0 user id, which is never empty.

    Every method raises MemoryUnavailable (or its kin) where the store fails.
    """

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        """The memories worth putting into a prompt, best first, within the token budget.

        Only those whose scope is in `scopes` (None: all). `context` holds the conversation's last texts, oldest
        first. Superseded memories are left out. Raises TimeoutError where it takes longer than its budget.
        """
        ...

    async def learn(self, exchanges: Sequence[Exchange]) -> int:
        """Learn from exchanges of one person and scope, in order; return how many facts are new.

        Where it returns, the facts are stored and the exchanges are marked as learned, exactly once.
        Raises LearningFailed where the extraction gave nothing usable.
        """
        ...

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        """All of a person's memories, newest first; with `search`, those that hold all its words.

        Words match literally, case and word endings aside, never by similarity.
        """
        ...

    async def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Erase these memories of that person; return how many there were."""
        ...

    async def forget_all(self, user_id: str) -> int:
        """Erase everything the store holds about that person; return how many memories there were."""
        ...

    async def edit(self, user_id: str, memory_id: str, text: str, now: datetime) -> Memory | None:
        """Give a memory of that person another text, embedded anew; the former is erased. None where it is gone.

        The memory that comes back may have another id.
        """
        ...

    async def share(self, user_id: str, memory_id: str, *, shared: bool) -> Memory | None:
        """Open a memory of that person to every channel, or close it to where it was learned. None where it is gone."""
        ...

    async def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Forget that these events taught anything, to that person or (None) to anybody the store knows of.

        A memory goes with its last source. Returns how many memories were touched.
        """
        ...

    async def move(self, user_id: str, to: str, accounts: Sequence[str] | None = None) -> int:
        """Give another mem0 user a person's memories: all, or what these accounts taught; return how many.

        What others have taught too stays here with those sources, and goes there with the accounts' own.
        """
        ...

    async def forget_workspace(
        self, platform: str, workspace: str, people: Sequence[str], former: Sequence[str] = ()
    ) -> int:
        """Erase what was learned in a workspace alone; return how many memories went.

        `people` are mem0 user ids that may have some, for a store that can't look through everybody's; `former` are
        accounts that are the workspace's too, though their keys don't say so.
        """
        ...

    async def people(self, platform: str) -> Sequence[str]:
        """The mem0 user ids of a platform that have memories here; none where the store can't look at everybody's."""
        ...

    async def scrub(self) -> None:
        """Take off the disk what was erased, but still in use then (by a backup, an older transaction)."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...
