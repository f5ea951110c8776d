"""One person's memories, as a store writes them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from bot.memory.vectors.values import Record, Stored, Vector


class Memories(Protocol):
    """One person's memories inside a writing transaction, with nobody else writing about that person."""

    def all(self) -> list[Stored]:
        """All of them, in the order of their insertion."""
        ...

    def located(self, memory_ids: Sequence[str]) -> list[Stored]:
        """Those with these ids; another person's are none."""
        ...

    def numbered(self, numbers: Sequence[int]) -> list[Stored]:
        """Those with these numbers that are still there."""
        ...

    def taught_by(self, event_ids: Sequence[str]) -> list[Stored]:
        """Those that any of these events taught."""
        ...

    def same(self, text: str, scope: str) -> Stored | None:
        """The one in force that says the same and was learned in that scope."""
        ...

    def vector(self, number: int) -> Vector:
        """The vector of one."""
        ...

    def add(self, records: Sequence[Record]) -> None:
        """Store new ones."""
        ...

    def replace(self, number: int, payload: Mapping[str, Any]) -> None:
        """Give one another payload; the former is erased."""
        ...

    def revector(self, number: int, vector: Vector) -> None:
        """Give one another vector."""
        ...

    def erase(self, gone: Iterable[Stored]) -> int:
        """Erase some; return how many there were."""
        ...

    def erase_all(self) -> int:
        """Erase everything about the person; return how many memories there were."""
        ...

    def supersede(self, memory_ids: Sequence[str], by: str, scope: str) -> None:
        """Mark those of these in force that were learned in that scope as replaced by another."""
        ...

    def superseded(self, by: Mapping[str, str | None]) -> None:
        """Say of each of these what has replaced it, None for nothing."""
        ...

    def revive(self, replaced_by: Sequence[str]) -> None:
        """Put in force again what these had replaced."""
        ...
