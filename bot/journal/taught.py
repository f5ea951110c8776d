"""Which events taught whom, for a memory store that can't tell by itself (hosted mem0)."""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.journal.runner import Runner
from bot.journal.tables import exchanges, taught


class SqlTaught:
    """`bot.ports.Taught`."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def accounts_of(self, event_ids: Sequence[str]) -> dict[str, str]:
        """Event: the account that it taught something, where that was recorded."""
        return await self._runner.read(accounts_of, event_ids)

    async def everyone(self) -> list[str]:
        """Every account that was ever recorded as taught."""
        return await self._runner.read(everyone)

    async def release(self, event_ids: Sequence[str]) -> None:
        """What these events taught is forgotten: their edited texts, held until now, may be learned."""
        await self._runner.write(release, list(event_ids))


def release(conn: sa.Connection, event_ids: list[str]) -> int:
    """What these events taught before is forgotten: their new texts may be learned. Returns how many wait now."""
    conn.execute(sa.delete(taught).where(taught.c.event_id.in_(event_ids)))
    held = sa.and_(exchanges.c.event_id.in_(event_ids), exchanges.c.state == "held")
    return conn.execute(sa.update(exchanges).where(held).values(state="waiting")).rowcount


def accounts_of(conn: sa.Connection, event_ids: Sequence[str]) -> dict[str, str]:
    """Event: the account that it taught something, where that was recorded."""
    rows = conn.execute(sa.select(taught.c.event_id, taught.c.user_id).where(taught.c.event_id.in_(list(event_ids))))
    return {event_id: user_id for event_id, user_id in rows}  # noqa: C416 - rows, not pairs


def everyone(conn: sa.Connection) -> list[str]:
    """Every account that was ever recorded as taught."""
    return list(conn.scalars(sa.select(taught.c.user_id).distinct().order_by(taught.c.user_id)))
