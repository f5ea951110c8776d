"""How a store writes one person's memories."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from bot.memory.vectors.values import Record, Stored, Vector


class Memories(Protocol):
    """One person's memories inside a writing transaction, which excludes other writes about that person."""

    def all(self) -> list[Stored]:
        """All memories, in insertion order."""
        ...

    def located(self, memory_ids: Sequence[str]) -> list[Stored]:
        """The person's memories with these ids."""
        ...

    def numbered(self, numbers: Sequence[int]) -> list[Stored]:
        """The memories with these numbers that still exist."""
        ...

    def taught_by(self, event_ids: Sequence[str]) -> list[Stored]:
        """The memories that any of these events taught."""
        ...

    def same(self, text: str, scope: str) -> Stored | None:
        """The memory in force that says the same and was learned in that scope."""
        ...

    def vector(self, number: int) -> Vector:
        """A memory's vector."""
        ...

    def add(self, records: Sequence[Record]) -> None:
        """Store new memories."""
        ...

    def replace(self, number: int, payload: Mapping[str, Any]) -> None:
        """Replace a memory's payload; the former one is erased."""
        ...

    def revector(self, number: int, vector: Vector) -> None:
        """Replace a memory's vector."""
        ...

    def erase(self, gone: Iterable[Stored]) -> int:
        """Erase memories; return how many there were."""
        ...

    def erase_all(self) -> int:
        """Erase everything about the person; return how many memories there were."""
        ...

    def supersede(self, memory_ids: Sequence[str], by: str, scope: str) -> None:
        """Mark those of these memories that are in force and were learned in that scope as superseded by another."""
        ...

    def superseded(self, by: Mapping[str, str | None]) -> None:
        """Set what supersedes each of these memories, None for nothing."""
        ...

    def revive(self, replaced_by: Sequence[str]) -> None:
        """Put memories that these had superseded in force again."""
        ...
