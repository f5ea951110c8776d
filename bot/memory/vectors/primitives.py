"""What each database provides for the memory store: reading memories, and writing one person's."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from bot.memory.vectors.meta import Meta
from bot.memory.vectors.values import Query, Row, Scored, Vector
from bot.text.keywords import Words


class Primitives(ABC):
    """One database's part of `bot.memory.vectors.base.VectorStore`."""

    _meta: Meta
    _dims: int

    @abstractmethod
    def close(self) -> None:
        """Close the connections; the store can't be used afterwards."""

    @abstractmethod
    def scrub(self) -> None:
        """Scrub from the disk what was erased while still in use."""

    @abstractmethod
    def owners(self) -> Sequence[str]:
        """Everybody who has memories."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Any]:
        """A connection that reads one state of the store."""

    @abstractmethod
    def _writing(self, *, erases: bool = False) -> AbstractContextManager[Any]:
        """A connection inside a transaction; with `erases`, the caller calls `scrub` afterwards."""

    @abstractmethod
    def _person(self, conn: Any, user_id: str, *, create: bool = False) -> AbstractContextManager[Any]:
        """The person's `Memories`; None if there are none, unless `create`."""

    @abstractmethod
    def _is_anothers(self, conn: Any, user_id: str, memory_ids: Sequence[str]) -> bool:
        """Whether any of these ids belongs to somebody else's memory."""

    @abstractmethod
    def _scored(self, conn: Any, query: Query, vector: Vector | None, text: str) -> Scored:
        """The memories that a query selects, scored for a vector and for the words of a text."""

    @abstractmethod
    def _fetched(self, conn: Any, numbers: Sequence[int]) -> dict[int, Row]:
        """Memories by their numbers."""

    @abstractmethod
    def _holding(self, conn: Any, user_id: str, words: Words) -> list[int]:
        """The numbers of a person's memories that may hold all these words, newest first."""

    @abstractmethod
    def _taught(self, conn: Any, event_ids: Sequence[str], user_id: str | None) -> Iterable[bytes]:
        """The payloads of memories that any of these events taught, about that person or anybody."""

    @abstractmethod
    def _page(self, conn: Any, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Everybody's memories after a number, as numbers and payloads, in ascending order."""

    @abstractmethod
    def get(self, vector_id: str) -> Row | None:
        """The memory with that id; None if there is none."""
