"""Who an account is, and what they have set: read with one statement on the way of each message."""

import sqlalchemy as sa

from bot.journal.tables import pauses, settings
from bot.model import Account

_ACCOUNT = sa.text(
    "SELECT found.user_id, settings.told,"
    " EXISTS (SELECT 1 FROM erasures WHERE erasures.user_id = found.user_id) AS erasing"
    " FROM (SELECT coalesce((SELECT user_id FROM links WHERE person_key = CAST(:key AS TEXT)), CAST(:key AS TEXT))"
    " AS user_id) AS found LEFT JOIN settings ON settings.user_id = found.user_id"
)


def account(conn: sa.Connection, person_key: str) -> Account:
    """The account's mem0 user id, whether its memory is paused, and whether an erasure is still under way."""
    user_id, told, erasing = conn.execute(_ACCOUNT, {"key": person_key}).one()
    return Account(user_id, paused=told is not None, told=bool(told), erasing=bool(erasing))


_KEEP_PAUSE = sa.text(
    "INSERT INTO pauses (user_id, began, ended) VALUES (:user_id, :began, :ended)"
    " ON CONFLICT (user_id, began) DO NOTHING"
)


def pause(conn: sa.Connection, user_id: str, paused: bool, now: float) -> None:
    """Switch a person's memory off or on; switching it off twice keeps the first time.

    When it was off is noted: what was said then may be answered, or edited, after it is on again.
    """
    if not paused:
        over = sa.delete(settings).where(settings.c.user_id == user_id).returning(settings.c.paused_at)
        began = conn.execute(over).scalar()
        if began is not None:
            conn.execute(_KEEP_PAUSE, {"user_id": user_id, "began": began, "ended": now})
        return
    conn.execute(
        sa.text(
            "INSERT INTO settings (user_id, paused_at, told) VALUES (:user_id, :now, 0)"
            " ON CONFLICT (user_id) DO NOTHING"
        ),
        {"user_id": user_id, "now": now},
    )


_WAS_PAUSED = sa.text(
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM pauses WHERE user_id = :user_id AND began <= :at AND ended > :at)"
    " OR EXISTS (SELECT 1 FROM settings WHERE user_id = :user_id AND paused_at <= :at)"
)


def was_paused(conn: sa.Connection, user_id: str, at: float) -> bool:
    """Whether that person's memory was paused at a moment: what was said then may never be learned."""
    return conn.execute(_WAS_PAUSED, {"user_id": user_id, "at": at}).first() is not None


def tell_paused(conn: sa.Connection, user_id: str) -> bool:
    """Whether this answer is the one that says so: True once after each pausing."""
    untold = sa.and_(settings.c.user_id == user_id, settings.c.told == 0)
    return bool(conn.execute(sa.update(settings).where(untold).values(told=1)).rowcount)


def move(conn: sa.Connection, user_id: str, to: str, *, keep: bool) -> None:
    """Let another mem0 user have the same settings; without `keep`, in place of the first."""
    found = conn.execute(sa.select(settings.c.paused_at).where(settings.c.user_id == user_id)).scalar()
    if found is not None:
        pause(conn, to, True, found)
    for row in conn.execute(sa.select(pauses).where(pauses.c.user_id == user_id)).all():
        conn.execute(_KEEP_PAUSE, {"user_id": to, "began": row.began, "ended": row.ended})
    if not keep:
        for table in (settings, pauses):
            conn.execute(sa.delete(table).where(table.c.user_id == user_id))
