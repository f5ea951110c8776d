"""Long-term memory."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from bot.events import Learned, Recalled
from bot.model import Exchange, Held, Memory, Told

#: Called with what the memory does, for platforms that show it (the terminal).
Notify = Callable[[Recalled | Learned], None]


class MemoryStore(Protocol):
    """Long-term memory: mem0, embedded or hosted. User ids are mem0's and never empty.

    Every method raises MemoryUnavailable (or a subclass) if the store fails.
    """

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        """The memories worth putting into a prompt, best first, within the token budget.

        Only those whose scope is in `scopes` (None: all), without superseded ones. `context` holds the conversation's
        last texts, oldest first. Raises TimeoutError if it takes longer than its time budget.
        """
        ...

    async def count(self, user_id: str, scopes: frozenset[str] | None) -> Held | None:
        """How many memories `recall` chooses from in these scopes; None if the store can't tell at once."""
        ...

    async def search(
        self,
        user_id: str,
        scopes: frozenset[str] | None,
        query: str,
        now: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Memory]:
        """The memories that match a query best, as `recall` finds them, superseded ones included.

        With `since` and `until` (exclusive), only those that were said in between. Raises as `recall` does.
        """
        ...

    async def learn(self, exchanges: Sequence[Exchange], taught: set[str] | None = None) -> int:
        """Learn from exchanges of one person and scope, in order; return how many facts are new.

        When it returns, the facts are stored and the exchanges marked as learned, exactly once. Raises LearningFailed
        if the extraction gave nothing usable. The ids of the events that taught something new are added to `taught`,
        also when it raises.
        """
        ...

    async def remember(self, told: Told) -> Sequence[bool]:
        """Keep facts word for word; return for each whether it is kept by this (else it was known in that scope).

        Doing so again, after a crash or for an answer that is redone, keeps nothing twice and returns the same. What
        is learned later from the same message isn't kept beside it if it says the same. Raises Superseded if that
        message was forgotten meanwhile, and ValueError for a blank text.
        """
        ...

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        """All of a person's memories, newest first; with `search`, those that contain all its words.

        Words match literally, apart from case and word endings, never by similarity.
        """
        ...

    async def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Erase these memories of a person; return how many there were."""
        ...

    async def forget_all(self, user_id: str) -> int:
        """Erase everything the store holds about a person; return how many memories there were."""
        ...

    async def edit(self, user_id: str, memory_id: str, text: str, now: datetime) -> Memory | None:
        """Replace the text of a person's memory and embed it again; the old text is erased. None if it is gone.

        The memory returned may have another id.
        """
        ...

    async def share(self, user_id: str, memory_id: str, *, shared: bool) -> Memory | None:
        """Share a person's memory with every channel, or restrict it to where it was learned. None if it is gone."""
        ...

    async def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Forget what these events taught, about that person or (None) anybody the store knows of.

        A memory goes with its last source. Returns how many memories were affected.
        """
        ...

    async def move(self, user_id: str, to: str, accounts: Sequence[str] | None = None) -> int:
        """Move a person's memories to another mem0 user: all, or what these accounts taught; return how many.

        A memory that others have taught too is split: it stays with their sources, and moves with the accounts' own.
        """
        ...

    async def forget_workspace(
        self, platform: str, workspace: str, people: Sequence[str], former: Sequence[str] = ()
    ) -> int:
        """Erase what was learned in a workspace alone; return how many memories went.

        `people` are mem0 user ids that may have some, for a store that can't search everybody's; `former` are
        accounts that belong to the workspace too, though their keys don't say so.
        """
        ...

    async def people(self, platform: str) -> Sequence[str]:
        """A platform's mem0 user ids that have memories here; empty if the store can't search everybody's."""
        ...

    async def scrub(self) -> None:
        """Scrub from the disk what was erased while still in use (by a backup, or an older transaction)."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...
