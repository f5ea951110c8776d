"""Memory switched off (`BOT_MEMORY=false`): nothing is recalled, nothing is learned."""

from collections.abc import Sequence
from datetime import datetime

from bot.model import Exchange, Held, Memory, Told
from bot.ports import MemoryUnavailable


class NoMemory:
    """A `bot.ports.MemoryStore` that shows nothing: every list is empty, and erasures wait."""

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        """Recall nothing."""
        return []

    async def count(self, user_id: str, scopes: frozenset[str] | None) -> Held | None:
        """Count nothing."""
        return None

    async def search(
        self,
        user_id: str,
        scopes: frozenset[str] | None,
        query: str,
        now: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Memory]:
        """Find nothing."""
        return []

    async def learn(self, exchanges: Sequence[Exchange], taught: set[str] | None = None) -> int:
        """Fail: what waits to be learned stays in the journal until memory is switched on again."""
        raise MemoryUnavailable("memory is switched off")

    async def remember(self, told: Told) -> Sequence[bool]:
        """Fail: nothing can be kept."""
        raise MemoryUnavailable("memory is switched off")

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        """List nothing."""
        return []

    async def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Fail: what is stored can't be reached, so it is erased once memory is switched on again."""
        raise MemoryUnavailable("memory is switched off")

    async def forget_all(self, user_id: str) -> int:
        """Fail, like `forget`."""
        raise MemoryUnavailable("memory is switched off")

    async def edit(self, user_id: str, memory_id: str, text: str, now: datetime) -> Memory | None:
        """There is nothing to edit."""
        return None

    async def share(self, user_id: str, memory_id: str, *, shared: bool) -> Memory | None:
        """There is nothing to share."""
        return None

    async def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Fail, like `forget`."""
        raise MemoryUnavailable("memory is switched off")

    async def move(self, user_id: str, to: str, accounts: Sequence[str] | None = None) -> int:
        """Fail, like `forget`."""
        raise MemoryUnavailable("memory is switched off")

    async def forget_workspace(
        self, platform: str, workspace: str, people: Sequence[str], former: Sequence[str] = ()
    ) -> int:
        """Fail, like `forget`."""
        raise MemoryUnavailable("memory is switched off")

    async def people(self, platform: str) -> Sequence[str]:
        """List nobody."""
        return []

    async def scrub(self) -> None:
        """Nothing to scrub."""

    async def close(self) -> None:
        """Nothing to close."""
