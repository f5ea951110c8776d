"""What is kept about accounts: links, the intents behind buttons, and the epochs of forgetting."""

import json
import secrets
from collections.abc import Sequence

import sqlalchemy as sa

from bot.journal.tables import adds, epochs, erasures, exchanges, inbox, intents, links, pauses, settings, taught, turns
from bot.model import one_person

#: How long a button acts, in seconds.
INTENT_TTL = 15 * 60.0

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
    """Let an account have its own memories again; False where it wasn't linked."""
    return bool(conn.execute(sa.delete(links).where(links.c.person_key == person_key)).rowcount)


def accounts(conn: sa.Connection, to: str) -> list[str]:
    """The accounts linked to a mem0 user id, that id's own account not among them."""
    return list(conn.scalars(sa.select(links.c.person_key).where(links.c.user_id == to).order_by(links.c.at)))


#: Where accounts, and mem0 users, are named.
_NAMED = (
    *(turns.c.person_key, turns.c.user_id, exchanges.c.person_key, exchanges.c.user_id, inbox.c.person_key),
    *(links.c.person_key, links.c.user_id, settings.c.user_id, pauses.c.user_id, taught.c.user_id, adds.c.user_id),
    erasures.c.user_id,
)


def known(conn: sa.Connection, platform: str) -> list[str]:
    """The keys of a platform's accounts, and its mem0 user ids, of which anything is kept."""
    named = (sa.select(column).where(column.startswith(f"{platform}:", autoescape=True)) for column in _NAMED)
    return list(conn.scalars(sa.union(*named)))


def spelled(conn: sa.Connection, platform: str, workspace: str) -> list[str]:
    """The former keys, of a workspace's accounts, that share their memories."""
    prefix = f"{platform}:{workspace}:"
    own = sa.select(links.c.user_id).where(links.c.person_key.startswith(prefix, autoescape=True))
    with_own = sa.or_(links.c.user_id.startswith(prefix, autoescape=True), links.c.user_id.in_(own))
    groups: dict[str, set[str]] = {}
    for key, user in conn.execute(sa.select(links.c.person_key, links.c.user_id).where(with_own)):
        groups.setdefault(user, {user}).add(key)
    return sorted(
        key
        for keys in groups.values()
        for key in keys
        if not key.startswith(prefix) and any(each.startswith(prefix) and one_person(each, key) for each in keys)
    )


def keep_intent(conn: sa.Connection, person_key: str, action: str, ids: Sequence[str], now: float) -> str:
    """Remember what a button will do and return its token, 22 characters that can't be guessed."""
    token = secrets.token_urlsafe(16)
    conn.execute(
        sa.insert(intents),
        {"token": token, "person_key": person_key, "action": action, "ids": json.dumps(list(ids)), "at": now},
    )
    return token


def take_intent(conn: sa.Connection, token: str, person_key: str, now: float) -> tuple[str, list[str]] | None:
    """Take (action, ids) of a token once, if it is that person's and not stale; a stranger's try takes nothing."""
    taken = conn.execute(
        sa.delete(intents)
        .where(intents.c.token == token, intents.c.person_key == person_key)
        .returning(intents.c.action, intents.c.ids, intents.c.at)
    ).first()
    if taken is None or taken.at < now - INTENT_TTL:
        return None
    return taken.action, json.loads(taken.ids)


def epoch(conn: sa.Connection, user: str) -> int:
    """How often that mem0 user has had everything forgotten."""
    found: int | None = conn.execute(sa.select(epochs.c.epoch).where(epochs.c.user_id == user)).scalar()
    return found or 0


def bump_epoch(conn: sa.Connection, user: str) -> None:
    """Count one forgetting of everything."""
    conn.execute(
        sa.text(
            "INSERT INTO epochs (user_id, epoch) VALUES (:user_id, 1)"
            " ON CONFLICT (user_id) DO UPDATE SET epoch = epochs.epoch + 1"
        ),
        {"user_id": user},
    )
