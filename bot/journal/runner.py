"""How the journal's functions are run: each takes a connection first, and is one step of one transaction."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import sqlalchemy as sa

P = ParamSpec("P")
T = TypeVar("T")


class Runner(Protocol):
    """Runs functions over a connection. Methods raise JournalUnavailable if the database fails."""

    async def write(self, function: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in a transaction of its own and return once it is on disk. The function may be run again on failure."""
        ...

    async def read(self, function: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run over what is committed."""
        ...

    async def erase(
        self, function: Callable[Concatenate[sa.Connection, P], int], *args: P.args, **kwargs: P.kwargs
    ) -> int:
        """Like `write`, for a function that deletes texts: they are off the disk then, unless that is blocked.

        The tables of texts are rewritten even if no row went: their pages may hold copies of earlier ones.
        """
        ...

    async def scrub(self) -> None:
        """Take off the disk what an erasure could not; nothing happens if that is done, or was tried just now."""
        ...

    async def close(self) -> None:
        """Finish what is queued, then release the connections."""
        ...
