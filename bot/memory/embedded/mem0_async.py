"""mem0's `AsyncMemory` on our own parts: its class and methods, none of its providers."""

from typing import Any

from bot.memory import mem0_env

mem0_env.prepare()

from mem0.configs.base import MemoryConfig  # noqa: E402 - mem0 decides on import what it writes and sends
from mem0.memory.main import AsyncMemory  # noqa: E402


class NoHistory:
    """Replaces mem0's `SQLiteManager`, which keeps the last messages and each memory's changes. Keeps nothing.

    `/forget` would have to erase all of that; and the last messages, which go into the next extraction, would carry a
    person's words beyond their audience and the time they were learned.
    """

    def get_last_messages(self, session_scope: str, limit: int = 10) -> list[dict[str, Any]]:
        """No messages."""
        return []

    def save_messages(self, messages: list[dict[str, Any]], session_scope: str) -> None:
        """Keep nothing."""

    def add_history(self, memory_id: str, old_memory: str | None, new_memory: str | None, event: str, **_: Any) -> None:
        """Keep nothing."""

    def batch_add_history(self, records: list[dict[str, Any]]) -> None:
        """Keep nothing."""

    def get_history(self, memory_id: str) -> list[dict[str, Any]]:
        """No changes."""
        return []

    def reset(self) -> None:
        """Nothing to drop."""

    def close(self) -> None:
        """Nothing to close."""


class BotMemory(AsyncMemory):  # type: ignore[misc] # mem0 has no types
    """`AsyncMemory` with the given parts.

    Sets what `AsyncMemory.__init__` sets (a test compares the two) but creates no provider: no model client, no Qdrant,
    no files, no network.
    """

    def __init__(self, *, embedder: Any, store: Any, llm: Any) -> None:
        self.config = MemoryConfig()
        self.embedding_model = embedder
        self.vector_store = store
        self.llm = llm
        self.db = NoHistory()
        self.collection_name = self.config.vector_store.config.collection_name
        self.api_version = self.config.version
        self.custom_instructions = self.config.custom_instructions
        self._entity_store = None
        self.reranker = None

    @property
    def entity_store(self) -> Any:
        """There is none: entities come from spaCy, which isn't loaded, so mem0 finds none to store."""
        raise NotImplementedError("entities are not extracted")

    async def reset(self) -> None:
        """Not supported: mem0's would replace our store with its own. `delete_all` erases one person's memories."""
        raise NotImplementedError("erase one person's memories with delete_all")
