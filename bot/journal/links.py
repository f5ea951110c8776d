"""Which accounts share a mem0 user's memories."""

import sqlalchemy as sa

from bot.journal.tables import links

_LINK = sa.select(links.c.user_id).where(links.c.person_key == sa.bindparam("person_key"))


def user_id(conn: sa.Connection, person_key: str) -> str:
    """The mem0 user id of an account: its own key unless it is linked."""
    found: str | None = conn.execute(_LINK, {"person_key": person_key}).scalar()
    return found or person_key


def link(conn: sa.Connection, person_key: str, to: str, now: float) -> None:
    """Let an account share the memories of the mem0 user id `to`."""
    unlink(conn, person_key)
    conn.execute(sa.insert(links), {"person_key": person_key, "user_id": to, "at": now})


def unlink(conn: sa.Connection, person_key: str) -> bool:
    """Let an account have its own memories again; False if it wasn't linked."""
    return bool(conn.execute(sa.delete(links).where(links.c.person_key == person_key)).rowcount)


def linked_to(conn: sa.Connection, to: str) -> list[str]:
    """The accounts linked to a mem0 user id, that id's own account not among them."""
    return list(conn.scalars(sa.select(links.c.person_key).where(links.c.user_id == to).order_by(links.c.at)))
