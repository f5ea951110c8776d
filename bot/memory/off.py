"""Memory switched off (`BOT_MEMORY=false`): nothing is recalled, nothing is learned."""

from collections.abc import Sequence
from datetime import datetime

from bot.events import Exchange, Memory
from bot.ports import MemoryUnavailable


class NoMemory:
    """A `bot.ports.MemoryStore` that holds nothing and says so: every list is empty, every count is 0."""

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        """Recall nothing."""
        return []

    async def learn(self, exchanges: Sequence[Exchange]) -> int:
        """Refuse: what waits to be learned stays in the journal until memory is switched on again."""
        raise MemoryUnavailable("memory is switched off")

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        """List nothing."""
        return []

    async def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Forget nothing."""
        return 0

    async def forget_all(self, user_id: str) -> int:
        """Forget nothing."""
        return 0

    async def close(self) -> None:
        """Hold nothing open."""
