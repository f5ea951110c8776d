"""What hosted mem0 was asked to add: recorded before it is asked, so that a crash leaves nothing unaccounted for.

An add is void once its exchange was erased or replaced (a tombstone says so), or once it is declared so here. What is
checked and what is written share a transaction, so that a forgetting comes either before an add is recorded, and then
there is none, or after it, and then finds it.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.journal import accounts, links, outbox
from bot.journal.runner import Runner
from bot.journal.tables import adds, epochs, exchanges, inbox, tombstones
from bot.model import QueuedAdd

_VOID = sa.or_(adds.c.void == 1, sa.exists().where(tombstones.c.exchange_id == adds.c.exchange_id)).label("is_void")


class SqlAdds:
    """`bot.memory.hosted.adds.AddJournal`. Every method raises JournalUnavailable if the database fails."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def begin(self, add: QueuedAdd, person: str = "", epoch: int = 0, asked_by: str = "") -> bool:
        """Record an add before it is requested; False if it may not be requested any more."""
        return await self._runner.write(begin, add, person, epoch, asked_by)

    async def note(self, token: str, event: str) -> None:
        """The service has queued it, under this id."""
        await self._runner.write(note, token, event)

    async def unfinished(self, user_ids: Sequence[str] | None = None) -> list[QueuedAdd]:
        """What is not known to have ended, for these mem0 users or (None) for anybody, oldest first."""
        return await self._runner.read(unfinished, user_ids)

    async def void(self, user_ids: Sequence[str], about: Sequence[str] | None = None) -> None:
        """Nothing may stay of what is about these messages, memories or tokens (None: of everything)."""
        await self._runner.write(void, user_ids, about)

    async def finish(self, token: str) -> bool:
        """It has ended and stays, its exchange is learned; False if it is void or no longer recorded."""
        return await self._runner.write(finish, token)

    async def drop(self, token: str) -> None:
        """Nothing of it is there, and nothing can come."""
        await self._runner.write(drop, token)

    async def linked_to(self, user_id: str) -> list[str]:
        """The accounts linked to a mem0 user id, that id's own not among them."""
        return await self._runner.read(links.linked_to, user_id)

    async def epoch(self, user_id: str) -> int:
        """How often that person has had everything forgotten."""
        return await self._runner.read(accounts.epoch, user_id)


def begin(conn: sa.Connection, add: QueuedAdd, person: str, epoch: int, asked_by: str) -> bool:
    """Record an add.

    False if its exchange no longer waits, or `person` has had everything forgotten since `epoch`, or the message that
    asks for it is no longer to be answered.
    """
    # Locked (PostgreSQL), so that a forgetting which is about to be committed is waited for, or waits.
    if add.exchange_id:
        waits = sa.select(exchanges.c.id).where(exchanges.c.id == add.exchange_id).with_for_update(read=True)
        if conn.execute(waits).first() is None:
            return False
    else:
        row = {"user_id": person}
        conn.execute(
            sa.text("INSERT INTO epochs (user_id, epoch) VALUES (:user_id, 0) ON CONFLICT (user_id) DO NOTHING"), row
        )
        conn.execute(sa.select(epochs.c.epoch).where(epochs.c.user_id == person).with_for_update(read=True))
        if accounts.epoch(conn, person) != epoch:
            return False
        asked = sa.select(inbox.c.event_id).where(inbox.c.event_id == asked_by).with_for_update(read=True)
        if asked_by and conn.execute(asked).first() is None:
            return False
    conn.execute(
        sa.insert(adds),
        {
            "token": add.token,
            "user_id": add.user_id,
            "source": add.source,
            "replaces": add.replaces,
            "exchange_id": add.exchange_id,
            "at": add.at,
        },
    )
    return True


def note(conn: sa.Connection, token: str, event: str) -> None:
    """The service has queued it, under this id."""
    conn.execute(sa.update(adds).where(adds.c.token == token).values(event=event))


def unfinished(conn: sa.Connection, user_ids: Sequence[str] | None) -> list[QueuedAdd]:
    """What is for these mem0 users (None: for anybody), oldest first."""
    query = sa.select(adds, _VOID).order_by(adds.c.at, adds.c.token)
    if user_ids is not None:
        query = query.where(adds.c.user_id.in_(list(user_ids)))
    return [
        QueuedAdd(
            row.token, row.user_id, row.source, row.replaces, row.exchange_id, row.event, bool(row.is_void), row.at
        )
        for row in conn.execute(query)
    ]


def void(conn: sa.Connection, user_ids: Sequence[str], about: Sequence[str] | None) -> None:
    """Nothing may stay of what is for these mem0 users and about these messages, memories or tokens (None: any)."""
    chosen: sa.ColumnElement[bool] = adds.c.user_id.in_(list(user_ids))
    if about is not None:
        named = [column.in_(list(about)) for column in (adds.c.source, adds.c.replaces, adds.c.token)]
        chosen = sa.and_(chosen, sa.or_(*named))
    conn.execute(sa.update(adds).where(chosen).values(void=1))


def finish(conn: sa.Connection, token: str) -> bool:
    """It has ended and stays: its exchange is learned. False if it is void, or no longer recorded."""
    ours = adds.c.token == token
    exchange_id = conn.execute(sa.select(adds.c.exchange_id).where(ours).with_for_update()).scalar()
    if exchange_id is not None:
        # As in `begin`; and only then asked, so that what such a forgetting has written is seen.
        conn.execute(sa.select(exchanges.c.id).where(exchanges.c.id == exchange_id).with_for_update())
    void = conn.execute(sa.select(_VOID).where(ours)).scalar()
    if void is None or void:
        return False
    if exchange_id:
        outbox.learned(conn, [exchange_id])
    drop(conn, token)
    return True


def drop(conn: sa.Connection, token: str) -> None:
    """It has ended, and nothing of it is left, or it was never requested."""
    conn.execute(sa.delete(adds).where(adds.c.token == token))
