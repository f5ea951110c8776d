"""What a shown button will do, until it is pressed."""

import json
import secrets
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from bot.journal.runner import Runner
from bot.journal.tables import intents
from bot.ports import REVIEW

#: How long a button acts, in seconds.
INTENT_TTL = 15 * 60.0


class SqlIntents:
    """`bot.ports.Intents`."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def keep(self, person_key: str, action: str, ids: Sequence[str], now: datetime) -> str:
        """Store what a button will do and return its token."""
        return await self._runner.write(keep, person_key, action, ids, now.timestamp())

    async def look(self, token: str, person_key: str, now: datetime) -> tuple[str, list[str]] | None:
        """As `take`, but the button may be pressed again."""
        return await self._runner.read(look, token, person_key, now.timestamp())

    async def take(self, token: str, person_key: str, now: datetime) -> tuple[str, list[str]] | None:
        """A token's (action, ids), once, if it is that person's and not stale; else None."""
        return await self._runner.write(take, token, person_key, now.timestamp())


def keep(conn: sa.Connection, person_key: str, action: str, ids: Sequence[str], now: float) -> str:
    """Store what a button will do and return its token, 22 characters that can't be guessed."""
    token = secrets.token_urlsafe(16)
    conn.execute(
        sa.insert(intents),
        {"token": token, "person_key": person_key, "action": action, "ids": json.dumps(list(ids)), "at": now},
    )
    return token


def look(conn: sa.Connection, token: str, person_key: str, now: float) -> tuple[str, list[str]] | None:
    """A token's (action, ids), if it is that person's and not stale."""
    theirs = sa.and_(intents.c.token == token, intents.c.person_key == person_key, intents.c.at >= now - INTENT_TTL)
    found = conn.execute(sa.select(intents.c.action, intents.c.ids).where(theirs)).first()
    return (found.action, json.loads(found.ids)) if found else None


def wishes(conn: sa.Connection, person_keys: Sequence[str]) -> list[str]:
    """The words of these accounts' wishes to have something forgotten that are still to be looked at."""
    theirs = sa.and_(intents.c.person_key.in_(list(person_keys)), intents.c.action == REVIEW)
    return [words for ids in conn.scalars(sa.select(intents.c.ids).where(theirs)) for words in json.loads(ids)]


def forget_wishes(conn: sa.Connection, person_keys: Sequence[str]) -> int:
    """Erase the words of these accounts' wishes; return how many there were."""
    theirs = sa.and_(intents.c.person_key.in_(list(person_keys)), intents.c.action == REVIEW)
    return conn.execute(sa.delete(intents).where(theirs)).rowcount


def take(conn: sa.Connection, token: str, person_key: str, now: float) -> tuple[str, list[str]] | None:
    """A token's (action, ids), once, if it is that person's and not stale; a stranger's attempt takes nothing."""
    taken = conn.execute(
        sa.delete(intents)
        .where(intents.c.token == token, intents.c.person_key == person_key)
        .returning(intents.c.action, intents.c.ids, intents.c.at)
    ).first()
    if taken is None or taken.at < now - INTENT_TTL:
        return None
    return taken.action, json.loads(taken.ids)
