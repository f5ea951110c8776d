"""mem0's `AsyncMemory` on our own parts: same class, same methods, none of its providers."""

from typing import Any

from bot.memory import mem0_env

mem0_env.prepare()

from mem0.configs.base import MemoryConfig  # noqa: E402 - mem0 decides on import what it writes and sends
from mem0.memory.main import AsyncMemory  # noqa: E402


class NoHistory:
    """In place of mem0's `SQLiteManager`, the last messages and each memory's changes.

    What it would keep is what `/forget` must erase, and its last messages, read into the next extraction, would carry a
    person's words past their audience and their learning. So nothing is kept.
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
        """There is nothing to drop."""

    def close(self) -> None:
        """There is nothing to close."""


class BotMemory(AsyncMemory):  # type: ignore[misc] # mem0 has no types
    """`AsyncMemory` with the given parts.

    Sets what `AsyncMemory.__init__` sets (a test compares the two), and creates no provider: no client of a model's
    service, no Qdrant, no files, no network.
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
        """There is none: entities come from spaCy, which is not loaded, so that mem0 finds none to store."""
        raise NotImplementedError("entities are not extracted")

    async def reset(self) -> None:
        """Not supported: mem0's would build its own store in place of ours. `delete_all` is about one person."""
        raise NotImplementedError("erase one person's memories with delete_all")
